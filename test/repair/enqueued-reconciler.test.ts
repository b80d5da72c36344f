/** Queued runs without a job (PROTOCOL 6, EnqueuedReconciler, on records). */
import { beforeEach, expect, test } from 'vitest';
import { TermLost } from '../../src/coordination/leader.ts';
import type { RunQueue } from '../../src/queue/run-queue.ts';
import { createEnqueuedReconciler } from '../../src/repair/enqueued-reconciler.ts';
import { type House, openHouse, SLOTS_ELSEWHERE, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, queuedRun, runningRun } from '../worker/worker-room.ts';
import { repairs, termOf } from './terms.ts';

const redis = useRedis();
const QUEUE = 'agentsmith:queue:runs';
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

function reconciler(options: { readonly graceMs?: number; readonly queue?: Partial<RunQueue> } = {}) {
  const { told, onRepair } = repairs();
  const pass = createEnqueuedReconciler(
    { ...house, queue: { ...house.queue, ...options.queue }, log: silentLog, onRepair },
    { reconcileGraceMs: options.graceMs ?? 0 },
  );
  return { pass, told };
}

const loseJobs = async (): Promise<void> => {
  const keys = await redis.client.keys(`${QUEUE}:*`);
  if (keys.length > 0) await redis.client.del(keys);
};

test('a queued run without a job gets its job again', async () => {
  const run = await queuedRun(house);
  await loseJobs();
  expect(await house.queue.isQueued({ run: run.id, turn: 1 })).toBe(false);
  const { pass, told } = reconciler();
  await pass(termOf());
  expect(await house.queue.isQueued({ run: run.id, turn: 1 })).toBe(true);
  expect(told.map(({ kind, detail }) => [kind, detail])).toEqual([['missing-job', 'turn 1']]);
  await pass(termOf());
  expect(told).toHaveLength(1);
  expect(await house.queue.depth()).toBe(1);
});

test('a run that was queued a moment ago is left alone: its job may be on the way', async () => {
  const run = await queuedRun(house);
  await loseJobs();
  const { pass, told } = reconciler({ graceMs: 60_000 });
  await pass(termOf());
  expect(await house.queue.isQueued({ run: run.id, turn: 1 })).toBe(false);
  expect(told).toEqual([]);
});

test('a run that was handed back by a worker which died before it added the job', async () => {
  const run = await runningRun(house);
  await loseJobs();
  await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  const { pass } = reconciler();
  await pass(termOf());
  expect(await house.queue.isQueued({ run: run.id, turn: 2 })).toBe(true);
});

test('a run that waits in the backlog has no job, and gets none here', async () => {
  await house.admissions.tell({ ...SLOTS_ELSEWHERE, free: 0 });
  const admitted = await queuedRun(house);
  const waiting = await queuedRun(house);
  expect(waiting.admittedAtMs).toBe(0);
  await loseJobs();
  const { pass, told } = reconciler();
  await pass(termOf());
  expect(told.map(({ run }) => run)).toEqual([admitted.id]);
});

test('a run that was admitted a moment ago is left alone, however long it has waited', async () => {
  await house.admissions.tell({ ...SLOTS_ELSEWHERE, free: 0 });
  await queuedRun(house);
  const run = await queuedRun(house);
  await redis.client.zadd(house.redis.keys.runs('queued'), 1, run.id);
  expect(await house.admissions.admit({ ...SLOTS_ELSEWHERE, free: 2 }, house.catalog)).toEqual([
    { run: run.id, turn: 1 },
  ]);
  await loseJobs();
  const { pass, told } = reconciler({ graceMs: 60_000 });
  await pass(termOf());
  expect(told).toEqual([]);
});

test('a dead job that BullMQ retains does not block the turn', async () => {
  const run = await queuedRun(house);
  await redis.client.del(`${QUEUE}:wait`, `${QUEUE}:marker`);
  await redis.client.zadd(`${QUEUE}:failed`, Date.now(), `${run.id}-1`);
  await redis.client.hset(`${QUEUE}:${run.id}-1`, 'finishedOn', '1', 'failedReason', 'stalled');
  const { pass, told } = reconciler();
  await pass(termOf());
  expect(await house.queue.isQueued({ run: run.id, turn: 1 })).toBe(true);
  expect(told).toHaveLength(1);
});

test('a waiting and a delayed job are left as they are', async () => {
  const waiting = await queuedRun(house);
  const delayed = await queuedRun(house);
  await loseJobs();
  await house.queue.add({ run: waiting.id, turn: 1 });
  await house.queue.add({ run: delayed.id, turn: 1 }, { delayMs: 60_000 });
  const { pass, told } = reconciler();
  await pass(termOf());
  expect(told).toEqual([]);
  expect(await redis.client.zrange(`${QUEUE}:delayed`, '0', '-1')).toEqual([`${delayed.id}-1`]);
});

test('one run that cannot be repaired does not hold up the others', async () => {
  const [first, second] = [await queuedRun(house), await queuedRun(house)];
  await loseJobs();
  const { pass, told } = reconciler({
    queue: {
      repair: async (turn) =>
        turn.run === first.id ? Promise.reject(new Error('no')) : await house.queue.repair(turn),
    },
  });
  await pass(termOf());
  expect(told.map(({ run }) => run)).toEqual([second.id]);
});

test('a leader whose trust is over repairs nothing', async () => {
  await queuedRun(house);
  await loseJobs();
  const { pass } = reconciler();
  const term = termOf();
  term.lose();
  await expect(pass(term)).rejects.toThrow(TermLost);
  expect(await house.queue.depth()).toBe(0);
});
