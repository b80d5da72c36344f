/**
 * Runs that ended while no worker was on them: whoever does their work without a worker, a service, has not heard of it. They
 * are put here by the scripts that end them (end-queued, finish), in the same step, and stay until somebody says that they are
 * done with; so nobody is forgotten, and somebody may be told twice. Throws `OperationError` when Redis is away.
 */
import type { RedisConnection } from '../redis/connection.ts';
import { readRound } from './rounds.ts';

export interface UnheardEnds {
  /** Ids of runs whose end is to be told by now, those that are due for longest first. */
  due(most: number): Promise<string[]>;
  /** It is due again after so many ms. */
  later(run: string, inMs: number): Promise<void>;
  /** Nobody needs to be told any more. */
  forget(run: string): Promise<void>;
}

export function createUnheardEnds(redis: RedisConnection): UnheardEnds {
  const settle = async (run: string, inMs: number | ''): Promise<void> => {
    await redis.script('settle-unheard', [redis.keys.unheard], [run, inMs]);
  };
  return {
    due: async (most) =>
      await readRound(redis, redis.keys.unheard, { next: undefined }, { most, latestMs: await redis.timeMs() }),
    later: settle,
    forget: (run) => settle(run, ''),
  };
}
