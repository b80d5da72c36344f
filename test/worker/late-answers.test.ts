/**
 * Answers of Redis that come late: what they allow is counted from when they were asked for. And what is waited for, or not
 * said any more, before a run is given back.
 */
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import { elapsedMs, type Moment, now } from '../../src/foundation/clock.ts';
import type { AttemptRecords, BeatReply } from '../../src/runs/attempt-records.ts';
import { type Attempt, superviseAttempt } from '../../src/worker/attempt.ts';
import { createTrust } from '../../src/worker/trust.ts';
import { heldFor } from '../support/held-answer.ts';
import { type House, openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import {
  EXITED_0,
  openWorkerRoom,
  QUIET_REDIS,
  queuedRun,
  runningRun,
  runOf,
  type ScriptedRunner,
  scriptedRunner,
} from './worker-room.ts';

const redis = useRedis();
/** Of the worker alone: trust for 800 ms, a call of 320 ms. */
const timing = scaleTiming(DEFAULT_TIMING, 0.04);

interface Supervised {
  readonly runner: ScriptedRunner;
  readonly attempt: Attempt;
  /** When the accepted beats were sent, as the runner was told. */
  readonly sent: readonly Moment[];
}

async function supervise(house: House, records: Partial<AttemptRecords> = {}): Promise<Supervised> {
  const run = await runningRun(house);
  const runner = scriptedRunner();
  const sent: Moment[] = [];
  const handle = {
    ...runner.handle,
    beat(sentAt: Moment) {
      sent.push(sentAt);
      runner.handle.beat(sentAt);
    },
  };
  const giveUp = new AbortController();
  const attempt = superviseAttempt(
    run,
    {
      records: { ...house.attemptRecords, ...records },
      handle,
      trust: createTrust({ ...timing, startedAt: now() }),
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
  return { runner, attempt, sent };
}

test('a start whose answer came late: runner and labels are trusted from when it was asked for', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await queuedRun(house);
  const silence = Promise.withResolvers<BeatReply>();
  const late = timing.trustTermMs - timing.claimCallMs / 2;
  const { processor, runners } = openWorkerRoom(
    { ...house, timing },
    {
      records: { start: heldFor(late, house.attemptRecords.start), beat: () => silence.promise },
    },
  );
  const work = processor.process({ run: run.id, turn: 1 });
  const runner = await until('it has started', () => runners[0]);
  expect(elapsedMs(runner.request.trustedSince)).toBeGreaterThan(late * 0.95);
  // Less trust is left than the write of a label may take, so none is written.
  await house.labels.idle();
  expect(house.labelsOf(1)).toContain('agent-smith:enqueued');
  silence.resolve({ kind: 'ok', cancelRequested: undefined });
  runner.end(EXITED_0);
  await work;
});

test('a beat whose answer came late is trusted from when it was sent, by the worker and by the guard', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const late = timing.trustTermMs * 0.9;
  let firstSent: Moment | undefined;
  const { runner, sent } = await supervise(house, {
    beat: async (name) => {
      if (firstSent !== undefined) throw new Error('redis is unreachable');
      firstSent = now();
      return await heldFor(late, house.attemptRecords.beat)(name);
    },
  });
  const told = await until('the beat was accepted', () => sent[0]);
  expect(elapsedMs(told)).toBeGreaterThan(late * 0.95);
  await until('the runner is stopped', () => runner.stops.includes('trust-lost'));
  // Not a whole trust after the answer.
  expect(elapsedMs(told)).toBeLessThan(timing.trustTermMs * 1.8);
});

test('a runner that takes its time to end keeps its run until it is gone, and its heartbeat with it', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const { runner, attempt } = await supervise(house);
  runner.stubborn = true;
  attempt.drain();
  expect(runner.stops).toEqual(['drained']);
  const beats = runner.beats();
  await until('it has beaten three times more', () => runner.beats() >= beats + 3);
  const run = await house.runs.ofTicket(house.keyOf(1));
  expect(run).toMatchObject({ state: 'running', turn: 1 });
  runner.end({ kind: 'stopped', reason: 'drained', outputTail: '' });
  expect(await attempt.ended).toMatchObject({ kind: 'handed-back', turn: 2 });
});

test('an attempt that was replaced says nothing more, whatever becomes of its runner', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const said: string[] = [];
  const { runner, attempt } = await supervise(house, {
    beat: async () => ({ kind: 'superseded' }),
    finish: async () => {
      said.push('finish');
      return 'superseded';
    },
    handBack: async () => {
      said.push('hand-back');
      return { kind: 'superseded' };
    },
  });
  runner.stubborn = true;
  await until('it is stopped', () => runner.stops.includes('superseded'));
  runner.end(EXITED_0);
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(said).toEqual([]);
});

test('an attempt whose trust was lost is not written again by what it remembers: others may have had the run since', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  let restored = 0;
  const { runner, attempt } = await supervise(house, {
    beat: async () => {
      if (runner.stops.length === 0) throw new Error('redis is unreachable');
      return { kind: 'unknown' };
    },
    restore: async () => {
      restored += 1;
      return true;
    },
  });
  runner.stubborn = true;
  await until('it has learnt that it is not known any more', () => runner.stops.includes('superseded'));
  expect(runner.stops).toEqual(['trust-lost', 'superseded']);
  runner.end({ kind: 'stopped', reason: 'trust-lost', outputTail: '' });
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(restored).toBe(0);
});

test('a run that was given away, by an answer that was lost, is not taken back after a loss of data', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  let lost = false;
  let restored = 0;
  const { runner, attempt } = await supervise(house, {
    handBack: async (...args) => {
      const reply = await house.attemptRecords.handBack(...args);
      if (lost) return reply;
      lost = true;
      // By then another worker may have taken it, and Redis has forgotten that too.
      await redis.client.flushall();
      throw new Error('the answer was lost');
    },
    restore: async () => {
      restored += 1;
      return true;
    },
  });
  await until('it beats', () => runner.beats() > 0);
  attempt.drain();
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(restored).toBe(0);
});

test('a worker that begins to shut down when a ticket has just been read starts nothing', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await queuedRun(house);
  const drained: Promise<void>[] = [];
  const platform = {
    ...house.platform,
    readTicket: async (...args: Parameters<House['platform']['readTicket']>) => {
      const ticket = await house.platform.readTicket(...args);
      drained.push(processor.drain());
      return ticket;
    },
  };
  const { processor, runners } = openWorkerRoom({ ...house, platform, timing });
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  await Promise.all(drained);
  expect(runners).toEqual([]);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'queued', attempt: 0, takes: 0, admittedAtMs: 0 });
});
