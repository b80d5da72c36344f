/**
 * Polls one project (DESIGN 4.1): discovery and catchup, then claims. Its schedule, back-off and cursors are its own,
 * so a slow or broken project delays no other.
 */

import { LRUCache } from 'lru-cache';
import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import { describeOutcome } from '../claims/claim-outcome.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import { lifecycleLabel } from '../domain/lifecycle.ts';
import type { Polling, Project } from '../domain/project.ts';
import type { Ticket } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { type CallPurpose, PlatformError, type PlatformErrorKind, type TicketPlatform } from '../platforms/contract.ts';
import { type Listing, type ListingCursor, walkListing } from './listing.ts';
import { nextPauseMs } from './poll-schedule.ts';

export interface PollResult {
  readonly project: string;
  readonly platform: string;
  readonly result: 'ok' | PlatformErrorKind | 'internal-error';
  /** Undefined when all went well. */
  readonly problem: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly discovered: number;
  readonly pending: number;
  readonly claimed: number;
  /** Candidates that were not claimed, by outcome. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly truncated: boolean;
  readonly durationMs: number;
  /** Wall-clock ms. */
  readonly atMs: number;
}

export interface ProjectPollerDeps {
  readonly platform: TicketPlatform;
  readonly claims: TicketClaimService;
  /** Runs a listing when its credential has a free slot; waiting is not counted against the deadline. */
  readonly inListingSlot: <T>(list: () => Promise<T>) => Promise<T>;
  /** Runs a claim in the project's own bounded pool. */
  readonly inClaimSlot: <T>(claim: () => Promise<T>) => Promise<T>;
  /** False once this replica may not lead any more: no further claim is begun. */
  readonly mayClaim: () => boolean;
  /** Ends claims only when the process ends: a claim that has begun is better finished than taken over. */
  readonly claimSignal: AbortSignal;
  readonly log: Log;
}

export interface ProjectPollerOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly pollBackoffMaxMs: number;
  /** Candidates taken in one cycle; the rest is the next cycle's. */
  readonly mostCandidates: number;
}

export interface ProjectPoller {
  /** One cycle. Never throws. */
  poll(signal: AbortSignal): Promise<PollResult>;
  /** Milliseconds to wait after the last cycle. */
  pauseMs(): number;
}

const MOST_HOPELESS = 10_000;

type CycleResult = Omit<PollResult, 'project' | 'platform' | 'durationMs' | 'atMs'>;

const NOTHING: Listing = { candidates: [], seen: 0, truncated: false, problem: undefined };
const NOTHING_DONE = { discovered: 0, pending: 0, claimed: 0, skipped: {}, truncated: false };

export function createProjectPoller(
  project: Project,
  polling: Polling,
  deps: ProjectPollerDeps,
  options: ProjectPollerOptions,
): ProjectPoller {
  const { platform, log } = deps;
  const discovery: ListingCursor = { next: undefined };
  const catchup: ListingCursor = { next: undefined };
  const triggerLabels = [...project.routing.pipelineFromLabel.keys()];
  /**
   * Tickets that this configuration can never run, as they were seen: asking again would cost a read each cycle and
   * answer the same. A changed configuration makes a new poller, a changed label a new sight. Made when first needed,
   * because it takes its whole memory at once.
   */
  let hopeless: LRUCache<string, ClaimOutcome> | undefined;
  const warned = new Set<string>();
  let labelsReady = false;
  let failures = 0;
  let retryAfterMs: number | undefined;

  /** What stays wrong for many cycles is said in one of them. */
  const warnOnce = (about: string, problem: string, message: string): void => {
    if (warned.has(about)) return;
    warned.add(about);
    log.warn({ project: project.name, problem }, message);
  };

  const list = (
    labels: readonly string[],
    state: 'open' | 'all',
    purpose: CallPurpose,
    cursor: ListingCursor,
    signal: AbortSignal,
  ) =>
    deps.inListingSlot(() =>
      walkListing(platform, { labels, state }, purpose, cursor, {
        deadlineMs: options.listingDeadlineMs,
        mostCandidates: options.mostCandidates,
        signal,
      }),
    );

  /**
   * The lifecycle labels get their colours once. A platform that is slow or refuses still creates them on first use, so
   * that never ends a cycle; what is wrong with the platform as a whole, the listing itself will show.
   */
  const prepareLabels = async (signal: AbortSignal): Promise<void> => {
    if (labelsReady) return;
    try {
      await deps.inListingSlot(() =>
        platform.ensureLifecycleLabels({ purpose: 'setup', deadlineMs: options.claimCallMs, signal }),
      );
      labelsReady = true;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (!signal.aborted) warnOnce(error.kind, error.message, 'lifecycle labels not prepared yet');
    }
  };

  const claimAll = async (candidates: readonly Ticket[], signal: AbortSignal): Promise<ClaimOutcome[]> => {
    const outcomes = await Promise.all(
      candidates.map((ticket) =>
        deps.inClaimSlot(async () => {
          const sight = [ticket.key, ...ticket.labels].join('\n');
          const known = hopeless?.get(sight);
          if (known !== undefined) return known;
          if (signal.aborted || !deps.mayClaim()) return undefined;
          const request = { project: project.name, ticketId: ticket.id, trigger: 'poll' } as const;
          const outcome = await deps.claims.claim(request, deps.claimSignal);
          if (outcome.kind === 'rejected') {
            hopeless ??= new LRUCache({ max: MOST_HOPELESS });
            hopeless.set(sight, outcome);
            warnOnce(outcome.detail, outcome.detail, 'tickets are not claimed');
          }
          return outcome;
        }),
      ),
    );
    return outcomes.filter((outcome) => outcome !== undefined);
  };

  const cycle = async (signal: AbortSignal): Promise<CycleResult> => {
    await prepareLabels(signal);
    // An empty map turns discovery off: then only `pending` starts a run.
    const found =
      triggerLabels.length === 0 ? NOTHING : await list(triggerLabels, 'open', 'discovery', discovery, signal);
    // A platform that has just failed is not asked once more; what it had shown before is claimed all the same.
    const pending =
      found.problem === undefined
        ? await list([lifecycleLabel('pending')], 'all', 'catchup', catchup, signal)
        : NOTHING;
    const candidates = new Map([...found.candidates, ...pending.candidates].map((t) => [t.key, t]));
    const outcomes = await claimAll([...candidates.values()], signal);
    const skipped: Record<string, number> = {};
    for (const outcome of outcomes) {
      if (outcome.kind === 'claimed') continue;
      const reason = describeOutcome(outcome);
      skipped[reason] = (skipped[reason] ?? 0) + 1;
    }
    return {
      ...resultOf(found.problem ?? pending.problem),
      discovered: found.candidates.length,
      pending: pending.candidates.length,
      claimed: outcomes.filter(({ kind }) => kind === 'claimed').length,
      skipped,
      truncated: pending.truncated || found.truncated,
    };
  };

  return {
    async poll(signal) {
      const startedAt = now();
      const outcome = await cycle(signal).catch((error: unknown) => ({ ...NOTHING_DONE, ...resultOf(error) }));
      const result: PollResult = {
        project: project.name,
        platform: platform.slug,
        ...outcome,
        durationMs: Math.round(elapsedMs(startedAt)),
        atMs: Date.now(),
      };
      failures = result.result === 'ok' ? 0 : failures + 1;
      retryAfterMs = result.retryAfterMs;
      if (signal.aborted) return result;
      const { atMs: _, problem, ...facts } = result;
      if (problem !== undefined) log.warn({ ...facts, problem, failures }, 'poll failed');
      else if (result.discovered + result.pending > 0) log.info(facts, 'poll');
      else log.debug(facts, 'poll');
      return result;
    },
    pauseMs: () =>
      nextPauseMs({ ...polling, failures, retryAfterMs, backoffMaxMs: options.pollBackoffMaxMs }, Math.random()),
  };
}

/** How a cycle went, by what stopped it. */
function resultOf(error: unknown): Pick<PollResult, 'result' | 'problem' | 'retryAfterMs'> {
  if (error === undefined) return { result: 'ok', problem: undefined, retryAfterMs: undefined };
  if (!(error instanceof PlatformError)) {
    return { result: 'internal-error', problem: messageOf(error), retryAfterMs: undefined };
  }
  return { result: error.kind, problem: error.message, retryAfterMs: error.retryAfterMs };
}
