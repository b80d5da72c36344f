/** When a project is polled next. Pure: chance comes in as a number. */
import { type BudgetWindow, RESERVE_SHARE } from '../../platforms/rate-limits.ts';

export interface PollPace {
  readonly intervalMs: number;
  /** 0-50. */
  readonly jitterPercent: number;
  /** Failed polls in a row. */
  readonly failures: number;
  /** How long the platform, or our own budget, asked us to wait. */
  readonly retryAfterMs?: number | undefined;
  readonly backoffMaxMs: number;
  /** What is left of the credential's budget. */
  readonly window?: BudgetWindow | undefined;
}

/** Beyond this the budget is used up early, and its reserve stops the polls until the window begins anew. */
const MOST_STRETCH = 10;
/** A little haste is no reason yet: a start costs more than what follows, and ends are told in whole seconds. */
const LEEWAY = 0.9;

/**
 * How many times longer than configured the polls of a credential are apart: by as much as its budget runs out faster than
 * its window, with some leeway. In [1, 10]; 1 while nothing is known.
 */
export function stretchOf(window: BudgetWindow | undefined): number {
  if (window?.limit === undefined || window.windowMs === undefined) return 1;
  const reserve = window.limit * RESERVE_SHARE;
  const left = (window.remaining - reserve) / (window.limit - reserve);
  const toCome = window.resetMs / window.windowMs;
  return left > 0 ? Math.min(Math.max((LEEWAY * toCome) / left, 1), MOST_STRETCH) : MOST_STRETCH;
}

/** Milliseconds until as much of the budget is left as of its window, if nobody uses any meanwhile; 0 when it is so now. */
export function untilInStepMs(window: BudgetWindow | undefined): number {
  return window === undefined ? 0 : window.resetMs - window.resetMs / stretchOf(window);
}

/** The interval at the stretched pace until the window begins anew, at its own pace from then on. */
function stretchedMs(intervalMs: number, window: BudgetWindow | undefined): number {
  // The next poll is on the new window anyway.
  if (window === undefined || window.resetMs <= intervalMs) return intervalMs;
  return Math.min(intervalMs * stretchOf(window), intervalMs + untilInStepMs(window));
}

/**
 * Milliseconds between polls, jitter left out. It is the interval, stretched while the budget runs out too fast, and never
 * past the new window by more than itself; after failures it doubles up to the maximum; what was asked for is a lower bound.
 */
export function effectiveIntervalMs(pace: PollPace): number {
  const { intervalMs } = pace;
  const longest = Math.max(pace.backoffMaxMs, intervalMs);
  const backedOff = Math.min(intervalMs * 2 ** Math.min(pace.failures, 30), longest);
  return Math.round(Math.max(backedOff, stretchedMs(intervalMs, pace.window), pace.retryAfterMs ?? 0));
}

/**
 * Milliseconds until the next poll. `chance` is in [0, 1). Jitter spreads replicas and projects and never shortens what was
 * asked for: all projects of a credential are asked to wait until the same moment, so they come back over an interval.
 */
export function nextPauseMs(pace: PollPace, chance: number): number {
  const jittered =
    effectiveIntervalMs({ ...pace, retryAfterMs: 0 }) * (1 + ((chance * 2 - 1) * pace.jitterPercent) / 100);
  const asked = pace.retryAfterMs ?? 0;
  return Math.round(Math.max(jittered, asked > 0 ? asked + chance * pace.intervalMs : 0));
}
