/** Somebody wants a run to end: what that means in each of its states, on real Redis. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { type Cancellations, createCancellations } from '../../src/runs/cancellations.ts';
import { type House, openHouse } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, openWorkerRoom, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
let house: House;
let cancellations: Cancellations;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
  cancellations = createCancellations(house.redis, house.timing);
});

/** How often somebody was told that a run at work is to end. */
async function listen(): Promise<() => number> {
  let told = 0;
  const over = new AbortController();
  onTestFinished(() => over.abort());
  cancellations.onRequested(() => {
    told += 1;
  }, over.signal);
  const channel = house.redis.keys.cancelRequested;
  await until('somebody listens', async () => {
    const [, listeners] = (await redis.client.pubsub('NUMSUB', channel)) as [string, number];
    return listeners > 0;
  });
  return () => told;
}

test('queued: it ends at once, its label is due, and its job is dropped when it is taken', async () => {
  const told = await listen();
  const run = await queuedRun(house);
  expect(await cancellations.request(run, 'alice')).toEqual({ kind: 'cancelled' });
  const ended = await runOf(house, run.id);
  expect(ended).toMatchObject({
    state: 'cancelled',
    reason: 'cancelled by alice',
    labelState: 'unconfirmed',
    attempt: 0,
  });
  const { keys } = house.redis;
  expect(await redis.client.zscore(keys.runs('queued'), run.id)).toBeNull();
  expect(await redis.client.zscore(keys.runs('cancelled'), run.id)).toBe(String(ended.endedAtMs));
  expect(await redis.client.zscore(keys.unconfirmed, run.id)).not.toBeNull();
  expect(await redis.client.pttl(keys.run(run.id))).toBeGreaterThan(0);
  expect(await redis.client.pttl(keys.ticket(run.ticket))).toBeGreaterThan(0);
  const { processor, runners } = openWorkerRoom(house);
  await processor.process({ run: run.id, turn: 1 });
  expect(runners).toEqual([]);
  expect(told()).toBe(0);
});

test('queued while Redis recovers: a worker may be about to report it, so the wish waits on its record', async () => {
  const run = await queuedRun(house);
  await redis.client.hset(house.redis.keys.incarnation, 'since', String(Date.now()));
  expect(await cancellations.request(run, 'alice')).toEqual({ kind: 'requested', by: 'alice' });
  expect(await runOf(house, run.id)).toMatchObject({ state: 'queued', cancelRequested: 'alice' });
});

test('running: whoever listens is told at once, who asked first stays on record', async () => {
  const told = await listen();
  const run = await runningRun(house);
  expect(await cancellations.request(run, 'alice')).toEqual({ kind: 'requested', by: 'alice' });
  await until('it was told', () => told() === 1);
  expect(await cancellations.request(run, 'bob')).toEqual({ kind: 'requested', by: 'alice' });
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'ok', cancelRequested: 'alice' });
});

test('received: the claim goes on, and the run ends when its turn comes', async () => {
  const run = await queuedRun(house);
  // As a claim has it until it is committed.
  await redis.client.hset(house.redis.keys.run(run.id), 'state', 'received');
  expect(await cancellations.request(run, 'alice')).toEqual({ kind: 'requested', by: 'alice' });
  await redis.client.hset(house.redis.keys.run(run.id), 'state', 'queued');
  const { processor, runners } = openWorkerRoom(house);
  await processor.process({ run: run.id, turn: 1 });
  expect(runners).toEqual([]);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice' });
});

test('ended, or forgotten: nothing is written', async () => {
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { state: 'failed', reason: 'x', output: '', onlyIfDead: false });
  const before = await dumpOf(redis.client);
  expect(await cancellations.request(run, 'alice')).toEqual({ kind: 'ended', state: 'failed' });
  expect(await cancellations.request({ ...run, id: 'another' }, 'alice')).toEqual({ kind: 'unknown' });
  expect(await dumpOf(redis.client)).toEqual(before);
});
