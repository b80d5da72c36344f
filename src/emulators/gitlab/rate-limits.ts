/**
 * The limit for authenticated API requests: a fixed window per token. When it is used up, everything is refused by a 429
 * in plain text until it resets. GitLab.com tells of the window in every answer; an own server only in the refusal.
 */
import { createRateWindows, type RateWindows, type WindowOptions } from '../rate-windows.ts';
import type { Reply } from './replies.ts';

export interface RateLimitOptions extends WindowOptions {
  /** Whether every answer tells of the window. Default true. */
  readonly announced?: boolean;
}

export interface RateLimits extends RateWindows {
  /** The refusal, when the window is used up. */
  refusal(tokenId: string): Reply | undefined;
  /** The `RateLimit-*` headers of an answer as of now. */
  headers(tokenId: string): Record<string, string>;
}

/** By default 2,000 requests a minute, as on GitLab.com. */
export function createRateLimits(options: RateLimitOptions, nowMs: () => number): RateLimits {
  const { announced = true, ...window } = options;
  const windows = createRateWindows({ limit: 2000, windowMs: 60_000, ...window }, nowMs);
  const headers = (tokenId: string): Record<string, string> => {
    const { limit, used, remaining, resetAtMs } = windows.window(tokenId);
    return {
      'ratelimit-name': 'throttle_authenticated_api',
      'ratelimit-limit': String(limit),
      'ratelimit-observed': String(used),
      'ratelimit-remaining': String(remaining),
      'ratelimit-reset': String(Math.ceil(resetAtMs / 1000)),
    };
  };
  return {
    ...windows,
    refusal(tokenId) {
      const { remaining, resetAtMs } = windows.window(tokenId);
      if (remaining > 0) return undefined;
      return {
        ...retryLater(Math.ceil((resetAtMs - nowMs()) / 1000)),
        headers: {
          ...headers(tokenId),
          'ratelimit-resettime': new Date(resetAtMs).toUTCString(),
          'retry-after': String(Math.ceil((resetAtMs - nowMs()) / 1000)),
        },
      };
    },
    headers: (tokenId) => (announced ? headers(tokenId) : {}),
  };
}

/** What GitLab and the proxies before it answer to too many requests; some of them say for how long, some do not. */
export function retryLater(retryAfterSeconds?: number): Reply & { readonly text: string } {
  return {
    status: 429,
    text: 'Retry later\n',
    headers: retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  };
}
