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

export function createRedisClock(
  redis: Pick<RedisConnection, 'timeMs'>,
  options: { readonly traceClockMs: number },
): RedisClock {
  /** Redis TIME when `performance.now()` was 0. */
  let originMs = performance.timeOrigin;
  const ask = async (): Promise<void> => {
    const askedMs = performance.now();
    const redisMs = await redis.timeMs();
    originMs = redisMs - (askedMs + performance.now()) / 2;
  };
  return {
    nowMs: () => originMs + performance.now(),
    // While Redis is away, what it said last is good enough.
    keep: (signal) => every({ intervalMs: options.traceClockMs, signal, onError: () => {} }, ask),
  };
}
