/**
 * One look through a source: lays the lifecycle labels that its platform shows beside our records (PROTOCOL 5 and 6). When
 * that is due, platform-pass.ts knows.
 *
 *   listing, live runs -> record and fresh ticket -> has a record: put right at once, or ended, if people took it back
 *                                                 -> has none: wait, look again, the same -> adopted or reset
 *
 * A listing only says where to look: every ticket is read again by its id before anything is changed. One that is longer
 * than its deadline is taken piece by piece, each visited before the next is listed. Live runs that a whole listing did
 * not show have lost their label to some other, and are looked at as well. A ticket without a record must look the same
 * twice, some time apart, since a claim may be about to write its record; and Redis must not have lost its data
 * meanwhile, since then a live worker may be about to write it again. Where somebody else writes lifecycle labels too,
 * tickets without a record are left alone (foreign-labels.ts).
 */
import { bulkhead } from 'cockatiel';
import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { UnwantedRuns } from '../claims/unwanted-runs.ts';
import type { Term } from '../coordination/leader.ts';
import { decideLabel, type LabelAction } from '../domain/label-table.ts';
import { type Lifecycle, lifecycleLabel, lifecyclesOf } from '../domain/lifecycle.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { isTerminal, projectionOf, type Run } from '../domain/run.ts';
import { movedAway, sourceKey, type Ticket, type TicketKey } from '../domain/ticket.ts';
import { withdrawalOf } from '../domain/withdrawal.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { sleep } from '../foundation/loop.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import { type Call, PlatformError, type TicketPlatform, type TicketQuery } from '../platforms/contract.ts';
import { type ListingCursor, walkPages } from '../platforms/walk-pages.ts';
import type { ClaimRecords } from '../runs/claim-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { Repair } from './repair.ts';

/**
 * Labels that could be orphans, and `pending`, which may be a surplus. Tickets that only show their end are many, and nothing
 * is to be done about them.
 */
const LOOKED_AT: readonly Lifecycle[] = ['enqueued', 'in-progress', 'pending'];
const QUERY: TicketQuery = { labels: LOOKED_AT.map(lifecycleLabel), state: 'all' };

/** Tickets looked at side by side, per source: after a loss there may be thousands, and the platform limits us. */
const AT_ONCE = 4;
/** Listings side by side, of all sources together. */
const LISTINGS_AT_ONCE = 8;
const NOT_FINISHED = 'platform pass not finished';

export interface OrphanedLabelsDeps {
  readonly catalog: () => Catalog;
  readonly runs: Pick<RunReader, 'ofTicket'>;
  readonly claimRecords: Pick<ClaimRecords, 'isLocked'>;
  readonly claims: TicketClaimService;
  readonly labels: Pick<LabelWriter, 'project'>;
  readonly unwanted: Pick<UnwantedRuns, 'judge'>;
  /** Milliseconds left of the recovery window; 0 outside it. */
  readonly recoveringMs: () => number;
  /** Whether labels without a record may be adopted or reset on a source, by its key. */
  readonly mayAdopt: (source: string) => boolean;
  readonly log: Log;
  readonly onRepair: Repair;
}

export interface Source {
  /** As `sourceKey` says it. */
  readonly key: string;
  /** The first of those that watch it. */
  readonly project: Project;
  readonly platform: TicketPlatform;
}

/** How far the listing of a source has come, over several looks if it must be. */
export interface ListingProgress {
  readonly cursor: ListingCursor;
  /** Tickets that it has shown since its first page. */
  readonly shown: Set<TicketKey>;
}

export function newListing(): ListingProgress {
  return { cursor: { next: undefined }, shown: new Set() };
}

/**
 * Looks through a source, from where its listing has come to. `live`: its runs whose label was right when we last looked.
 * Answers whether all was seen and put right: it is not when a platform or Redis does not answer. Never throws.
 */
export type LookThrough = (
  source: Source,
  known: { readonly listing: ListingProgress; readonly live: readonly Run[] },
  term: Term,
) => Promise<boolean>;

export interface OrphanedLabelsOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly secondReadMs: number;
}

/** What makes a ticket worth a look: what a listing showed, or the lack of it. */
type Hint = Pick<Ticket, 'key' | 'id' | 'labels' | 'open'>;

/** The record and the fresh ticket side by side, and what the table says to them. */
interface Sight {
  readonly run: Run | undefined;
  readonly ticket: Ticket;
  readonly action: LabelAction;
}

/**
 * Whether a ticket is worth a request of its own. Most of what is listed is simply at work; and a ticket that only waits
 * (`pending`) is the ingress' to claim, except where nothing but deliveries wakes it. Pure.
 */
export function isWorthALook(
  { labels, open }: Pick<Hint, 'labels' | 'open'>,
  run: Pick<Run, 'state' | 'label'> | undefined,
  webhookOnly: boolean,
): boolean {
  const shown = String(lifecyclesOf(labels));
  const isLive = run !== undefined && !isTerminal(run.state);
  if (isLive && run.state !== 'received' && withdrawalOf(run, { labels, open }, {}) !== undefined) return true;
  if (shown === 'pending' && !isLive) return open && webhookOnly;
  return run === undefined || shown !== projectionOf(run.state);
}

export function createOrphanedLabels(deps: OrphanedLabelsDeps, options: OrphanedLabelsOptions): LookThrough {
  const listingSlots = bulkhead(LISTINGS_AT_ONCE, Number.POSITIVE_INFINITY);

  /** Answers how many tickets could not be looked at or put right. */
  const visit = async (...[source, { listing, live }, term]: Parameters<LookThrough>): Promise<number> => {
    const { project, platform } = source;
    const call: Call = { purpose: 'repair', deadlineMs: options.claimCallMs, signal: term.signal };
    const webhookOnly = isWebhookOnly(deps.catalog(), source.key);
    let left = 0;

    /** Undefined when there is nothing to do. */
    const look = async (hint: Hint): Promise<Sight | undefined> => {
      const run = await deps.runs.ofTicket(hint.key);
      if (!isWorthALook(hint, run, webhookOnly)) return undefined;
      const ticket = await platform.readTicket(hint.id, call).catch(unlessGone);
      // The run of a gone ticket ends by itself.
      if (ticket === undefined) return undefined;
      if (run?.state === 'queued' || run?.state === 'running') {
        term.assertTrusted();
        if ((await deps.unwanted.judge(run, ticket, call)) !== undefined) return undefined;
      }
      // In a place that is not ours to write in.
      if (movedAway(ticket, project.source)) return undefined;
      const locked = await deps.claimRecords.isLocked(project.source.platform, hint.key);
      const action = decideLabel({ run, labels: ticket.labels, locked });
      const isTheirs = action.kind === 'claim' && action.trigger === 'poll' && !webhookOnly;
      return isTheirs || action.kind === 'leave' || action.kind === 'confirm' ? undefined : { run, ticket, action };
    };

    const claim = (ticket: Ticket): Promise<ClaimOutcome> =>
      deps.claims.claim({ project: project.name, ticketId: ticket.id, trigger: 'reconcile' }, term.signal);

    const bring = (run: Run): Promise<void> =>
      deps.labels.project(run.id, { mayWrite: () => term.trusted(options.claimCallMs), signal: term.signal });

    const act = async ({ run, ticket, action }: Sight): Promise<void> => {
      term.assertTrusted(options.claimCallMs);
      switch (action.kind) {
        case 'leave':
        case 'confirm':
          return;
        case 'claim':
        case 'take-over':
          // A claim that comes to something else is no repair, and has said so itself.
          if ((await claim(ticket)).kind !== 'claimed') return;
          break;
        case 'give-up':
          if (run !== undefined) await bring(run);
          return;
        case 'doubt':
        case 'write':
          if (run !== undefined) {
            await bring(run);
          } else if (action.kind === 'write') {
            await platform.moveLifecycle(ticket, action.lifecycle, call);
            // A project that is not polled would never see its `pending`.
            if (action.lifecycle === 'pending') await claim(ticket);
          }
          break;
        default:
          unreachable(action);
      }
      await deps.onRepair({
        kind: run === undefined ? 'orphaned-label' : 'label-repair',
        ticket: ticket.key,
        project: project.name,
        ...(run === undefined ? {} : { run: run.id }),
        outcome: action.kind,
        ...(action.kind === 'write'
          ? { detail: `${lifecyclesOf(ticket.labels).join(', ')} -> ${action.lifecycle}` }
          : {}),
      });
    };

    /** Visits all of them, a few at a time; one that fails is left for another pass and does not hold up the others. */
    const each = async <T>(items: readonly T[], one: (item: T) => Promise<void>): Promise<void> => {
      const slots = bulkhead(AT_ONCE, Number.POSITIVE_INFINITY);
      const visits = await Promise.allSettled(items.map((item) => slots.execute(() => one(item))));
      const failed = visits.filter((result) => result.status === 'rejected');
      if (failed.length === 0 || term.signal.aborted) return;
      left += failed.length;
      deps.log.warn(
        { project: project.name, tickets: failed.length, error: messageOf(failed[0]?.reason) },
        NOT_FINISHED,
      );
    };

    const visitAll = async (hints: readonly Hint[]): Promise<void> => {
      const orphans: Sight[] = [];
      await each(hints, async (hint) => {
        const sight = await look(hint);
        if (sight?.run !== undefined) await act(sight);
        else if (sight !== undefined) orphans.push(sight);
      });
      if (orphans.length > 0 && !deps.mayAdopt(source.key)) {
        deps.log.warn({ project: project.name, tickets: orphans.length }, 'labels without a run left alone');
        return;
      }
      if (orphans.length === 0 || !(await sleep(options.secondReadMs, term.signal)) || deps.recoveringMs() > 0) return;
      await each(orphans, async (first) => {
        const second = await look(first.ticket);
        if (second === undefined || second.run !== undefined) return;
        if (String(lifecyclesOf(second.ticket.labels)) === String(lifecyclesOf(first.ticket.labels))) await act(second);
      });
    };

    const { cursor, shown } = listing;
    if (cursor.next === undefined) shown.clear();
    do {
      const piece = await listingSlots.execute(() =>
        walkPages(platform, QUERY, cursor, { ...call, deadlineMs: options.listingDeadlineMs }),
      );
      for (const { key } of piece.tickets) shown.add(key);
      await visitAll(piece.tickets);
      if (piece.problem !== undefined) throw piece.problem;
    } while (cursor.next !== undefined && !term.signal.aborted);
    // Only a listing that was seen whole says what it does not show: neither of the live labels.
    const missing = cursor.next === undefined ? live.filter(({ ticket }) => !shown.has(ticket)) : [];
    await visitAll(missing.map(({ ticket, ticketId }) => ({ key: ticket, id: ticketId, labels: [], open: true })));
    return left;
  };

  return async (source, known, term) => {
    try {
      return (await visit(source, known, term)) === 0;
    } catch (error) {
      if (!term.signal.aborted) deps.log.warn({ project: source.project.name, error: messageOf(error) }, NOT_FINISHED);
      return false;
    }
  };
}

/** Whether only deliveries tell of tickets that wait here: what one of them told, and repair put back, nobody tells again. */
function isWebhookOnly({ projects }: Catalog, source: string): boolean {
  const here = projects.filter((project) => project.disabled === undefined && sourceKey(project.source) === source);
  return here.every(({ polling }) => polling === undefined) && here.some(({ triggers }) => triggers.has('webhook'));
}

function unlessGone(error: unknown): undefined {
  if (!(error instanceof PlatformError) || error.kind !== 'not-found') throw error;
}
