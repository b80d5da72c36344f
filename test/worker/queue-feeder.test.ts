/** The feeder of one replica: what it tells, and what it admits, without a worker that would do the work. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createQueueFeeder } from '../../src/worker/queue-feeder.ts';
import { commitRun, projectNamed } from '../runs/bulk-runs.ts';
import { catalogOf, type House, openHouse, plainPipeline, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const CAPS = catalogOf([projectNamed('a')], [plainPipeline('fix')]);
const SLOTS = 2;
const NEVER_MS = 3_600_000;
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url, freeSlots: 0 });
});

function openFeeder(options: { readonly admitMs?: number; readonly queue?: Partial<House['queue']> } = {}) {
  const feeder = createQueueFeeder(
    { admissions: house.admissions, caps: () => CAPS, queue: { ...house.queue, ...options.queue }, log: silentLog },
    { instance: 'pod-1', slots: SLOTS, admitMs: options.admitMs ?? NEVER_MS },
  );
  const ending = new AbortController();
  const running = feeder.run(ending.signal);
  const end = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  onTestFinished(end);
  return { feeder, end };
}

const commit = (id: string) => commitRun(house, CAPS, { id, project: 'a', pipeline: 'fix' });
/** What it told last of its free slots. */
const told = async () => (await redis.client.hget(house.redis.keys.freeSlots, 'pod-1'))?.split(' ')[0];
const hasJob = (run: string) => house.queue.isQueued({ run, turn: 1 });
const admitted = async (id: string) => ((await house.runs.get(id))?.admittedAtMs ?? 0) > 0;

test('its free slots are told at once, and again as they are taken and become free; whoever leaves takes them back', async () => {
  const { feeder, end } = openFeeder();
  await until('all are free', async () => (await told()) === '2');
  const { promise: working, resolve: stop } = Promise.withResolvers<void>();
  const work = feeder.during(() => working);
  await until('one is taken', async () => (await told()) === '1');
  stop();
  await work;
  await until('all are free again', async () => (await told()) === '2');
  await end();
  expect(await told()).toBeUndefined();
});

test('what waits is admitted for the slots, with its job, and again when one becomes free', async () => {
  await commit('r1');
  for (const id of ['r2', 'r3']) expect(await commit(id)).toEqual({ id, admitted: false });
  const { feeder } = openFeeder();
  await until('the second slot is filled', async () => await hasJob('r2'));
  expect(await hasJob('r3')).toBe(false);
  // r1 is taken, and its work ends.
  await feeder.during(async () => {
    await house.attemptRecords.take('r1', 1);
    const run = await house.runs.get('r1');
    if (run !== undefined) await house.attemptRecords.endQueued(run, 'cancelled', 'closed');
  });
  await until('the freed slot is filled', async () => await hasJob('r3'));
});

test('every second it asks again, whatever has changed elsewhere', async () => {
  for (const id of ['r1', 'r2', 'r3']) await commit(id);
  openFeeder({ admitMs: 5 });
  await until('the second slot is filled', async () => await hasJob('r2'));
  expect(await admitted('r3')).toBe(false);
  // Another replica takes it.
  await house.attemptRecords.take('r1', 1);
  await until('there is room for the next one', async () => await hasJob('r3'));
});

test("a job that cannot be added is the reconciler's; the feeder goes on", async () => {
  await commit('r1');
  await commit('r2');
  openFeeder({ admitMs: 5, queue: { add: () => Promise.reject(new Error('redis is away')) } });
  await until('it is admitted', async () => await admitted('r2'));
  await redis.client.del(house.redis.keys.offered);
  await commit('r3');
  await until('the next one too', async () => await admitted('r3'));
});
