/** When a project is polled next. Pure: chance comes in as a number. */

export interface PollPace {
  readonly intervalMs: number;
  /** 0-50. */
  readonly jitterPercent: number;
  /** Failed polls in a row. */
  readonly failures: number;
  /** How long the platform asked us to wait, if it did. */
  readonly retryAfterMs?: number | undefined;
  readonly backoffMaxMs: number;
}

/**
 * Milliseconds until the next poll. `chance` is in [0, 1). After failures the interval doubles up to the maximum; what
 * the platform asked for is a lower bound; jitter spreads replicas and projects, and never shortens what was asked.
 */
export function nextPauseMs(pace: PollPace, chance: number): number {
  const longest = Math.max(pace.backoffMaxMs, pace.intervalMs);
  const paused = Math.min(pace.intervalMs * 2 ** Math.min(pace.failures, 30), longest);
  const jittered = paused * (1 + ((chance * 2 - 1) * pace.jitterPercent) / 100);
  return Math.round(Math.max(jittered, pace.retryAfterMs ?? 0));
}
