/** Lists of runs, the newest first, a page at a time. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { RUN_STATES, type RunState } from '../../src/domain/run.ts';
import type { Cursor } from '../../src/runs/page.ts';
import { type House, openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

async function write(id: string, state: RunState, atMs: number, project = 'api'): Promise<void> {
  await redis.client.hset(house.redis.keys.run(id), { id, state, project, ticket: `t~${id}`, sinceMs: atMs });
  await redis.client.zadd(house.redis.keys.runs(state), atMs, id);
}

/** All pages, each as its ids. */
async function pages(question: Omit<Parameters<House['runs']['list']>[0], 'before'>, atPage?: () => Promise<void>) {
  const seen: string[][] = [];
  let before: Cursor | undefined;
  do {
    const page = await house.runs.list({ ...question, before });
    seen.push(page.items.map(({ id }) => id));
    before = page.next;
    await atPage?.();
  } while (before !== undefined);
  return seen;
}

test('runs of all states in one list, those that entered their state last first, and no page twice', async () => {
  for (const [i, state] of [...RUN_STATES, ...RUN_STATES].entries()) await write(`run-${i}`, state, 1_000 + i);
  expect(await pages({ most: 5 })).toEqual([
    ['run-11', 'run-10', 'run-9', 'run-8', 'run-7'],
    ['run-6', 'run-5', 'run-4', 'run-3', 'run-2'],
    ['run-1', 'run-0'],
  ]);
  expect(await pages({ most: 12 })).toHaveLength(1);
});

test('many in one millisecond, in several states: each is on exactly one page', async () => {
  const ids = Array.from({ length: 23 }, (_, i) => `run-${String(i).padStart(2, '0')}`);
  for (const [i, id] of ids.entries()) await write(id, i % 2 === 0 ? 'queued' : 'failed', 5_000);
  expect((await pages({ most: 4 })).flat()).toEqual(ids.toReversed());
});

test('what arrives between two pages is on neither of the later ones, and moves nothing', async () => {
  for (let i = 0; i < 6; i += 1) await write(`run-${i}`, 'queued', 1_000 + i);
  let late = 0;
  const seen = await pages({ most: 2 }, async () => await write(`late-${late++}`, 'running', 2_000 + late));
  expect(seen).toEqual([
    ['run-5', 'run-4'],
    ['run-3', 'run-2'],
    ['run-1', 'run-0'],
  ]);
});

test('lists are read also while Redis is out of memory: that is when people look', async () => {
  await write('a', 'queued', 1);
  onTestFinished(() => void redis.client.config('SET', 'maxmemory', '0'));
  await redis.client.config('SET', 'maxmemory', '1');
  expect(await pages({ most: 5 })).toEqual([['a']]);
});

test('by state and by project; what a list names and the record does not say is left out', async () => {
  await write('a', 'queued', 1);
  await write('b', 'queued', 2, 'other');
  await write('c', 'failed', 3);
  // Moved on between the list and the record; and one whose record is gone.
  await redis.client.zadd(house.redis.keys.runs('queued'), 4, 'c', 5, 'gone');
  expect(await pages({ most: 9, state: 'queued' })).toEqual([['b', 'a']]);
  expect(await pages({ most: 9, state: 'queued', project: 'other' })).toEqual([['b']]);
  expect(await pages({ most: 9, project: 'nobody' })).toEqual([[]]);
  expect(await pages({ most: 9, state: 'running' })).toEqual([[]]);
});

test('a filter that nothing passes ends a page after so many records, and says where to go on', async () => {
  const { keys } = house.redis;
  const writing = redis.client.pipeline();
  for (let i = 0; i < 2_300; i += 1) {
    writing.zadd(keys.runs('failed'), i, `run-${i}`);
    writing.hset(keys.run(`run-${i}`), {
      id: `run-${i}`,
      ticket: 't',
      state: 'failed',
      project: i === 7 ? 'rare' : 'x',
    });
  }
  await writing.exec();
  expect(await pages({ most: 50, project: 'rare' })).toEqual([[], ['run-7']]);
});
