/** Every attempt of a run stays on its record: 1 to n, each closed once by the step that ended it (PROTOCOL 4). */
import { beforeEach, expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { type House, openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

const DRAINED = { onlyIfDead: false, interrupted: true, reason: 'drained' };
const DONE = { state: 'completed', reason: 'exit code 0', output: 'tail', onlyIfDead: false } as const;

async function startNext(run: Run, worker: string): Promise<Run> {
  const reply = await house.attemptRecords.start(await runOf(house, run.id), worker);
  if (reply.kind !== 'started') throw new Error(`not started: ${reply.kind}`);
  return reply.run;
}

test('a run that is tried again has attempts 1 to n, each with its worker, its times and how it ended', async () => {
  const first = await runningRun(house, 'worker-1');
  expect(await house.runs.attempts(first.id)).toEqual([
    { number: 1, worker: 'worker-1', startedAtMs: first.startedAtMs },
  ]);

  await redis.client.del(house.redis.keys.heartbeat(first.ticket));
  const died = { onlyIfDead: true, interrupted: true, reason: 'its worker worker-1 died' };
  await house.attemptRecords.handBack(attemptOf(first), died);
  const second = await startNext(first, 'worker-2');
  const absent = { onlyIfDead: false, interrupted: false, reason: 'spawn fix-bug.sh: ENOENT' };
  await house.attemptRecords.handBack(attemptOf(second), absent);
  const between = await house.runs.attempts(first.id);
  expect(between.map(({ end }) => end?.how)).toEqual(['interrupted', 'failed']);
  const third = await startNext(second, 'worker-3');
  await house.attemptRecords.finish(attemptOf(third), DONE);

  const ended = await runOf(house, first.id);
  expect(await house.runs.attempts(first.id)).toEqual([
    {
      number: 1,
      worker: 'worker-1',
      startedAtMs: first.startedAtMs,
      end: { atMs: expect.any(Number), how: 'interrupted', reason: died.reason },
    },
    {
      number: 2,
      worker: 'worker-2',
      startedAtMs: second.startedAtMs,
      end: { atMs: expect.any(Number), how: 'failed', reason: absent.reason },
    },
    {
      number: 3,
      worker: 'worker-3',
      startedAtMs: third.startedAtMs,
      end: { atMs: ended.endedAtMs, how: 'completed', reason: DONE.reason },
    },
  ]);
});

test('an attempt is closed once: whoever says it again, or too late, changes nothing', async () => {
  const run = await runningRun(house);
  await house.attemptRecords.handBack(attemptOf(run), DRAINED);
  const closed = await house.runs.attempts(run.id);
  expect(await house.attemptRecords.finish(attemptOf(run), DONE)).toBe('superseded');
  expect(await house.attemptRecords.handBack(attemptOf(run), { ...DRAINED, reason: 'again' })).toEqual({
    kind: 'superseded',
  });
  expect(await house.runs.attempts(run.id)).toEqual(closed);

  const next = await startNext(run, 'worker-2');
  await house.attemptRecords.finish(attemptOf(next), DONE);
  const both = await house.runs.attempts(run.id);
  await house.attemptRecords.finish(attemptOf(next), { ...DONE, reason: 'again' });
  expect(await house.runs.attempts(run.id)).toEqual(both);
  expect(both.map(({ end }) => end?.reason)).toEqual(['drained', 'exit code 0']);
});

test('a run that failed because it was interrupted too often has an interrupted attempt, not a failed one', async () => {
  const run = await runningRun(house);
  const end = { ...DONE, state: 'failed', reason: 'interrupted 20 times, last: drained', interrupted: true } as const;
  await house.attemptRecords.finish(attemptOf(run), end);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'failed' });
  expect(await house.runs.attempts(run.id)).toMatchObject([{ end: { how: 'interrupted', reason: end.reason } }]);
});

test('a run that ends in the queue has no attempt', async () => {
  const run = await queuedRun(house);
  await house.attemptRecords.endQueued(run, 'cancelled', 'the ticket was closed before the run started');
  expect(await house.runs.attempts(run.id)).toEqual([]);
});

test('what a reason is made of is read back as it was, and ends no record', async () => {
  const run = await runningRun(house);
  const reason = 'exit "1"\n\\ /\u0000 ä😀 ,|:~ {"how":"completed"}';
  await house.attemptRecords.handBack(attemptOf(run), { ...DRAINED, reason });
  expect(await house.runs.attempts(run.id)).toMatchObject([{ number: 1, end: { how: 'interrupted', reason } }]);
});

test('a run that is handed back again and again keeps its newest 25 attempts', async () => {
  let run = await runningRun(house);
  for (let attempt = 1; attempt < 28; attempt += 1) {
    await house.attemptRecords.handBack(attemptOf(run), DRAINED);
    run = await startNext(run, `worker-${attempt + 1}`);
  }
  await house.attemptRecords.finish(attemptOf(run), DONE);
  const kept = await house.runs.attempts(run.id);
  expect(kept.map(({ number }) => number)).toEqual(Array.from({ length: 25 }, (_, i) => i + 4));
  expect(kept.every(({ end }) => end !== undefined)).toBe(true);
});

test('Redis lost everything: the attempt at work is there again, the ones before it are not', async () => {
  const first = await runningRun(house);
  await house.attemptRecords.handBack(attemptOf(first), DRAINED);
  const second = await startNext(first, 'worker-2');
  await redis.client.flushall();
  expect(await house.attemptRecords.restore(second)).toBe(true);
  expect(await house.runs.attempts(first.id)).toEqual([
    { number: 2, worker: 'worker-2', startedAtMs: second.startedAtMs },
  ]);
  await house.attemptRecords.finish(attemptOf(second), DONE);
  expect(await house.runs.attempts(first.id)).toMatchObject([{ number: 2, end: { how: 'completed' } }]);
});

test('a replica took over without the last writes: the attempt that it took for the one at work is closed as superseded', async () => {
  const first = await runningRun(house);
  const keys = [house.redis.keys.run(first.id), house.redis.keys.ticket(first.ticket)] as const;
  const [older, olderTicket] = [await redis.client.hgetall(keys[0]), await redis.client.hgetall(keys[1])];
  await house.attemptRecords.handBack(attemptOf(first), DRAINED);
  const second = await startNext(first, 'worker-2');
  await redis.client.del(...keys);
  await redis.client.hset(keys[0], older);
  await redis.client.hset(keys[1], olderTicket);
  expect(await house.attemptRecords.restore(second)).toBe(true);
  expect(await house.attemptRecords.restore(second)).toBe(true);
  expect(await house.runs.attempts(first.id)).toEqual([
    {
      number: 1,
      worker: 'worker-1',
      startedAtMs: first.startedAtMs,
      end: { atMs: expect.any(Number), how: 'superseded', reason: 'redis lost how it ended' },
    },
    { number: 2, worker: 'worker-2', startedAtMs: second.startedAtMs },
  ]);
});
