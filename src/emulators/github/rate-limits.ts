/**
 * The primary rate limit: a fixed window per token. A 304 costs nothing, neither does asking for the limit. When the
 * window is used up everything is refused until it resets, by 403 or by 429 (GitHub answers either).
 */
import { createRateWindows, type RateWindows, type WindowChange, type WindowOptions } from '../rate-windows.ts';
import { type Reply, refused } from './replies.ts';

/** By default 5000 requests an hour. */
export type RateLimitOptions = WindowOptions;

/** What can be changed for one token while it is in use. A reset is sent as whole seconds, rounded up. */
export interface RateLimitChange extends WindowChange {
  /** Status of the refusal. Default 403. */
  readonly refusal?: 403 | 429;
}

export interface RateLimits extends RateWindows {
  set(tokenId: string, change: RateLimitChange): void;
  /** The refusal, when the window is used up. */
  refusal(tokenId: string): Reply | undefined;
  /** The `x-ratelimit-*` headers as of now. */
  headers(tokenId: string): Record<string, string>;
}

export function createRateLimits(options: RateLimitOptions, nowMs: () => number): RateLimits {
  const windows = createRateWindows({ limit: 5000, windowMs: 3_600_000, ...options }, nowMs);
  const refusals = new Map<string, 403 | 429>();
  return {
    ...windows,
    set(tokenId, change) {
      windows.set(tokenId, change);
      if (change.refusal !== undefined) refusals.set(tokenId, change.refusal);
    },
    refusal(tokenId) {
      if (windows.window(tokenId).remaining > 0) return undefined;
      return refused(
        refusals.get(tokenId) ?? 403,
        'API rate limit exceeded for user.',
        'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api',
      );
    },
    headers(tokenId) {
      const { limit, used, remaining, resetAtMs } = windows.window(tokenId);
      return {
        'x-ratelimit-limit': String(limit),
        'x-ratelimit-remaining': String(remaining),
        'x-ratelimit-used': String(used),
        'x-ratelimit-reset': String(Math.ceil(resetAtMs / 1000)),
        'x-ratelimit-resource': 'core',
      };
    },
  };
}
