/**
 * Redis has forgotten an attempt, and with it whether the attempt was replaced: who may write it again. The sequences were
 * found by the model (`test/model`).
 */
import { expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import { now } from '../../src/foundation/clock.ts';
import { OperationError } from '../../src/foundation/errors.ts';
import type { AttemptRecords } from '../../src/runs/attempt-records.ts';
import { type Attempt, superviseAttempt } from '../../src/worker/attempt.ts';
import { createTrust, type Trust } from '../../src/worker/trust.ts';
import { type House, openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, EXITED_0, QUIET_REDIS, runningRun, type ScriptedRunner, scriptedRunner } from './worker-room.ts';

const redis = useRedis();
/** Trust for 800 ms. */
const timing = scaleTiming(DEFAULT_TIMING, 0.04);
const DIED = { onlyIfDead: false, interrupted: true, reason: 'its worker died' };
const DONE = { state: 'completed', reason: 'exit code 0', output: '', onlyIfDead: false } as const;

interface Supervised {
  readonly attempt: Attempt;
  readonly runner: ScriptedRunner;
  readonly trust: Trust;
}

function supervise(run: Run, records: AttemptRecords): Supervised {
  const trust = createTrust({ ...timing, startedAt: now() });
  const runner = scriptedRunner();
  const giveUp = new AbortController();
  const attempt = superviseAttempt(
    run,
    {
      records,
      handle: runner.handle,
      trust,
      redis: QUIET_REDIS,
      log: silentLog,
      giveUp: giveUp.signal,
    },
    { ...timing, maxAttempts: 3, leashed: true },
  );
  onTestFinished(async () => {
    runner.end(EXITED_0);
    giveUp.abort();
    await attempt.ended;
  });
  return { attempt, runner, trust };
}

/** Another worker brings the run to its end; then Redis forgets all of it. */
async function replaceAndForget(house: House, run: Run): Promise<void> {
  const [taken] = await house.runs.inState('queued', { most: 1 });
  if (taken === undefined) throw new Error('the run was not handed back');
  const reply = await house.attemptRecords.start(taken, 'worker-2');
  if (reply.kind !== 'started') throw new Error(`not started: ${reply.kind}`);
  expect(await house.attemptRecords.finish(attemptOf(reply.run), DONE)).toBe('finished');
  await redis.client.flushall();
  expect(await house.runs.get(run.id)).toBeUndefined();
}

/** The records of a worker that does not reach Redis until it is let back. */
function cutOff(house: House): { readonly records: AttemptRecords; back(): void } {
  let cut = true;
  const through = <A extends unknown[], R>(act: (...args: A) => Promise<R>) => {
    return async (...args: A): Promise<R> => {
      if (cut) throw new OperationError('reach redis', new Error('cut off'));
      return await act(...args);
    };
  };
  const { beat, finish, handBack, ...rest } = house.attemptRecords;
  return {
    records: { ...rest, beat: through(beat), finish: through(finish), handBack: through(handBack) },
    back: () => {
      cut = false;
    },
  };
}

test('a worker that lost its trust, and was replaced, before Redis forgot everything: its attempt is not written again', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  const { records, back } = cutOff(house);
  const { attempt, runner } = supervise(run, records);
  await until('trust is lost', () => runner.stops.length > 0);
  await house.attemptRecords.handBack(attemptOf(run), DIED);
  await replaceAndForget(house, run);
  back();
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(await house.runs.get(run.id)).toBeUndefined();
});

test('a hand-back whose answer was lost may have been taken: the attempt is not written again after a loss', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  const { attempt } = supervise(run, {
    ...house.attemptRecords,
    async handBack(name, how) {
      const reply = await house.attemptRecords.handBack(name, how);
      if (reply.kind !== 'handed-back') return reply;
      await replaceAndForget(house, run);
      throw new OperationError('hand back', new Error('the answer was lost'));
    },
  });
  attempt.drain();
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(await house.runs.get(run.id)).toBeUndefined();
});

test('an end is told to a Redis that has forgotten the attempt, with or without trust: it starts nothing', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  const { records, back } = cutOff(house);
  const { attempt, runner, trust } = supervise(run, records);
  runner.end(EXITED_0);
  await until('trust is lost', () => trust.lost());
  await redis.client.flushall();
  back();
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'completed' });
  expect(await house.runs.get(run.id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('a wish to cancel that its worker has heard outlives a loss: the run gets no further turn, whoever dies then', async () => {
  const house = await openHouse({ redisUrl: redis.url, timing });
  const run = await runningRun(house);
  const { attempt, runner } = supervise(run, house.attemptRecords);
  runner.stubborn = true;
  await house.cancellations.request(run, 'ann');
  await until('the worker has heard of it', () => runner.stops.includes('cancelled'));
  await redis.client.flushall();
  await until('the attempt is written again', async () => (await house.runs.get(run.id))?.state === 'running');
  expect((await house.runs.get(run.id))?.cancelRequested).toBe('ann');
  // A failover may lose the wish alone.
  await redis.client.hdel(house.redis.keys.run(run.id), 'cancelRequested');
  runner.end({ kind: 'lost', reason: 'nobody knows', outputTail: '' });
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'cancelled', reason: 'cancelled by ann' });
});
