/**
 * Polls one project (DESIGN 4.1): discovery and catchup, then claims, and a look at the live runs that it did not show. Its schedule, back-off and cursors are its own,
 * so a slow or broken project delays no other.
 */

import { LRUCache } from 'lru-cache';
import type { ClaimOutcome } from '../../claims/claim-outcome.ts';
import { describeOutcome } from '../../claims/claim-outcome.ts';
import type { TicketClaimService } from '../../claims/ticket-claim-service.ts';
import type { UnwantedRuns } from '../../claims/unwanted-runs.ts';
import type { PollSummary } from '../../coordination/poll-board.ts';
import { listingPace, type Polling, type Project } from '../../domain/project.ts';
import type { Ticket } from '../../domain/ticket.ts';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import { messageOf, OperationError } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import { type Call, PlatformError, type PlatformErrorKind, type TicketPlatform } from '../../platforms/contract.ts';
import type { BudgetWindow } from '../../platforms/rate-limits.ts';
import type { EngineChoice } from '../engines/engine-choice.ts';
import { createCandidateListing, isHeldBack } from './listing.ts';
import type { LiveRun, LiveRuns } from './live-runs.ts';
import { createPollPacer } from './poll-pacer.ts';

/** What everybody may see of a poll, and what only this replica and its log know. */
export interface PollResult extends Omit<PollSummary, 'by'> {
  readonly platform: string;
  readonly result: 'ok' | PlatformErrorKind | 'internal-error';
  /** In words; undefined when all went well. */
  readonly problem: string | undefined;
  /** It was listed to its end, and every ticket decided about: no claim failed, none was left out. */
  readonly complete: boolean;
}

export interface ProjectPollerDeps {
  readonly platform: TicketPlatform;
  readonly claims: TicketClaimService;
  readonly unwanted: Pick<UnwantedRuns, 'look'>;
  readonly liveRuns: LiveRuns;
  /** Projects of the configuration, by name: the claim knows removed ones as well, and they take nothing new. */
  readonly among: ReadonlySet<string>;
  /** Runs a listing when its credential has a free slot; waiting is not counted against the deadline. */
  readonly inListingSlot: <T>(list: () => Promise<T>) => Promise<T>;
  /** Runs a claim in the project's own bounded pool. */
  readonly inClaimSlot: <T>(claim: () => Promise<T>) => Promise<T>;
  /** What is left of the credential's budget; undefined while nobody knows. */
  readonly window: () => BudgetWindow | undefined;
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
}

export interface ProjectPoller {
  /** One cycle, asked for by this engine. Never throws. */
  poll(choice: EngineChoice, signal: AbortSignal): Promise<PollResult>;
  /** Milliseconds to wait after the last cycle, by the pace of its engine. */
  pauseMs(): number;
}

const MOST_HOPELESS = 10_000;
/** How soon a listing is tried again that is not one of many: beside webhooks, or only after a loss of data. */
export const TRY_AGAIN: Polling = { intervalMs: 60_000, jitterPercent: 10 };

type CycleResult = Omit<
  PollResult,
  | 'project'
  | 'platform'
  | 'durationMs'
  | 'atMs'
  | 'requests'
  | 'effectiveIntervalMs'
  | 'engine'
  | 'engineReason'
  | 'recovered'
>;

const NOTHING_DONE = { discovered: 0, pending: 0, claimed: 0, skipped: {}, truncated: false, complete: false };

export function createProjectPoller(
  project: Project,
  deps: ProjectPollerDeps,
  options: ProjectPollerOptions,
): ProjectPoller {
  const { platform, log, among } = deps;
  // Where the sync policy allows no polls, a listing only puts right what was lost.
  const trigger = project.triggers.has('poll') ? 'poll' : 'reconcile';
  const list = createCandidateListing(project, platform);
  /**
   * Tickets that this configuration can never run, or that are closed, as they were seen: asking again would cost a read
   * each cycle and answer the same. A changed configuration makes a new poller, a changed label a new sight. Made when
   * first needed, because it takes its whole memory at once.
   */
  let hopeless: LRUCache<string, ClaimOutcome> | undefined;
  const warned = new Set<string>();
  let labelsReady = false;
  /** How the last cycle went, as the log knows it. */
  let said = '';
  let requests = 0;
  const onRequest = (): void => {
    requests += 1;
  };
  let pace = project.polling ?? TRY_AGAIN;
  const pacer = createPollPacer({
    polling: () => pace,
    backoffMaxMs: options.pollBackoffMaxMs,
    window: deps.window,
  });

  /** What stays wrong for many cycles is said in one of them. */
  const warnOnce = (about: string, problem: string, message: string): void => {
    if (warned.has(about)) return;
    warned.add(about);
    log.warn({ project: project.name, problem }, message);
  };

  /**
   * The lifecycle labels get their colours once. A platform that is slow or refuses still creates them on first use, so
   * that never ends a cycle; what is wrong with the platform as a whole, the listing itself will show.
   */
  const prepareLabels = async (signal: AbortSignal): Promise<void> => {
    if (labelsReady) return;
    try {
      await deps.inListingSlot(() =>
        platform.ensureLifecycleLabels({ purpose: 'setup', deadlineMs: options.claimCallMs, signal, onRequest }),
      );
      labelsReady = true;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (!signal.aborted && !isHeldBack(error))
        warnOnce(error.kind, error.message, 'lifecycle labels not prepared yet');
    }
  };

  const claimAll = async (
    candidates: readonly Ticket[],
    since: Moment,
    signal: AbortSignal,
  ): Promise<ClaimOutcome[]> => {
    const outcomes = await Promise.all(
      candidates.map((ticket) =>
        deps.inClaimSlot(async () => {
          const sight = [ticket.key, ticket.open, ...ticket.labels].join('\n');
          const known = hopeless?.get(sight);
          if (known !== undefined) return known;
          if (signal.aborted || !deps.mayClaim()) return undefined;
          const foundMs = Math.round(elapsedMs(since));
          const request = { project: project.name, ticketId: ticket.id, trigger, among, foundMs } as const;
          const outcome = await deps.claims.claim(request, deps.claimSignal);
          if (outcome.kind === 'rejected') warnOnce(outcome.detail, outcome.detail, 'tickets are not claimed');
          if (outcome.kind === 'rejected' || (isClosed(outcome) && !ticket.open)) {
            hopeless ??= new LRUCache({ max: MOST_HOPELESS });
            hopeless.set(sight, outcome);
          }
          return outcome;
        }),
      ),
    );
    return outcomes.filter((outcome) => outcome !== undefined);
  };

  /** Live runs whose tickets a whole listing did not show: people may have taken them back. Never rejects. */
  const lookForWithdrawals = async (live: readonly LiveRun[], shown: ReadonlySet<string>): Promise<void> => {
    const missing = live.filter(({ ticket }) => !shown.has(ticket));
    const call: Call = { purpose: 'claim', deadlineMs: options.claimCallMs, signal: deps.claimSignal, onRequest };
    const looks = missing.map((run) =>
      deps.inClaimSlot(async () => {
        if (!deps.mayClaim()) return;
        await deps.unwanted.look(run.ticket, call).catch((error: unknown) => {
          // The next cycle misses it again.
          log.debug({ run: run.id, ticket: run.ticket, error: messageOf(error) }, 'live run not looked at');
        });
      }),
    );
    await Promise.all(looks);
  };

  const cycle = async (since: Moment, signal: AbortSignal): Promise<CycleResult> => {
    await prepareLabels(signal);
    // Before the listing: what is claimed meanwhile may be missing there for no other reason.
    const live = await deps.liveRuns.of(project).catch(withoutAny);
    const found = await list(
      { deadlineMs: options.listingDeadlineMs, signal, onRequest },
      { inSlot: deps.inListingSlot },
    );
    const [outcomes] = await Promise.all([
      claimAll(found.tickets, since, signal),
      found.triggered === undefined ? undefined : lookForWithdrawals(live, found.triggered),
    ]);
    const decided = outcomes.filter(({ kind }) => kind !== 'failed').length;
    const skipped: Record<string, number> = {};
    for (const outcome of outcomes) {
      if (outcome.kind === 'claimed') continue;
      const reason = describeOutcome(outcome);
      skipped[reason] = (skipped[reason] ?? 0) + 1;
    }
    return {
      ...resultOf(found.problem),
      discovered: found.discovered,
      pending: found.pending,
      claimed: outcomes.filter(({ kind }) => kind === 'claimed').length,
      skipped,
      truncated: found.truncated,
      complete: found.problem === undefined && !found.truncated && decided === found.tickets.length,
    };
  };

  /** What is the same in cycle after cycle is news in the first: a thousand projects would say it a thousand times a minute. */
  const tell = ({ problem, ...facts }: Omit<PollResult, 'atMs'>): void => {
    if (facts.heldBack) {
      log.debug({ ...facts, problem }, 'poll held back');
      return;
    }
    const tick = facts.engine === 'streaming' ? { ...facts, event: 'reconcile_tick' } : facts;
    const gist = facts.result === 'ok' ? JSON.stringify(facts.skipped) : facts.result;
    const news = facts.claimed > 0 || gist !== said;
    said = gist;
    if (problem !== undefined)
      log[news ? 'warn' : 'debug']({ ...tick, problem, failures: pacer.failures() }, 'poll failed');
    else log[news && facts.discovered + facts.pending > 0 ? 'info' : 'debug'](tick, 'poll');
  };

  return {
    async poll({ engine, reason }, signal) {
      const startedAt = now();
      requests = 0;
      pace = listingPace(project, engine) ?? TRY_AGAIN;
      const outcome = await cycle(startedAt, signal).catch((error: unknown) => ({
        ...NOTHING_DONE,
        ...resultOf(error),
      }));
      // Nobody else looks for what is missed until one is complete.
      if (engine === 'streaming' && !outcome.complete && pace.intervalMs > TRY_AGAIN.intervalMs) pace = TRY_AGAIN;
      pacer.note(outcome);
      const result: PollResult = {
        project: project.name,
        platform: platform.slug,
        ...outcome,
        requests,
        effectiveIntervalMs: pacer.effectiveIntervalMs(),
        engine,
        engineReason: reason,
        recovered: engine === 'streaming' ? outcome.claimed : 0,
        durationMs: Math.round(elapsedMs(startedAt)),
        atMs: Date.now(),
      };
      if (!signal.aborted) tell(result);
      return result;
    },
    pauseMs: pacer.pauseMs,
  };
}

/** Without Redis no run can be ended either; the listing itself can be looked at. */
function withoutAny(error: unknown): readonly LiveRun[] {
  if (error instanceof OperationError) return [];
  throw error;
}

const isClosed = (outcome: ClaimOutcome): boolean => outcome.kind === 'not-eligible' && outcome.reason === 'closed';

/** How a cycle went, by what stopped it. */
function resultOf(error: unknown): Pick<PollResult, 'result' | 'problem' | 'heldBack' | 'retryAfterMs'> {
  if (error === undefined) return { result: 'ok', problem: undefined, heldBack: false, retryAfterMs: undefined };
  if (!(error instanceof PlatformError)) {
    return { result: 'internal-error', problem: messageOf(error), heldBack: false, retryAfterMs: undefined };
  }
  const { kind, message, retryAfterMs } = error;
  return { result: kind, problem: message, heldBack: isHeldBack(error), retryAfterMs };
}
