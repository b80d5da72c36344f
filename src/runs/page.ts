/**
 * Lists for people, the newest first, a page at a time. A cursor is a time and an id, because many things happen
 * within one millisecond; so a page goes on exactly where the one before ended, whatever has arrived since.
 */
import type { RedisConnection } from '../redis/connection.ts';

/** A member of a sorted set. */
export interface Cursor {
  /** Redis TIME, ms. */
  readonly atMs: number;
  readonly id: string;
}

export interface PageQuestion {
  readonly most: number;
  /** Only what is older. */
  readonly before?: Cursor | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page begins; missing at the end. A page may hold less than was asked for and still not be the last. */
  readonly next: Cursor | undefined;
}

/** A filter that nearly nothing passes must not make one question read all that was ever recorded. */
const MOST_LOOKED_AT = 2_000;
const SMALLEST_BATCH = 100;

/**
 * @param lists keys of sorted sets of ids by time.
 * @param pick reads what an id stands for; undefined leaves it out.
 */
export async function readPage<T>(
  redis: RedisConnection,
  lists: readonly string[],
  { most, before }: PageQuestion,
  pick: (id: string) => Promise<T | undefined>,
): Promise<Page<T>> {
  const size = Math.max(most, SMALLEST_BATCH);
  const items: T[] = [];
  let cursor = before;
  for (let looked = 0; looked < MOST_LOOKED_AT; looked += size) {
    const batch = await newest(redis, lists, size, cursor);
    const isLast = batch.length < size;
    const found = await Promise.all(batch.map(({ id }) => pick(id)));
    for (const [index, item] of found.entries()) {
      cursor = batch[index];
      if (item !== undefined) items.push(item);
      if (items.length === most) return { items, next: isLast && index + 1 === batch.length ? undefined : cursor };
    }
    if (isLast) return { items, next: undefined };
  }
  return { items, next: cursor };
}

async function newest(
  redis: RedisConnection,
  lists: readonly string[],
  most: number,
  before: Cursor | undefined,
): Promise<Cursor[]> {
  const found = await redis.script('list-newest', lists, [most, before?.atMs ?? '']);
  return found
    .flatMap((list) => cursorsIn(list as readonly string[]))
    .filter((cursor) => before === undefined || newestFirst(before, cursor) < 0)
    .sort(newestFirst)
    .slice(0, most);
}

/** From what Redis answers to `WITHSCORES`. */
export function cursorsIn(flat: readonly string[]): Cursor[] {
  return flat.flatMap((id, i) => (i % 2 === 0 ? [{ id, atMs: Number(flat[i + 1]) }] : []));
}

/** Ids within one millisecond by their bytes, as Redis has them; they are ASCII. */
function newestFirst(a: Cursor, b: Cursor): number {
  if (a.atMs !== b.atMs) return b.atMs - a.atMs;
  return a.id === b.id ? 0 : a.id < b.id ? 1 : -1;
}
