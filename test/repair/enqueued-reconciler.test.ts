/** Queued runs without a job, and claims that died (PROTOCOL 6, EnqueuedReconciler, on records). */

import { ulid } from 'ulid';
import { beforeEach, expect, test } from 'vitest';
import { TermLost } from '../../src/coordination/leader.ts';
import type { RunQueue } from '../../src/queue/run-queue.ts';
import { createEnqueuedReconciler } from '../../src/repair/enqueued-reconciler.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';
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

/** A claim that died after its first step; its lock too unless `locked`. */
async function deadClaim(locked: boolean): Promise<string> {
  const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const { platform } = house.project.source;
  const begun = await house.claimRecords.begin({
    newRun: ulid(),
    token: 'a-token',
    ticket: house.keyOf(number),
    platform,
    ticketId: String(number),
    project: 'api',
    trigger: 'poll',
    insist: false,
  });
  if (begun.kind !== 'begun') throw new Error(begun.kind);
  if (!locked) await house.claimRecords.release(begun.hold);
  return begun.hold.run;
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
  expect(told.map(({ run }) => run.id)).toEqual([second.id]);
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

test('a claim whose lock is gone is taken over and goes on, as the same run', async () => {
  const id = await deadClaim(false);
  const { pass, told } = reconciler();
  await pass(termOf());
  expect(await runOf(house, id)).toMatchObject({ state: 'queued', trigger: 'poll' });
  expect(await house.queue.isQueued({ run: id, turn: 1 })).toBe(true);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
  expect(told.map(({ kind, outcome }) => [kind, outcome])).toEqual([['dead-claim', 'claimed']]);
});

test('a claim that holds its lock is left alone until the lock expires', async () => {
  const id = await deadClaim(true);
  const { pass, told } = reconciler();
  await pass(termOf());
  expect(await runOf(house, id)).toMatchObject({ state: 'received' });
  expect(told).toEqual([]);
  await redis.client.pexpire(house.redis.keys.claimLock('github', house.keyOf(1)), 1);
  await until('the lock is gone', async () => !(await house.claimRecords.isLocked('github', house.keyOf(1))));
  await pass(termOf());
  expect(await runOf(house, id)).toMatchObject({ state: 'queued' });
});
