/**
 * The rule of the leash, pure: which signal a group has earned by now. It is asked again and again, by timers and after
 * every event, and looks at ages only: after a pause of the machine the first answer is already the right one.
 */
import type { GuardTiming } from './guarded-process.ts';

export interface LeashFacts {
  /** Since the last accepted beat was sent, in ms. */
  readonly beatAgeMs: number;
  /** Since SIGTERM was sent, in ms; undefined before. */
  readonly stoppingMs: number | undefined;
  /** Whether the main process has ended; what is left of its group then has no reason to live. */
  readonly exited: boolean;
}

/** `term` is decided once, `kill` from then on at every look until the group is gone. */
export function decideSignal(facts: LeashFacts, timing: GuardTiming): 'none' | 'term' | 'kill' {
  if (facts.beatAgeMs >= timing.trustKillMs) return 'kill';
  if (facts.stoppingMs !== undefined) return facts.stoppingMs >= timing.stopGraceMs ? 'kill' : 'none';
  return facts.beatAgeMs >= timing.trustTermMs || facts.exited ? 'term' : 'none';
}

/** How often a healthy group is looked at: often enough that trust is never overdrawn by a noticeable part, in ms. */
export function leashCheckMs(timing: GuardTiming): number {
  return Math.max(10, (timing.trustKillMs - timing.trustTermMs) / 20);
}
