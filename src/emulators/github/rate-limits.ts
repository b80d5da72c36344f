/**
 * The primary rate limit: a fixed window per token. A 304 costs nothing, neither does asking for the limit. When the
 * window is used up everything is refused until it resets, by 403 or by 429 (GitHub answers either).
 */
import { type Reply, refused } from './replies.ts';

export interface RateLimitOptions {
  /** Requests per window and token. Default 5000. */
  readonly limit?: number;
  /** Length of the window. Default one hour. */
  readonly windowMs?: number;
}

/** What can be changed for one token while it is in use. */
export interface RateLimitChange {
  readonly limit?: number;
  readonly remaining?: number;
  /** Wall clock; sent as whole seconds, rounded up. */
  readonly resetAtMs?: number;
  /** Status of the refusal. Default 403. */
  readonly refusal?: 403 | 429;
}

export interface Window {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  readonly resetAtMs: number;
}

export interface RateLimits {
  set(tokenId: string, change: RateLimitChange): void;
  window(tokenId: string): Window;
  /** Counts one paid request. */
  spend(tokenId: string): void;
  /** The refusal, when the window is used up. */
  refusal(tokenId: string): Reply | undefined;
  /** The `x-ratelimit-*` headers as of now. */
  headers(tokenId: string): Record<string, string>;
}

interface Account {
  limit: number;
  used: number;
  resetAtMs: number;
  refusal: 403 | 429;
}

export function createRateLimits(options: RateLimitOptions, nowMs: () => number): RateLimits {
  const windowMs = options.windowMs ?? 3_600_000;
  const accounts = new Map<string, Account>();

  const account = (tokenId: string): Account => {
    const known = accounts.get(tokenId) ?? { limit: options.limit ?? 5000, used: 0, resetAtMs: 0, refusal: 403 };
    if (nowMs() >= known.resetAtMs) {
      known.used = 0;
      known.resetAtMs = nowMs() + windowMs;
    }
    accounts.set(tokenId, known);
    return known;
  };
  const window = (tokenId: string): Window => {
    const { limit, used, resetAtMs } = account(tokenId);
    return { limit, used, remaining: Math.max(0, limit - used), resetAtMs };
  };

  return {
    set(tokenId, change) {
      const known = account(tokenId);
      known.limit = change.limit ?? known.limit;
      if (change.remaining !== undefined) known.used = Math.max(0, known.limit - change.remaining);
      known.resetAtMs = change.resetAtMs ?? known.resetAtMs;
      known.refusal = change.refusal ?? known.refusal;
    },
    window,
    spend(tokenId) {
      account(tokenId).used += 1;
    },
    refusal(tokenId) {
      if (window(tokenId).remaining > 0) return undefined;
      return refused(
        account(tokenId).refusal,
        'API rate limit exceeded for user.',
        'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api',
      );
    },
    headers(tokenId) {
      const { limit, used, remaining, resetAtMs } = window(tokenId);
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
