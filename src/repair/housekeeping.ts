/**
 * The housekeeping leader's work: the repair loops, side by side, until the term ends. Outside the recovery window only:
 * while live workers register themselves again, nobody is declared dead and no label is adopted.
 */
import type { Term } from '../coordination/leader.ts';
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import type { PlatformPass } from './orphaned-labels.ts';
import type { Pass } from './repair.ts';

export interface HousekeepingDeps {
  readonly staleJobs: Pass;
  readonly enqueued: Pass;
  readonly deadClaims: Pass;
  readonly projection: Pass;
  readonly orphanedLabels: PlatformPass;
  readonly retention: Pass;
  /** Milliseconds left of the recovery window; 0 outside it. */
  readonly recoveringMs: () => number;
  /** Changes whenever Redis has lost its data or was replaced. */
  readonly incarnation: () => string | undefined;
  readonly log: Log;
}

export interface HousekeepingOptions {
  readonly staleScanMs: number;
  readonly reconcileScanMs: number;
  readonly projectionScanMs: number;
  readonly platformPassMs: number;
  readonly retentionScanMs: number;
}

interface Turn {
  readonly at: Moment;
  /** The data that Redis had. */
  readonly incarnation: string | undefined;
}

/** A source that was not finished comes again after this part of the interval. */
const SOON = 10;

/** Whether all sources are to be looked through again. Pure. */
export function isTurn(last: Turn | undefined, present: Turn, intervalMs: number): boolean {
  return last === undefined || last.incarnation !== present.incarnation || elapsedMs(last.at, present.at) >= intervalMs;
}

export function createHousekeeping(
  deps: HousekeepingDeps,
  options: HousekeepingOptions,
): (term: Term) => Promise<void> {
  /**
   * It asks the platforms for a lot, so its turn comes seldom; but at once when Redis has lost data since the last one, in the
   * midst of a term as well: what was claimed right before a failover is known by its label alone. A source that could not be
   * looked through, because somebody did not answer, comes again soon.
   */
  const inTurn = (pass: PlatformPass): Pass => {
    let whole: Turn | undefined;
    let unfinished: ReadonlySet<string> = new Set();
    let triedAt = now();
    return async (term) => {
      const isWhole = isTurn(whole, { at: now(), incarnation: deps.incarnation() }, options.platformPassMs);
      if (!isWhole && (unfinished.size === 0 || elapsedMs(triedAt) < options.platformPassMs / SOON)) return;
      const turn: Turn = { at: now(), incarnation: deps.incarnation() };
      try {
        unfinished = await pass(term, isWhole ? undefined : unfinished);
        if (isWhole) whole = { ...turn, at: now() };
      } finally {
        triedAt = now();
      }
    };
  };

  return async (term) => {
    const loop = (name: string, intervalMs: number, pass: Pass, duringRecovery: boolean): Promise<void> => {
      return every(
        {
          intervalMs,
          signal: term.signal,
          onError: (error) => deps.log.warn({ pass: name, error: messageOf(error) }, 'repair pass failed'),
        },
        async () => {
          term.assertTrusted();
          if (duringRecovery || deps.recoveringMs() === 0) await pass(term);
        },
      );
    };
    await Promise.all([
      loop('stale jobs', options.staleScanMs, deps.staleJobs, false),
      loop('enqueued', options.reconcileScanMs, deps.enqueued, false),
      loop('dead claims', options.reconcileScanMs, deps.deadClaims, false),
      loop('projection', options.projectionScanMs, deps.projection, true),
      loop('platform pass', options.staleScanMs, inTurn(deps.orphanedLabels), false),
      loop('retention', options.retentionScanMs, deps.retention, false),
    ]);
  };
}
