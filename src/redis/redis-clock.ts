/**
 * Redis TIME without asking for it each time: asked now and then, and counted on by a clock that nobody sets. So what
 * several replicas measure themselves fits together, and fits the times on record, whatever their own clocks say.
 */
import { every } from '../foundation/loop.ts';
import type { RedisConnection } from './connection.ts';

export interface RedisClock {
  /** Milliseconds since the Unix epoch; by the clock of this machine until Redis has been asked for the first time. */
  nowMs(): number;
  /** Asks again and again, until the signal aborts. Never rejects. */
  keep(signal: AbortSignal): Promise<void>;
}

/** The quickest of so many answers counts: one that has waited, for a connection say, tells less. */
const ASKED_AT_ONCE = 3;

export function createRedisClock(
  redis: Pick<RedisConnection, 'timeMs'>,
  options: { readonly traceClockMs: number },
): RedisClock {
  /** Redis TIME when `performance.now()` was 0. */
  let originMs = performance.timeOrigin;
  const ask = async (): Promise<void> => {
    let quickestMs = Number.POSITIVE_INFINITY;
    for (let left = ASKED_AT_ONCE; left > 0; left -= 1) {
      const askedMs = performance.now();
      const redisMs = await redis.timeMs();
      const answeredMs = performance.now();
      if (answeredMs - askedMs >= quickestMs) continue;
      quickestMs = answeredMs - askedMs;
      originMs = redisMs - (askedMs + answeredMs) / 2;
    }
  };
  return {
    nowMs: () => originMs + performance.now(),
    // While Redis is away, what it said last is good enough.
    keep: (signal) => every({ intervalMs: options.traceClockMs, signal, onError: () => {} }, ask),
  };
}
