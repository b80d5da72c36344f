/**
 * Follows what deliveries say: the tickets that they spoke of are claimed, each once for however many deliveries, and what
 * became of it is written into each delivery's record (PROTOCOL 8). One that has a live run is asked whether people still
 * want it. Runs on every replica.
 *
 * What a crash leaves behind: a lease that ends, after which the ticket is due again. The claim tells whoever takes it what
 * was done already.
 */
import { withoutRedis } from '../../claims/claim-gates.ts';
import { type ClaimOutcome, failed } from '../../claims/claim-outcome.ts';
import type { TicketClaimService } from '../../claims/ticket-claim-service.ts';
import type { UnwantedRuns } from '../../claims/unwanted-runs.ts';
import type { Catalog, Project } from '../../domain/project.ts';
import { sourceKey, ticketKey } from '../../domain/ticket.ts';
import { elapsedMs, now } from '../../foundation/clock.ts';
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import { type Call, PlatformError } from '../../platforms/contract.ts';
import type { DeliveryRecords, TakenTicket } from '../../runs/delivery-records.ts';
import type { NudgedEngine } from '../engines/wake-source.ts';
import { type InboxOutcome, type InboxPatience, settlementOf } from './inbox-settlement.ts';

export interface Inbox {
  /** Works until the engine is stopped; resolves when the tickets at work are over. Never rejects. */
  run(): Promise<void>;
  /** How many more tickets may be taken now. */
  free(): number;
  /** What has work enough: beginnings of ticket keys. */
  busy(): Iterable<string>;
}

export interface InboxDeps {
  readonly engine: () => NudgedEngine;
  readonly catalog: () => Catalog;
  readonly claims: TicketClaimService;
  readonly unwanted: Pick<UnwantedRuns, 'look'>;
  readonly records: Pick<DeliveryRecords, 'settle'>;
  /** Ends claims only when the process ends: a claim that has begun is better finished than taken over. */
  readonly claimSignal: AbortSignal;
  readonly onSettled?: (facts: {
    readonly platform: string;
    readonly outcome: string;
    readonly deliveries: number;
  }) => void;
  readonly log: Log;
}

/** Tickets claimed at once by one replica; half of them at most on one host, so that one that hangs holds up no other. */
const SLOTS = 32;
const SLOTS_PER_HOST = 16;
/** Taken in one go: who has been given too much is seen between two takes. */
const MOST_AT_ONCE = 8;
const WAKE_MS = 60_000;

export function createInbox(deps: InboxDeps, options: InboxPatience & { readonly claimCallMs: number }): Inbox {
  const { log } = deps;
  const working = new Set<Promise<void>>();
  const perHost = new Map<string, number>();

  const count = (ticket: string, by: 1 | -1): void => {
    const host = hostOf(ticket);
    const left = (perHost.get(host) ?? 0) + by;
    if (left === 0) perHost.delete(host);
    else perHost.set(host, left);
  };

  /** Whether the live run of the ticket was taken back; undefined when there is none, or it goes on. */
  const takeBack = async ({ ticket }: TakenTicket): Promise<InboxOutcome | undefined> => {
    const call: Call = { purpose: 'claim', deadlineMs: options.claimCallMs, signal: deps.claimSignal };
    try {
      const reply = await deps.unwanted.look(ticket, call);
      return reply?.kind === 'cancelled' || reply?.kind === 'requested' ? reply : undefined;
    } catch (error) {
      if (error instanceof PlatformError) return failed(error.kind, error.message);
      return withoutRedis(error);
    }
  };

  /** Undefined when no project wants it. */
  const claim = async (taken: TakenTicket): Promise<ClaimOutcome | undefined> => {
    const { ticketId, entries } = taken;
    const [first] = entries;
    if (first === undefined) return undefined;
    const among = new Set(entries.flatMap(({ projects }) => projects));
    const delivery = { name: first.delivery, receivedAtMs: first.receivedAtMs };
    const wanting = deps
      .catalog()
      .projects.filter(({ name }) => among.has(name))
      .filter((project) => holds(project, taken));
    const able = wanting.filter(({ disabled }) => disabled === undefined);
    let outcome: ClaimOutcome | undefined;
    // Any able project can ask for all on its source; where a payload left open which of several sources it was, all are asked.
    for (const project of onePerSource(able.length > 0 ? able : wanting)) {
      const request = { project: project.name, ticketId, trigger: 'webhook', among, delivery } as const;
      outcome = await deps.claims.claim(request, deps.claimSignal);
      if (outcome.kind !== 'not-eligible' || outcome.reason !== 'moved') break;
    }
    return outcome;
  };

  const lookInto = async (taken: TakenTicket): Promise<InboxOutcome | undefined> => {
    const takesBack = taken.entries.some(({ mayTakeBack }) => mayTakeBack);
    return (takesBack ? await takeBack(taken) : undefined) ?? (await claim(taken));
  };

  const handle = async (taken: TakenTicket): Promise<void> => {
    const { ticket, entries } = taken;
    const startedAt = now();
    const outcome = await lookInto(taken).catch((error: unknown) => {
      log.error({ ticket, error: messageOf(error) }, 'claim failed in a way that nobody foresaw');
      return 'unforeseen' as const;
    });
    const ageMs = taken.takenAtMs + elapsedMs(startedAt) - (entries[0]?.receivedAtMs ?? taken.takenAtMs);
    const { hash } = deps.catalog();
    const routedElsewhere = entries.some(({ configHash }) => configHash !== hash);
    const mayTakeBack = entries.some((entry) => entry.mayTakeBack);
    const how = settlementOf(outcome, { ageMs, routedElsewhere, mayTakeBack }, options);
    const putOff = await deps.records.settle(taken, how);
    log.debug(
      { event: 'event_hints_drained', ticket, deliveries: entries.length, putOff, outcome: how.outcome },
      'inbox settled',
    );
    const platform = ticket.split('~')[0] ?? '';
    deps.onSettled?.({ platform, outcome: 'later', deliveries: putOff });
    deps.onSettled?.({ platform, outcome: how.kind, deliveries: entries.length - putOff });
  };

  const start = (taken: TakenTicket): void => {
    count(taken.ticket, 1);
    const work = handle(taken)
      .catch((error: unknown) => {
        // Its lease ends by itself, and then it is due again.
        log.warn({ ticket: taken.ticket, error: messageOf(error) }, 'inbox not settled, its ticket comes back');
      })
      .finally(() => {
        working.delete(work);
        count(taken.ticket, -1);
        deps.engine().nudge();
      });
    working.add(work);
  };

  return {
    free: () => Math.min(SLOTS - working.size, MOST_AT_ONCE),
    busy: () => [...perHost].flatMap(([host, active]) => (active >= SLOTS_PER_HOST ? [host] : [])),
    async run() {
      const engine = deps.engine();
      await engine.start();
      for (;;) {
        const wake = await engine.nextWake(WAKE_MS);
        switch (wake?.reason) {
          case undefined:
          case 'full_reconcile':
            break;
          case 'ticket_hint':
            wake.tickets.forEach(start);
            break;
          case 'shutdown':
            await Promise.all(working);
            return;
          default:
            unreachable(wake);
        }
      }
    },
  };
}

/** `<platform>~<host>~` */
function hostOf(ticket: string): string {
  return ticket.split('~').slice(0, 2).concat('').join('~');
}

/** Whether the ticket is on what the project watches today. */
function holds({ source }: Project, { ticket, ticketId }: TakenTicket): boolean {
  return ticketKey(source, ticketId) === ticket;
}

function onePerSource(projects: readonly Project[]): Iterable<Project> {
  return new Map(projects.map((project) => [sourceKey(project.source), project])).values();
}
