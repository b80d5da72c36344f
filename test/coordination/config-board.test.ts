/** Which configuration each replica runs: who differs from whom, and since when. */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { findingOf, watchConfigDrift } from '../../src/app/config-drift.ts';
import { type ConfigBoard, createConfigBoard } from '../../src/coordination/config-board.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import { openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const NOTE_MS = 100;
const GONE_MS = 3 * NOTE_MS;
let board: ConfigBoard;
beforeEach(async () => {
  const house = await openHouse({ redisUrl: redis.url });
  board = createConfigBoard(house.redis, { configNoteMs: NOTE_MS });
});

test('replicas of one configuration do not differ, however many they are', async () => {
  for (const instance of ['a', 'b', 'c', 'a']) expect(await board.note(instance, 'one')).toBeUndefined();
});

test('a difference names both configurations and their replicas, and counts from its beginning', async () => {
  await board.note('b', 'old');
  await board.note('a', 'old');
  const first = await board.note('c', 'new');
  expect(first).toMatchObject({
    groups: [
      { hash: 'new', instances: ['c'] },
      { hash: 'old', instances: ['a', 'b'] },
    ],
  });
  await delay(20);
  const later = await board.note('a', 'old');
  expect(later?.forMs).toBeGreaterThanOrEqual((first?.forMs ?? 0) + 15);
  // Others than before, and still not the same: it goes on.
  expect((await board.note('b', 'newer'))?.forMs).toBeGreaterThanOrEqual(later?.forMs ?? 0);
});

test('a difference ends when the last replica has taken the new configuration, and the next begins anew', async () => {
  await board.note('a', 'old');
  await board.note('b', 'new');
  await delay(30);
  expect(await board.note('a', 'new')).toBeUndefined();
  expect((await board.note('b', 'newer'))?.forMs).toBeLessThan(30);
});

test('a replica that has said nothing for a while is gone and does not count', async () => {
  await board.note('gone', 'old');
  expect(await board.note('here', 'new')).toBeDefined();
  const agreed = await until(
    'the other is gone',
    async () => ((await board.note('here', 'new')) === undefined ? 'agreed' : undefined),
    GONE_MS * 20,
  );
  expect(agreed).toBe('agreed');
  expect(Object.keys(await redis.client.hgetall('agentsmith:configs'))).toEqual(['here']);
});

test('nothing is left of it when no replica says anything any more', async () => {
  await board.note('a', 'one');
  await until('it is gone', async () => (await redis.client.exists('agentsmith:configs')) === 0, GONE_MS * 20);
});

const GROUPS = [
  { hash: '1111222233334444', instances: ['pod-3'] },
  { hash: 'aaaabbbbccccdddd', instances: ['pod-1', 'pod-2'] },
];

test('a difference within the time of a rolling update is no finding, a longer one names hashes and instances', () => {
  expect(findingOf(undefined, 300_000)).toBeUndefined();
  expect(findingOf({ forMs: 300_000, groups: GROUPS }, 300_000)).toBeUndefined();
  expect(findingOf({ forMs: 420_000, groups: GROUPS }, 300_000)).toEqual({
    code: 'config-differs',
    severity: 'warning',
    text: 'Replicas run different configurations, for 7 min: 111122223333 on pod-3; aaaabbbbcccc on pod-1, pod-2. Give them all the same file, or restart those that did not take it.',
  });
});

test('every replica finds a difference that lasts, and forgets it when it is over', async () => {
  const replicas = ['pod-1', 'pod-2'].map((instance) => ({ instance, findings: createFindings(), hash: instance }));
  const over = new AbortController();
  const timing = { configNoteMs: NOTE_MS, configDriftMs: 100 };
  const watching = replicas.map((replica) =>
    watchConfigDrift({ ...replica, board, hash: () => replica.hash, log: silentLog }, timing, over.signal),
  );
  const found = (): boolean[] =>
    replicas.map(({ findings }) => findings.all().some(({ code }) => code === 'config-differs'));
  await until('both have found it', () => found().every((yes) => yes));
  for (const replica of replicas) replica.hash = 'the same';
  await until('both have forgotten it', () => found().every((yes) => !yes));
  over.abort();
  await Promise.all(watching);
});
