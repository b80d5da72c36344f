/**
 * The rule of the leash, pure: which signal a group has earned by now. It is asked again and again, by timers and after
 * every event, and looks at ages only: after a pause of the machine the first answer is already the right one.
 *
 *   trusted ──trust ends, spared──> frozen ──an accepted beat──> trusted
 *      │                              └── stopped, or not spared any more: SIGKILL
 *      └── trust ends, not spared: SIGTERM, SIGKILL
 *
 * A frozen group executes nothing, so it cannot overlap with a successor, whatever the reason to spare it was worth
 * (docs/decisions/0020-freeze-on-refusal.md).
 */
import type { GuardTiming } from './guarded-process.ts';

export interface LeashFacts {
  /** Since the last accepted beat was sent, in ms. */
  readonly beatAgeMs: number;
  /** Since the worker last asked to freeze the group rather than to end it, in ms; undefined if it never did. */
  readonly spareAgeMs: number | undefined;
  /** Since SIGTERM was sent, or the group was to be stopped while it was frozen, in ms; undefined before. */
  readonly stoppingMs: number | undefined;
  /** Whether the main process has ended; what is left of its group then has no reason to live. */
  readonly exited: boolean;
  readonly frozen: boolean;
}

/**
 * - `term` is decided once, `kill` from then on at every look until the group is gone.
 * - `freeze` is decided at every look while it holds: whoever else sends SIGCONT does not thaw a group.
 * - `thaw` is decided once, and only with trust.
 */
export type LeashSignal = 'none' | 'term' | 'kill' | 'freeze' | 'thaw';

export function decideSignal(facts: LeashFacts, timing: GuardTiming): LeashSignal {
  const { beatAgeMs, stoppingMs, exited } = facts;
  const trusted = beatAgeMs < timing.trustTermMs;
  const spared = isSpared(facts.spareAgeMs, timing);
  if (facts.frozen) {
    // A stopped process takes no SIGTERM.
    if (stoppingMs !== undefined || exited) return 'kill';
    if (trusted) return 'thaw';
    return spared ? 'freeze' : 'kill';
  }
  if (beatAgeMs >= timing.trustKillMs) return 'kill';
  if (stoppingMs !== undefined) return stoppingMs >= timing.stopGraceMs ? 'kill' : 'none';
  if (exited) return 'term';
  if (trusted) return 'none';
  return spared ? 'freeze' : 'term';
}

/** A reason to spare a group counts for as long as an accepted beat does: by then it must have been given again. */
export function isSpared(spareAgeMs: number | undefined, timing: Pick<GuardTiming, 'trustTermMs'>): boolean {
  return spareAgeMs !== undefined && spareAgeMs < timing.trustTermMs;
}

/** How often a healthy group is looked at: often enough that trust is never overdrawn by a noticeable part, in ms. */
export function leashCheckMs(timing: GuardTiming): number {
  return Math.max(10, (timing.trustKillMs - timing.trustTermMs) / 20);
}
