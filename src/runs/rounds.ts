/**
 * Lists for loops, the oldest first, a round at a time. A list may be longer than one pass should take in, and what stands
 * at its head may stand there for long: the next round goes on behind the last, so nothing is hidden from a loop for ever.
 */
import type { RedisConnection } from '../redis/connection.ts';
import { cursorsIn } from './page.ts';

/** Where the next round begins; undefined at the oldest entry. Moved on by each round. */
export interface RoundCursor {
  next: string | undefined;
}

export interface RoundQuestion {
  readonly most: number;
  /** Entries that are newer are left out. Redis TIME, ms. */
  readonly latestMs?: number;
}

/**
 * The ids of one round of a sorted set of ids by time. Those of the millisecond in which the last round ended are shown
 * once more. Throws `OperationError` when Redis is away.
 */
export async function readRound(
  redis: Pick<RedisConnection, 'read'>,
  list: string,
  cursor: RoundCursor,
  { most, latestMs = Number.POSITIVE_INFINITY }: RoundQuestion,
): Promise<string[]> {
  const latest = latestMs === Number.POSITIVE_INFINITY ? '+inf' : latestMs;
  const from = cursor.next ?? '-inf';
  const entries = await redis.read('read list', async (client) =>
    cursorsIn(await client.zrangebyscore(list, from, latest, 'WITHSCORES', 'LIMIT', 0, most)),
  );
  const last = entries.at(-1);
  const lastMs = last === undefined ? undefined : String(last.atMs);
  // A millisecond with more entries than one round takes is left behind all the same.
  if (entries.length < most) cursor.next = undefined;
  else cursor.next = lastMs === from ? `(${lastMs}` : lastMs;
  return entries.map(({ id }) => id);
}
