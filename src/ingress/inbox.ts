/**
 * Follows what deliveries say: the tickets that they spoke of are claimed, each once for however many deliveries, and what
 * became of it is written into each delivery's record (PROTOCOL 8). Runs on every replica.
 *
 * What a crash leaves behind: a lease that ends, after which the ticket is due again. The claim tells whoever takes it what
 * was done already.
 */
import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import { describeOutcome } from '../claims/claim-outcome.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { ticketKey } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { DeliveryRecords, InboxEntry, Settlement, TakenTicket } from '../runs/delivery-records.ts';
import { type InboxPatience, settlementOf, WANTED_BY_NOBODY } from './inbox-settlement.ts';
import type { NudgedEngine } from './wake-source.ts';

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

export interface InboxOptions extends InboxPatience {
  readonly inboxLeaseMs: number;
  readonly claimDeadlineMs: number;
}

/** Tickets claimed at once by one replica; half of them at most on one host, so that one that hangs holds up no other. */
const SLOTS = 32;
const SLOTS_PER_HOST = 16;
/** Taken in one go: who has been given too much is seen between two takes. */
const MOST_AT_ONCE = 8;
const WAKE_MS = 60_000;

export function createInbox(deps: InboxDeps, options: InboxOptions): Inbox {
  const { log } = deps;
  const working = new Set<Promise<void>>();
  const perHost = new Map<string, number>();

  const count = (ticket: string, by: 1 | -1): void => {
    const host = hostOf(ticket);
    const left = (perHost.get(host) ?? 0) + by;
    if (left === 0) perHost.delete(host);
    else perHost.set(host, left);
  };

  const claim = async (taken: TakenTicket): Promise<ClaimOutcome | undefined> => {
    const { ticketId, entries } = taken;
    const among = new Set(entries.flatMap(({ projects }) => projects));
    const project = deps.catalog().projects.find((candidate) => among.has(candidate.name) && holds(candidate, taken));
    const [first] = entries;
    if (project === undefined || first === undefined) return undefined;
    const delivery = { name: first.delivery, receivedAtMs: first.receivedAtMs };
    return await deps.claims.claim(
      { project: project.name, ticketId, trigger: 'webhook', among, delivery },
      deps.claimSignal,
    );
  };

  const settle = async (taken: TakenTicket, entries: readonly InboxEntry[], how: Settlement): Promise<void> => {
    if (entries.length === 0) return;
    await deps.records.settle(
      taken,
      entries.map(({ delivery }) => delivery),
      how,
    );
  };

  const handle = async (taken: TakenTicket): Promise<void> => {
    const startedAt = now();
    const outcome = await claim(taken);
    const atMs = taken.takenAtMs + elapsedMs(startedAt);
    const said = outcome === undefined ? WANTED_BY_NOBODY.outcome : describeOutcome(outcome);
    // Those that have been tried for too long are given up; younger ones of the same ticket go on.
    const old = Map.groupBy(taken.entries, ({ receivedAtMs }) => atMs - receivedAtMs >= options.inboxGiveUpMs);
    const ageMs = atMs - (taken.entries[0]?.receivedAtMs ?? atMs);
    const how = outcome === undefined ? WANTED_BY_NOBODY : settlementOf(outcome, ageMs, options);
    if (how.kind === 'later') {
      await settle(taken, old.get(true) ?? [], { kind: 'failed', outcome: how.outcome });
      await settle(taken, old.get(false) ?? [], how);
    } else {
      await settle(taken, taken.entries, how);
    }
    const deliveries = taken.entries.length;
    log.debug({ event: 'event_hints_drained', ticket: taken.ticket, deliveries, outcome: said }, 'inbox settled');
    deps.onSettled?.({ platform: taken.ticket.split('~')[0] ?? '', outcome: how.kind, deliveries });
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

/** Whether the ticket is the project's, in the configuration of today. */
function holds({ source, triggers }: Project, { ticket, ticketId }: TakenTicket): boolean {
  return triggers.has('webhook') && ticketKey(source, ticketId) === ticket;
}
