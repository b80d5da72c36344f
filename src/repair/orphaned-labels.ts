/**
 * The platform pass: lays the lifecycle labels that the platforms show beside our records (PROTOCOL 5 and 6), at the
 * start of a term and every ten minutes. This is what rebuilds the queue after Redis has lost everything.
 *
 *   listing -> record and fresh ticket -> has a record: put right at once
 *                                      -> has none: wait, look again, the same -> adopted or reset
 *
 * A listing only says where to look: every ticket is read again by its id before anything is changed. A ticket without a
 * record must look the same twice, some time apart, since a claim may be about to write its record; and Redis must not
 * have lost its data meanwhile, since then a live worker may be about to write it again.
 */
import { bulkhead } from 'cockatiel';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Term } from '../coordination/leader.ts';
import { decideLabel, type LabelAction } from '../domain/label-table.ts';
import { type Lifecycle, lifecycleLabel, lifecyclesOf } from '../domain/lifecycle.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { projectionOf, type Run } from '../domain/run.ts';
import { sourceKey, type Ticket } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { sleep } from '../foundation/loop.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import type { Call, TicketPlatform } from '../platforms/contract.ts';
import type { ClaimRecords } from '../runs/claim-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { Pass } from './repair.ts';

/** Live lifecycle labels: what could be an orphan. Ended tickets are many, and nothing is to be done about them. */
const LOOKED_AT: readonly Lifecycle[] = ['enqueued', 'in-progress'];

/** Tickets looked at side by side, per source: after a loss there may be thousands, and the platform limits us. */
const AT_ONCE = 4;
/** Listings side by side, of all sources together. */
const LISTINGS_AT_ONCE = 8;

const NOT_FINISHED = 'platform pass not finished';

export interface OrphanedLabelsDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly runs: Pick<RunReader, 'ofTicket'>;
  readonly claimRecords: Pick<ClaimRecords, 'isLocked'>;
  readonly claims: TicketClaimService;
  readonly labels: Pick<LabelWriter, 'project'>;
  /** Milliseconds left of the recovery window; 0 outside it. */
  readonly recoveringMs: () => number;
  readonly log: Log;
  readonly onOrphan: (facts: { ticket: Ticket; project: Project; action: LabelAction['kind'] }) => Promise<void>;
}

export interface OrphanedLabelsOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly secondReadMs: number;
}

/** The record and the fresh ticket side by side, and what the table says to them. */
interface Sight {
  readonly run: Run | undefined;
  readonly ticket: Ticket;
  readonly action: LabelAction;
}

export function createOrphanedLabels(deps: OrphanedLabelsDeps, options: OrphanedLabelsOptions): Pass {
  const listingSlots = bulkhead(LISTINGS_AT_ONCE, Number.POSITIVE_INFINITY);

  /** One source in one term. */
  const visit = async (project: Project, platform: TicketPlatform, term: Term): Promise<void> => {
    const call = (purpose: Call['purpose'], deadlineMs = options.claimCallMs): Call => ({
      purpose,
      deadlineMs,
      signal: term.signal,
    });

    const listed = async (): Promise<Ticket[]> => {
      const startedAt = now();
      const tickets = new Map<string, Ticket>();
      let cursor: string | undefined;
      do {
        const leftMs = Math.max(1, options.listingDeadlineMs - elapsedMs(startedAt));
        const query = { labels: LOOKED_AT.map(lifecycleLabel), state: 'all' } as const;
        const page = await platform.listTickets(query, cursor, call('repair', leftMs));
        for (const ticket of page.tickets) tickets.set(ticket.key, ticket);
        cursor = page.next;
      } while (cursor !== undefined);
      return [...tickets.values()];
    };

    /** Undefined when there is nothing to do. */
    const look = async (listing: Ticket): Promise<Sight | undefined> => {
      const run = await deps.runs.ofTicket(listing.key);
      // Most of what is listed is simply at work: that costs no request.
      if (run !== undefined && String(lifecyclesOf(listing.labels)) === projectionOf(run.state)) return undefined;
      const ticket = await platform.readTicket(listing.id, call('repair'));
      const locked = await deps.claimRecords.isLocked(project.source.platform, listing.key);
      const action = decideLabel({ run, labels: ticket.labels, locked });
      return action.kind === 'leave' || action.kind === 'confirm' ? undefined : { run, ticket, action };
    };

    const act = async ({ run, ticket, action }: Sight): Promise<void> => {
      term.assertTrusted();
      switch (action.kind) {
        case 'leave':
        case 'confirm':
          return;
        case 'claim':
        case 'take-over':
          await deps.claims.claim({ project: project.name, ticketId: ticket.id, trigger: 'reconcile' }, term.signal);
          break;
        case 'doubt':
        case 'give-up':
        case 'write':
          if (run !== undefined)
            await deps.labels.project(run.id, { mayWrite: () => term.trusted(), signal: term.signal });
          else if (action.kind === 'write') await platform.moveLifecycle(ticket, action.lifecycle, call('repair'));
          break;
        default:
          unreachable(action);
      }
      await deps.onOrphan({ ticket, project, action: action.kind });
    };

    /** Visits all of them, a few at a time; one that fails is for the next pass and does not hold up the others. */
    const each = async <T>(items: readonly T[], one: (item: T) => Promise<void>): Promise<void> => {
      const slots = bulkhead(AT_ONCE, Number.POSITIVE_INFINITY);
      const visits = await Promise.allSettled(items.map((item) => slots.execute(() => one(item))));
      const failed = visits.filter((result) => result.status === 'rejected');
      if (failed.length === 0 || term.signal.aborted) return;
      deps.log.warn(
        { project: project.name, tickets: failed.length, error: messageOf(failed[0]?.reason) },
        NOT_FINISHED,
      );
    };

    const orphans: Sight[] = [];
    await each(await listingSlots.execute(listed), async (ticket) => {
      const sight = await look(ticket);
      if (sight?.run !== undefined) await act(sight);
      else if (sight !== undefined) orphans.push(sight);
    });
    if (orphans.length === 0 || !(await sleep(options.secondReadMs, term.signal)) || deps.recoveringMs() > 0) return;
    await each(orphans, async (first) => {
      const second = await look(first.ticket);
      if (second === undefined || second.run !== undefined) return;
      if (String(lifecyclesOf(second.ticket.labels)) === String(lifecyclesOf(first.ticket.labels))) await act(second);
    });
  };

  return async (term) => {
    const sources = new Map<string, Project>();
    for (const project of deps.catalog().projects) {
      if (project.disabled === undefined && !sources.has(sourceKey(project.source))) {
        sources.set(sourceKey(project.source), project);
      }
    }
    await Promise.all(
      [...sources.values()].map(async (project) => {
        const platform = deps.platformOf(project);
        if (platform === undefined) return;
        await visit(project, platform, term).catch((error: unknown) => {
          if (!term.signal.aborted) deps.log.warn({ project: project.name, error: messageOf(error) }, NOT_FINISHED);
        });
      }),
    );
  };
}
