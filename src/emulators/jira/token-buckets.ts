/**
 * The rate limit of Data Center, off unless an administrator switched it on: a bucket of tokens per account, filled in
 * batches. Every answer tells how full it is.
 */
import { type Reply, refused } from './replies.ts';

export interface TokenBucketOptions {
  /** The most that a bucket holds. */
  readonly limit: number;
  /** Tokens that are added after each interval. */
  readonly fillRate: number;
  readonly intervalSeconds: number;
}

export interface TokenBuckets {
  /** Takes a token; the refusal when there is none. */
  spend(accountId: string): Reply | undefined;
  /** Sets how many tokens are left. */
  set(accountId: string, remaining: number): void;
  /** How full the bucket is; nothing where limits are off. */
  headers(accountId: string): Record<string, string>;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

export function createTokenBuckets(options: TokenBucketOptions | undefined, nowMs: () => number): TokenBuckets {
  const buckets = new Map<string, Bucket>();
  const limit = options?.limit ?? Number.POSITIVE_INFINITY;
  const intervalMs = (options?.intervalSeconds ?? 1) * 1000;

  const bucketOf = (accountId: string): Bucket => {
    const bucket = buckets.get(accountId) ?? { tokens: limit, filledAtMs: nowMs() };
    buckets.set(accountId, bucket);
    const intervals = Math.floor((nowMs() - bucket.filledAtMs) / intervalMs);
    bucket.tokens = Math.min(limit, bucket.tokens + intervals * (options?.fillRate ?? 0));
    bucket.filledAtMs += intervals * intervalMs;
    return bucket;
  };

  return {
    spend(accountId) {
      const bucket = bucketOf(accountId);
      if (bucket.tokens < 1) return refused(429, 'Rate limit exceeded.');
      bucket.tokens -= 1;
      return undefined;
    },
    set(accountId, remaining) {
      bucketOf(accountId).tokens = remaining;
    },
    headers(accountId) {
      if (options === undefined) return {};
      const { tokens, filledAtMs } = bucketOf(accountId);
      const waitSeconds = Math.ceil((filledAtMs + intervalMs - nowMs()) / 1000);
      return {
        'x-ratelimit-limit': String(limit),
        'x-ratelimit-remaining': String(tokens),
        'x-ratelimit-fillrate': String(options.fillRate),
        'x-ratelimit-interval-seconds': String(options.intervalSeconds),
        'retry-after': String(tokens >= 1 ? 0 : Math.max(1, waitSeconds)),
      };
    },
  };
}
