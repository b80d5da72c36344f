/** The scripts of an attempt on a real Redis: who may write, and what Redis may lose or refuse (PROTOCOL 3 and 4). */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { type House, openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

const recordOf = (run: Run): Promise<Record<string, string>> => redis.client.hgetall(house.redis.keys.run(run.id));
const heartbeatOf = (run: Run): string => house.redis.keys.heartbeat(run.ticket);
const HAND_BACK = { onlyIfDead: false, interrupted: true, reason: 'drained' };
const DONE = { state: 'completed', reason: 'exit code 0', output: 'tail', onlyIfDead: false } as const;
const RESULT = {
  summary: 'Fixed "it".\n✓',
  links: [{ title: 'Pull request 12', url: 'https://github.com/org/api/pull/12' }],
};
const OTHER = { summary: 'Something else.', links: [] };

test('start: attempt, a fence of its own, heartbeat and state change in one step', async () => {
  const queued = await queuedRun(house);
  const reply = await house.attemptRecords.start(queued, 'worker-1');
  const run = await runOf(house, queued.id);
  expect(reply).toEqual({ kind: 'started', run });
  expect(run).toMatchObject({ state: 'running', attempt: 1, turn: 1, worker: 'worker-1', takes: 0 });
  expect(run.attemptFence).toBeGreaterThan(run.fence);
  expect(run.sinceMs).toBe(run.startedAtMs);
  expect(await redis.client.get(heartbeatOf(run))).toBe(`${run.id}:1:${run.attemptFence}`);
  expect(await redis.client.pttl(heartbeatOf(run))).toBeGreaterThan(house.timing.heartbeatTtlMs / 2);
  expect((await house.runs.inState('running', { most: 10 })).map(({ id }) => id)).toEqual([run.id]);
  expect(await house.runs.inState('queued', { most: 10 })).toEqual([]);
});

test('start is refused: for another turn, a second time, and when the ticket has another run', async () => {
  const run = await queuedRun(house);
  expect(await house.attemptRecords.start({ ...run, turn: 2 }, 'w')).toEqual({ kind: 'dropped', state: 'queued' });
  await redis.client.hset(house.redis.keys.ticket(run.ticket), 'run', 'another');
  expect(await house.attemptRecords.start(run, 'w')).toEqual({ kind: 'dropped', state: 'superseded' });
  await redis.client.hset(house.redis.keys.ticket(run.ticket), 'run', run.id);
  expect((await house.attemptRecords.start(run, 'w')).kind).toBe('started');
  expect(await house.attemptRecords.start(run, 'w')).toEqual({ kind: 'dropped', state: 'running' });
});

test('a write is accepted only with the equal fence: neither an older nor a newer one', async () => {
  const run = await runningRun(house);
  const before = await recordOf(run);
  for (const difference of [-1, 1, 60_000]) {
    const name = { ...attemptOf(run), fence: run.attemptFence + difference };
    expect(await house.attemptRecords.finish(name, DONE)).toBe('superseded');
    expect(await house.attemptRecords.handBack(name, HAND_BACK)).toEqual({ kind: 'superseded' });
  }
  expect(await house.attemptRecords.finish({ ...attemptOf(run), run: 'another' }, DONE)).toBe('superseded');
  expect(await recordOf(run)).toEqual(before);
  expect(await house.attemptRecords.finish(attemptOf(run), DONE)).toBe('finished');
});

test('finish: terminal, output kept, heartbeat gone; said once more it changes nothing, and no other end replaces it', async () => {
  const run = await runningRun(house);
  expect(await house.attemptRecords.finish(attemptOf(run), DONE)).toBe('finished');
  const ended = await recordOf(run);
  expect(ended).toMatchObject({ state: 'completed', reason: 'exit code 0', labelState: 'unconfirmed' });
  expect(await house.runs.output(run.id)).toBe('tail');
  expect(await redis.client.exists(heartbeatOf(run))).toBe(0);
  expect(await redis.client.pttl(house.redis.keys.run(run.id))).toBeGreaterThan(0);
  expect(await house.attemptRecords.finish(attemptOf(run), { ...DONE, reason: 'again' })).toBe('finished');
  expect(await house.attemptRecords.finish(attemptOf(run), { ...DONE, state: 'failed' })).toBe('superseded');
  expect(await house.attemptRecords.handBack(attemptOf(run), HAND_BACK)).toEqual({ kind: 'superseded' });
  expect(await recordOf(run)).toEqual(ended);
});

test('a result is written with the end and lives as long; an end that is said twice, or refused, brings no other', async () => {
  const run = await runningRun(house);
  expect(await house.attemptRecords.finish({ ...attemptOf(run), fence: 1 }, { ...DONE, result: OTHER })).toBe(
    'superseded',
  );
  expect(await house.runs.result(run.id)).toBeUndefined();
  expect(await house.attemptRecords.finish(attemptOf(run), { ...DONE, result: RESULT })).toBe('finished');
  expect(await house.runs.result(run.id)).toEqual(RESULT);
  expect(await house.attemptRecords.finish(attemptOf(run), { ...DONE, result: OTHER })).toBe('finished');
  expect(await house.runs.result(run.id)).toEqual(RESULT);
  const { keys } = house.redis;
  const lives = await Promise.all([keys.run(run.id), keys.result(run.id)].map((key) => redis.client.pexpiretime(key)));
  expect(lives[0]).toBe(lives[1]);

  const silent = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(silent), DONE);
  expect(await house.runs.result(silent.id)).toBeUndefined();
  expect(await redis.client.exists(keys.result(silent.id))).toBe(0);
});

test('an end that is written from memory brings its result, in the same step', async () => {
  const run = await runningRun(house);
  await redis.client.flushall();
  const end = { state: 'failed', reason: 'exit code 1', result: RESULT } as const;
  expect(await house.attemptRecords.restore(run, end)).toBe(true);
  expect(await house.runs.result(run.id)).toEqual(RESULT);
  expect(await redis.client.pttl(house.redis.keys.result(run.id))).toBeGreaterThan(0);
  // It has ended: nothing replaces what it said.
  expect(await house.attemptRecords.restore(run, { ...end, result: OTHER })).toBe(false);
  expect(await house.runs.result(run.id)).toEqual(RESULT);
});

test('hand-back: the next turn, a new fence, and the old attempt is superseded', async () => {
  const run = await runningRun(house);
  expect(await house.attemptRecords.handBack(attemptOf(run), HAND_BACK)).toEqual({
    kind: 'handed-back',
    turn: 2,
  });
  const handedBack = await runOf(house, run.id);
  expect(handedBack).toMatchObject({ state: 'queued', turn: 2, attempt: 1, interrupted: 1, takes: 0 });
  expect(handedBack.worker).toBeUndefined();
  expect(handedBack.attemptFence).toBeGreaterThan(run.attemptFence);
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'superseded' });
  expect(await house.attemptRecords.finish(attemptOf(run), DONE)).toBe('superseded');
  expect(await house.attemptRecords.handBack(attemptOf(run), HAND_BACK)).toEqual({ kind: 'superseded' });
  expect(await house.attemptRecords.take(run.id, 1)).toEqual({ kind: 'dropped', state: 'queued' });
  expect((await house.attemptRecords.start(run, 'w')).kind).toBe('dropped');
  const next = await house.attemptRecords.start(handedBack, 'worker-2');
  expect(next).toMatchObject({ kind: 'started', run: { attempt: 2, turn: 2, worker: 'worker-2' } });
});

test('an attempt that beats is not declared dead', async () => {
  const run = await runningRun(house);
  expect(await house.attemptRecords.handBack(attemptOf(run), { ...HAND_BACK, onlyIfDead: true })).toEqual({
    kind: 'alive',
  });
  expect(await house.attemptRecords.finish(attemptOf(run), { ...DONE, onlyIfDead: true })).toBe('alive');
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', turn: 1 });
  await redis.client.del(heartbeatOf(run));
  expect(await house.attemptRecords.handBack(attemptOf(run), { ...HAND_BACK, onlyIfDead: true })).toMatchObject({
    kind: 'handed-back',
  });
});

test('a beat makes an expired heartbeat again: it says nothing about who owns the ticket', async () => {
  const run = await runningRun(house);
  await redis.client.del(heartbeatOf(run));
  expect(await house.attemptRecords.beating([run.ticket])).toEqual([false]);
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'ok', cancelRequested: undefined });
  expect(await house.attemptRecords.beating([run.ticket])).toEqual([true]);
  await redis.client.pexpire(heartbeatOf(run), 500);
  await house.attemptRecords.beat(attemptOf(run));
  expect(await redis.client.pttl(heartbeatOf(run))).toBeGreaterThan(500);
});

test('a beat brings the wish to cancel', async () => {
  const run = await runningRun(house);
  await redis.client.hset(house.redis.keys.run(run.id), 'cancelRequested', 'alice');
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'ok', cancelRequested: 'alice' });
});

test('a beat of an attempt whose run has ended, or whose ticket has a newer fence, is superseded', async () => {
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { ...DONE, state: 'cancelled' });
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'superseded' });
  await redis.client.del(house.redis.keys.run(run.id));
  await redis.client.hset(house.redis.keys.ticket(run.ticket), 'fence', run.attemptFence + 1);
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'superseded' });
  expect(await house.attemptRecords.restore(run)).toBe(false);
});

test('a lost attempt is unknown, and written again from memory: record, ticket, heartbeat and lists', async () => {
  const run = await runningRun(house);
  await redis.client.flushall();
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'unknown' });
  expect(await house.attemptRecords.restore(run)).toBe(true);
  const restored = await runOf(house, run.id);
  expect(restored).toMatchObject({ ...run, sinceMs: restored.sinceMs, labelState: 'unconfirmed' });
  expect(restored.sinceMs).toBeGreaterThanOrEqual(run.sinceMs);
  expect(await house.runs.ofTicket(run.ticket)).toEqual(restored);
  expect(await house.attemptRecords.beat(attemptOf(run))).toMatchObject({ kind: 'ok' });
  expect((await house.runs.inState('running', { most: 10 })).map(({ id }) => id)).toEqual([run.id]);
  expect(await redis.client.zscore(house.redis.keys.unconfirmed, run.id)).not.toBeNull();
  // A claim of the ticket now finds the live run.
  expect((await redis.client.hget(house.redis.keys.ticket(run.ticket), 'fence')) ?? '').toBe(String(run.attemptFence));
});

test('a replica that took over without the last writes: the older record is brought up to date by the beat', async () => {
  const queued = await queuedRun(house);
  const older = await recordOf(queued);
  const olderTicket = await redis.client.hgetall(house.redis.keys.ticket(queued.ticket));
  const reply = await house.attemptRecords.start(queued, 'worker-1');
  if (reply.kind !== 'started') throw new Error(reply.kind);
  const { run } = reply;
  await redis.client.del(house.redis.keys.run(run.id), house.redis.keys.ticket(run.ticket), heartbeatOf(run));
  await redis.client.hset(house.redis.keys.run(run.id), older);
  await redis.client.hset(house.redis.keys.ticket(run.ticket), olderTicket);
  await redis.client.zadd(house.redis.keys.runs('queued'), 0, run.id);
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'unknown' });
  expect(await house.attemptRecords.restore(run)).toBe(true);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', attempt: 1, attemptFence: run.attemptFence });
  expect(await redis.client.zscore(house.redis.keys.runs('queued'), run.id)).toBeNull();
  // The job of that turn may still be there: it is dropped.
  expect(await house.attemptRecords.take(run.id, 1)).toEqual({ kind: 'dropped', state: 'running' });
});

test('a Redis that is out of memory still takes beats, and nothing that would need a new key', async () => {
  const run = await runningRun(house);
  const waiting = await queuedRun(house);
  onTestFinished(() => void redis.client.config('SET', 'maxmemory', '0'));
  await redis.client.config('SET', 'maxmemory', '1');
  await redis.client.pexpire(heartbeatOf(run), 500);
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'ok', cancelRequested: undefined });
  expect(await redis.client.pttl(heartbeatOf(run))).toBeGreaterThan(500);
  await expect(house.attemptRecords.start(waiting, 'w')).rejects.toThrow(/^start-attempt: .*OOM/);
  await expect(house.attemptRecords.finish(attemptOf(run), DONE)).rejects.toThrow(/OOM/);
  await redis.client.config('SET', 'maxmemory', '0');
  expect(await runOf(house, waiting.id)).toMatchObject({ state: 'queued', attempt: 0 });
  expect(await house.attemptRecords.finish(attemptOf(run), DONE)).toBe('finished');
});

test('take counts, postpone takes the count back, and both pass by a turn that is over', async () => {
  const run = await queuedRun(house);
  expect(await house.attemptRecords.take(run.id, 1)).toMatchObject({ kind: 'taken', run: { takes: 1 } });
  expect(await house.attemptRecords.take(run.id, 1)).toMatchObject({ kind: 'taken', run: { takes: 2 } });
  const { attemptRetryMs } = house.timing;
  const how = { keepsPlaces: true, isVain: true };
  expect(await house.attemptRecords.postpone(run, how)).toEqual({ kind: 'set-aside', pauseMs: attemptRetryMs });
  expect(await house.attemptRecords.postpone(run, how)).toEqual({ kind: 'set-aside', pauseMs: 2 * attemptRetryMs });
  expect(await runOf(house, run.id)).toMatchObject({ takes: 0 });
  expect(await house.attemptRecords.postpone({ ...run, turn: 2 }, how)).toEqual({ kind: 'dropped' });
  expect(await house.attemptRecords.take(run.id, 2)).toEqual({ kind: 'dropped', state: 'queued' });
});

test('only a queued run of the same turn is ended in the queue', async () => {
  const run = await queuedRun(house);
  expect(await house.attemptRecords.endQueued({ ...run, turn: 2 }, 'cancelled', 'gone')).toBeUndefined();
  expect(await house.attemptRecords.endQueued(run, 'cancelled', 'gone')).toBeDefined();
  expect(await runOf(house, run.id)).toMatchObject({ state: 'cancelled', reason: 'gone' });
  expect(await house.attemptRecords.endQueued(run, 'cancelled', 'gone')).toBeUndefined();
  const running = await runningRun(house);
  expect(await house.attemptRecords.endQueued(running, 'cancelled', 'gone')).toBeUndefined();
  expect(await runOf(house, running.id)).toMatchObject({ state: 'running' });
});
