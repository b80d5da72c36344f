/** What a service tells of a run: kept until an attempt makes it the run's end, believed from the holder of a token alone. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, openWorkerRoom, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
const DONE = '{"state":"done"}';
const FAILED = '{"state":"failed"}';
const first = { token: 'token-of-the-first', timeoutMs: 60_000 };
const second = { token: 'token-of-the-second', timeoutMs: 60_000 };

let house: House;
let run: Run;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
  run = await runningRun(house);
});

/** The run is given to another attempt, as after the death of its worker. */
async function nextAttempt(): Promise<Run> {
  await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  const reply = await house.attemptRecords.start(await runOf(house, run.id), 'worker-2');
  if (reply.kind !== 'started') throw new Error(reply.kind);
  return reply.run;
}

const end = () =>
  house.attemptRecords.finish(attemptOf(run), { state: 'completed', reason: '', output: '', onlyIfDead: false });

test('a token proves its own attempt of its own run, and only its hash is in Redis', async () => {
  const { callbackRecords } = house;
  expect(await callbackRecords.open(attemptOf(run), first)).toMatchObject({ kind: 'open', told: undefined });
  expect(await callbackRecords.proves(run.id, '1', first.token)).toBe(true);
  for (const [id, attempt, token] of [
    [run.id, '1', 'another'],
    [run.id, '1', ''],
    [run.id, '2', first.token],
    [run.id, '01', first.token],
    ['unknown', '1', first.token],
    ['unknown', '1', ''],
    [`${run.id}:x`, '__proto__', first.token],
  ] as const)
    expect([id, attempt, token, await callbackRecords.proves(id, attempt, token)]).toEqual([id, attempt, token, false]);
  const kept = await redis.client.hgetall(house.redis.keys.callback(run.id));
  expect(kept).toEqual({ 'token:1': expect.stringMatching(/^[0-9a-f]{64}$/) });
});

test('only the attempt that the record names makes its token known', async () => {
  const later = await nextAttempt();
  expect(await house.callbackRecords.open(attemptOf(run), first)).toEqual({ kind: 'superseded' });
  expect(await house.callbackRecords.open({ ...attemptOf(later), fence: later.attemptFence + 1 }, first)).toEqual({
    kind: 'superseded',
  });
  expect(await house.callbackRecords.proves(run.id, '1', first.token)).toBe(false);
});

test('the first word counts, also one that was told with the token of an earlier attempt; the same said twice is one', async () => {
  const { callbackRecords } = house;
  await callbackRecords.open(attemptOf(run), first);
  const later = await nextAttempt();
  expect(await callbackRecords.open(attemptOf(later), second)).toMatchObject({ told: undefined });
  expect(await callbackRecords.proves(run.id, '1', first.token)).toBe(true);
  expect(await callbackRecords.keep(run.id, DONE)).toBe('kept');
  expect(await callbackRecords.keep(run.id, DONE)).toBe('kept');
  expect(await callbackRecords.keep(run.id, FAILED)).toBe('contradicted');
  expect(await callbackRecords.open(attemptOf(later), second)).toMatchObject({ kind: 'open', told: DONE });
});

test('what is told between two attempts waits for the next one', async () => {
  const { callbackRecords } = house;
  await callbackRecords.open(attemptOf(run), first);
  await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  expect(await callbackRecords.keep(run.id, DONE)).toBe('kept');
  const reply = await house.attemptRecords.start(await runOf(house, run.id), 'worker-2');
  if (reply.kind !== 'started') throw new Error(reply.kind);
  expect(await callbackRecords.open(attemptOf(reply.run), second)).toMatchObject({ kind: 'open', told: DONE });
});

describe('told between two attempts, and then somebody wants the run to end in the queue', () => {
  beforeEach(async () => {
    await house.callbackRecords.open(attemptOf(run), first);
    await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
    run = await runOf(house, run.id);
  });

  test.each([
    ['done', '{"state":"done","summary":"Fixed.","links":[]}', 'completed', 'the service says done'],
    ['failed', '{"state":"failed","reason":"no tests"}', 'failed', 'the service says failed: no tests'],
  ])('%s: that is its end, as was promised', async (_, told, state, reason) => {
    await house.callbackRecords.keep(run.id, told);
    expect(await house.canceller.cancel(run, 'alice')).toMatchObject({
      kind: 'told',
      run: run.id,
      end: { state, reason },
    });
    expect(await runOf(house, run.id)).toMatchObject({ state, reason, labelState: 'unconfirmed', turn: 2 });
    expect(await redis.client.zscore(house.redis.keys.runs('queued'), run.id)).toBeNull();
    expect(await redis.client.zscore(house.redis.keys.runs('failed'), run.id)).toEqual(
      state === 'failed' ? expect.any(String) : null,
    );
    expect((await house.runs.result(run.id))?.summary).toBe(state === 'completed' ? 'Fixed.' : undefined);
    expect(await house.decisions.ofTicket(run.ticket, 1)).toMatchObject([
      { by: 'cancel', outcome: `${state}: ${reason}` },
    ]);
    expect(await house.callbackRecords.keep(run.id, told)).toBe('kept');
  });

  test('the worker that takes its turn finds the ticket closed: the same', async () => {
    await house.callbackRecords.keep(run.id, DONE);
    house.hub.closeIssue(`${REPOSITORY}#1`);
    const { processor, runners } = openWorkerRoom(house);
    await processor.process({ run: run.id, turn: run.turn });
    expect(runners).toEqual([]);
    expect(await runOf(house, run.id)).toMatchObject({ state: 'completed', reason: 'the service says done' });
  });

  test('nothing was told: cancelled, and what is told then is refused', async () => {
    expect(await house.canceller.cancel(run, 'alice')).toMatchObject({ kind: 'cancelled' });
    expect(await house.callbackRecords.keep(run.id, DONE)).toBe('ended');
  });
});

describe('told while an attempt is at work, which ends without having looked', () => {
  const TOLD = '{"state":"done","summary":"Fixed.","links":[]}';
  const ended = { output: 'a line', onlyIfDead: false };
  test.each([
    ['its worker leaves, and people cancel', { state: 'cancelled', reason: 'cancelled by alice', interrupted: true }],
    ['it died once too often', { state: 'failed', reason: 'interrupted 20 times', interrupted: true }],
    ['its time is up', { state: 'failed', reason: 'timed out', result: { summary: 'No.', links: [] } }],
  ] as const)('%s: what was told is the end of its run, as was promised', async (_, end) => {
    const { attemptRecords, callbackRecords } = house;
    await callbackRecords.open(attemptOf(run), first);
    await callbackRecords.keep(run.id, TOLD);
    const told = { state: 'completed', reason: 'the service says done' };
    const finish = () => attemptRecords.finish(attemptOf(run), { ...end, ...ended });
    expect(await finish()).toMatchObject(told);
    expect(await runOf(house, run.id)).toMatchObject({ ...told, labelState: 'unconfirmed' });
    expect((await house.runs.result(run.id))?.summary).toBe('Fixed.');
    expect(await house.runs.output(run.id)).toBe('a line');
    // It needs not be told of that.
    expect(await redis.client.exists(house.redis.keys.unheard)).toBe(0);
    // The answer may be lost.
    expect(await finish()).toMatchObject(told);
  });

  test("an attempt that is not the run's any more ends nothing with it", async () => {
    await house.callbackRecords.open(attemptOf(run), first);
    await house.callbackRecords.keep(run.id, TOLD);
    const earlier = run;
    await nextAttempt();
    const end = { state: 'failed', reason: 'timed out', ...ended } as const;
    expect(await house.attemptRecords.finish(attemptOf(earlier), end)).toBe('superseded');
    expect((await runOf(house, run.id)).state).toBe('running');
  });
});

test('after its end nothing more counts, but what had been told may be said again', async () => {
  const { callbackRecords } = house;
  await callbackRecords.open(attemptOf(run), first);
  await callbackRecords.keep(run.id, DONE);
  await end();
  expect(await callbackRecords.keep(run.id, DONE)).toBe('kept');
  expect(await callbackRecords.keep(run.id, FAILED)).toBe('ended');
});

test('a result after an end that nobody told of is refused, and not kept', async () => {
  await house.callbackRecords.open(attemptOf(run), first);
  await end();
  expect(await house.callbackRecords.keep(run.id, DONE)).toBe('ended');
  expect(await redis.client.hget(house.redis.keys.callback(run.id), 'told')).toBeNull();
});

test('tokens live for their timeout and a week, a result for a week', async () => {
  const key = house.redis.keys.callback(run.id);
  await house.callbackRecords.open(attemptOf(run), first);
  const { outputTtlMs } = house.timing;
  const leftMs = await redis.client.pttl(key);
  expect(leftMs).toBeGreaterThan(outputTtlMs);
  expect(leftMs).toBeLessThanOrEqual(outputTtlMs + first.timeoutMs);
  await house.callbackRecords.keep(run.id, DONE);
  expect(await redis.client.pttl(key)).toBeLessThanOrEqual(outputTtlMs);
});

test('whoever listens hears of a result, by one connection for all of them, which ends with the last', async () => {
  const connections = async (): Promise<number> => {
    const clients = String(await redis.client.client('LIST', 'TYPE', 'PUBSUB'));
    return clients.split('\n').filter((line) => line.includes(' sub=1 ')).length;
  };
  const heard = { one: 0, other: 0 };
  const [one, other] = [new AbortController(), new AbortController()];
  house.callbackRecords.onTold(() => (heard.one += 1), one.signal);
  house.callbackRecords.onTold(() => (heard.other += 1), other.signal);
  await until('it is subscribed', async () => (await connections()) === 1);
  await house.callbackRecords.keep(run.id, DONE);
  await until('both have heard', () => heard.one > 0 && heard.other > 0);
  one.abort();
  expect(await connections()).toBe(1);
  other.abort();
  await until('the connection is gone', async () => (await connections()) === 0);
  house.callbackRecords.onTold(() => (heard.one += 1), new AbortController().signal);
  await until('it is subscribed again', async () => (await connections()) === 1);
});
