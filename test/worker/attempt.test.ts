/** One attempt under supervision: beats, trust, what an outage or a loss of Redis does to it, and its last word. */
import { expect, onTestFinished, test } from 'vitest';
import { MOST_INTERRUPTED, type Run } from '../../src/domain/run.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import { elapsedMs, now } from '../../src/foundation/clock.ts';
import { OperationError } from '../../src/foundation/errors.ts';
import type { AttemptRecords } from '../../src/runs/attempt-records.ts';
import { superviseAttempt } from '../../src/worker/attempt.ts';
import { createTrust } from '../../src/worker/trust.ts';
import { FAST, type House, openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import {
  attemptOf,
  EXITED_0,
  openWorkerRoom,
  QUIET_REDIS,
  queuedRun,
  runningRun,
  runOf,
  scriptedRunner,
} from './worker-room.ts';

const redis = useRedis();
const house = (timing = FAST) => openHouse({ redisUrl: redis.url, timing });
/** No beat but the first in the time of a test. */
const RARE_BEATS = { ...FAST, heartbeatMs: 60_000 };
/** For tests that wait for the end of trust. */
const FASTER = scaleTiming(DEFAULT_TIMING, 0.04);

function supervise(
  site: House,
  run: Run,
  records: Partial<AttemptRecords> = {},
  redisSeen = QUIET_REDIS,
  { leashed = true } = {},
) {
  const runner = scriptedRunner();
  const giveUp = new AbortController();
  onTestFinished(() => {
    giveUp.abort();
    runner.end({ kind: 'stopped', reason: 'the test is over', outputTail: '' });
  });
  const trust = createTrust({ ...site.timing, startedAt: now() });
  const attempt = superviseAttempt(
    run,
    {
      records: { ...site.attemptRecords, ...records },
      handle: runner.handle,
      trust,
      redis: redisSeen,
      log: silentLog,
      giveUp: giveUp.signal,
    },
    { ...site.timing, maxAttempts: 3, leashed },
  );
  return { runner, attempt, giveUp, trust };
}

const away = async (): Promise<never> => {
  throw new OperationError('script', new Error('redis is unreachable'));
};

test('FLUSHALL under a running attempt: the worker writes it again, and the run ends once', async () => {
  const site = await house();
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  await until('a beat was accepted', () => runner.beats() > 0);
  await redis.client.flushall();
  await until('the record is there again', () => site.runs.get(run.id));
  expect(await runOf(site, run.id)).toMatchObject({
    state: 'running',
    attempt: 1,
    attemptFence: run.attemptFence,
    project: 'api',
  });
  expect(await site.runs.ofTicket(run.ticket)).toMatchObject({ id: run.id });
  expect(await site.attemptRecords.beating([run.ticket])).toEqual([true]);
  runner.end(EXITED_0);
  expect(await attempt.ended).toEqual({ kind: 'finished', state: 'completed', reason: 'exit code 0' });
  expect(runner.stops).toEqual([]);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1, interrupted: 0 });
});

test('FLUSHALL between the last beat and the end: the end is recorded all the same', async () => {
  const site = await house(RARE_BEATS);
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  await until('the first beat was accepted', () => runner.beats() > 0);
  await redis.client.flushall();
  runner.end(EXITED_0);
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'completed' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('FLUSHALL just before a drain: the run is handed back all the same', async () => {
  const site = await house(RARE_BEATS);
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  await until('the first beat was accepted', () => runner.beats() > 0);
  await redis.client.flushall();
  attempt.drain();
  expect(await attempt.ended).toMatchObject({ kind: 'handed-back', turn: 2, reason: 'drained' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 2, interrupted: 1 });
});

test('after FLUSHALL a newer claim of the ticket wins: the old attempt is stopped and writes nothing', async () => {
  const site = await house();
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  await until('a beat was accepted', () => runner.beats() > 0);
  await redis.client
    .multi()
    .flushall()
    .hset(site.redis.keys.ticket(run.ticket), { run: 'another', fence: String(run.attemptFence + 60_000) })
    .exec();
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(runner.stops).toEqual(['superseded']);
  expect(await site.runs.get(run.id)).toBeUndefined();
  expect(await redis.client.hget(site.redis.keys.ticket(run.ticket), 'run')).toBe('another');
});

test('a superseded attempt is stopped and writes nothing, also when its runner still ends well', async () => {
  const site = await house();
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  runner.stubborn = true;
  await until('a beat was accepted', () => runner.beats() > 0);
  await site.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'judged dead' });
  const handedBack = await redis.client.hgetall(site.redis.keys.run(run.id));
  await until('the runner is told', () => runner.stops.includes('superseded'));
  runner.end(EXITED_0);
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(await redis.client.hgetall(site.redis.keys.run(run.id))).toEqual(handedBack);
});

test('a superseded attempt that has not noticed yet is refused by its fence', async () => {
  const site = await house(RARE_BEATS);
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  await until('the first beat was accepted', () => runner.beats() > 0);
  await site.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'judged dead' });
  const next = await site.attemptRecords.start(await runOf(site, run.id), 'worker-2');
  expect(next.kind).toBe('started');
  runner.end(EXITED_0);
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'running', attempt: 2, worker: 'worker-2' });
});

test('a finish that Redis took but whose answer was lost counts as finished, and its label is written', async () => {
  const site = await house();
  const run = await queuedRun(site);
  let lost = 0;
  const { processor } = openWorkerRoom(site, {
    ends: EXITED_0,
    records: {
      finish: async (name, end) => {
        const reply = await site.attemptRecords.finish(name, end);
        lost += 1;
        return lost === 1 ? await away() : reply;
      },
    },
  });
  await processor.process({ run: run.id, turn: 1 });
  expect(lost).toBe(2);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
  await until('the label is done', () => site.labelsOf(1).includes('agent-smith:done'));
});

test('a hand-back that Redis took but whose answer was lost leaves one further turn, without a job, to repair', async () => {
  const site = await house();
  const run = await runningRun(site);
  let lost = 0;
  const { attempt } = supervise(site, run, {
    handBack: async (name, how) => {
      const reply = await site.attemptRecords.handBack(name, how);
      lost += 1;
      return lost === 1 ? await away() : reply;
    },
  });
  attempt.drain();
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 2, interrupted: 1 });
});

test('a runner that takes its time to cancel hears that the worker leaves, and the run is cancelled all the same', async () => {
  const site = await house();
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run, { beat: async () => ({ kind: 'ok', cancelRequested: 'dana' }) });
  runner.stubborn = true;
  await until('it is told to cancel', () => runner.stops.length > 0);
  attempt.drain();
  expect(runner.stops).toEqual(['cancelled', 'drained']);
  runner.end({ kind: 'stopped', reason: 'cancelled', outputTail: '' });
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'cancelled' });
});

test('beats go on until Redis has taken the end, so an outage at the end costs nothing', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  let refused = 0;
  const { runner, attempt } = supervise(site, run, {
    finish: async (name, end) => {
      refused += 1;
      return runner.beats() < 8 ? await away() : await site.attemptRecords.finish(name, end);
    },
  });
  runner.end(EXITED_0);
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'completed' });
  expect(refused).toBeGreaterThan(1);
  // Longer than the heartbeat lives.
  expect(7 * site.timing.heartbeatMs).toBeGreaterThanOrEqual(site.timing.heartbeatTtlMs);
});

test('no accepted beat for the whole trust: the runner is stopped, the run is handed back as interrupted', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  let outage = false;
  const { runner, attempt } = supervise(site, run, {
    beat: (name) => (outage ? away() : site.attemptRecords.beat(name)),
  });
  await until('a beat was accepted', () => runner.beats() > 0);
  outage = true;
  await until('the runner is told', () => runner.stops.length > 0);
  expect(runner.stops).toEqual(['trust-lost']);
  expect(await attempt.ended).toMatchObject({ kind: 'handed-back', turn: 2, reason: 'trust-lost' });
  expect(await runOf(site, run.id)).toMatchObject({ interrupted: 1 });
});

test('Redis refuses connections for longer than the trust: the runner is spared, and goes on with the next beat', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  let outage = false;
  const { runner, attempt, trust } = supervise(
    site,
    run,
    { beat: (name) => (outage ? away() : site.attemptRecords.beat(name)) },
    { ...QUIET_REDIS, refused: () => outage },
  );
  await until('a beat was accepted', () => runner.beats() > 0);
  outage = true;
  await until('trust has ended', () => !trust.trusted());
  const spared = runner.spares();
  await until('it is spared on', () => runner.spares() > spared + 2);
  const beats = runner.beats();
  outage = false;
  await until('beats are accepted again', () => runner.beats() > beats);
  runner.end(EXITED_0);
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'completed' });
  expect(runner.stops).toEqual([]);
});

test('trust that ended is not given back while Redis recovers: others report first', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  let outage = false;
  let recovering = false;
  const { runner, attempt, trust } = supervise(
    site,
    run,
    { beat: (name) => (outage ? away() : site.attemptRecords.beat(name)) },
    { refused: () => outage, recovering: () => recovering },
  );
  await until('a beat was accepted', () => runner.beats() > 0);
  recovering = true;
  const early = runner.beats();
  await until('a trusted attempt does not care', () => runner.beats() > early);
  outage = true;
  await until('trust has ended', () => !trust.trusted());
  outage = false;
  const [beats, spares] = [runner.beats(), runner.spares()];
  await until('beats are accepted again', () => runner.spares() > spares + 2);
  expect(runner.beats()).toBe(beats);
  expect(trust.leftMs()).toBe(0);
  recovering = false;
  await until('it goes on', () => runner.beats() > beats && trust.trusted());
  runner.end(EXITED_0);
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'completed' });
  expect(runner.stops).toEqual([]);
});

test('Redis refuses no more but is not back either: the runner is stopped when that has lasted', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  let [outage, refused] = [false, true];
  const { runner, attempt, trust } = supervise(
    site,
    run,
    { beat: (name) => (outage ? away() : site.attemptRecords.beat(name)) },
    { ...QUIET_REDIS, refused: () => refused },
  );
  await until('a beat was accepted', () => runner.beats() > 0);
  outage = true;
  await until('trust has ended', () => !trust.trusted());
  expect(runner.stops).toEqual([]);
  const spares = runner.spares();
  refused = false;
  outage = true;
  await until('the runner is told', () => runner.stops.length > 0);
  expect(runner.spares() - spares).toBeLessThanOrEqual(1);
  outage = false;
  expect(await attempt.ended).toMatchObject({ kind: 'handed-back', reason: 'trust-lost' });
});

test('a superseded attempt has no trust left, however fresh its last beat', async () => {
  const site = await house();
  const run = await runningRun(site);
  const { runner, attempt, trust } = supervise(site, run);
  await until('a beat was accepted', () => runner.beats() > 0);
  expect(trust.trusted()).toBe(true);
  await site.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'judged dead' });
  expect(await attempt.ended).toEqual({ kind: 'superseded' });
  expect(trust.leftMs()).toBe(0);
});

test('an outage shorter than the trust leaves the runner alone', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  let missed = 0;
  const { runner, attempt } = supervise(site, run, {
    beat: (name) => {
      missed += 1;
      return missed > 1 && missed < 4 ? away() : site.attemptRecords.beat(name);
    },
  });
  await until('beats are accepted again', () => missed > 4);
  runner.end(EXITED_0);
  expect(await attempt.ended).toMatchObject({ kind: 'finished' });
  expect(runner.stops).toEqual([]);
});

test('a process that must end does not wait for Redis for ever: the record is left to repair', async () => {
  const site = await house();
  const run = await runningRun(site);
  const { runner, attempt, giveUp } = supervise(site, run, { finish: away });
  runner.end(EXITED_0);
  giveUp.abort();
  expect(await attempt.ended).toEqual({ kind: 'unrecorded' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'running' });
});

test('a runner that fails to say how it ended: no beat from then on, and another turn when its leash must have ended it', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  const { runner, attempt } = supervise(site, run);
  await until('a beat was accepted', () => runner.beats() > 0);
  const failedAt = now();
  runner.fail(new Error('spawn EMFILE'));
  expect(await attempt.ended).toEqual({ kind: 'handed-back', turn: 2, reason: 'the runner failed: spawn EMFILE' });
  expect(elapsedMs(failedAt)).toBeGreaterThanOrEqual(site.timing.trustKillMs);
  // One may have been on its way.
  expect(runner.beats()).toBeLessThanOrEqual(2);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 2, interrupted: 1 });
});

test('a runner that fails while its process must end: the record is left to repair, and nothing beats on', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  const { runner, attempt, giveUp } = supervise(site, run);
  runner.fail(new Error('spawn EMFILE'));
  attempt.drain();
  giveUp.abort();
  expect(await attempt.ended).toEqual({ kind: 'unrecorded' });
  await until('the heartbeat expires', async () => !(await site.attemptRecords.beating([run.ticket])).includes(true));
  expect(await runOf(site, run.id)).toMatchObject({ state: 'running' });
});

test('the drain that interrupts a run too often fails it', async () => {
  const site = await house();
  const run = await runningRun(site);
  await redis.client.hset(site.redis.keys.run(run.id), 'interrupted', MOST_INTERRUPTED - 1);
  const { attempt } = supervise(site, await runOf(site, run.id));
  attempt.drain();
  expect(await attempt.ended).toEqual({
    kind: 'finished',
    state: 'failed',
    reason: 'interrupted 20 times, last: drained',
  });
  expect(await site.runs.attempts(run.id)).toMatchObject([{ end: { how: 'interrupted' } }]);
});

test('detached work is handed on by a drain: it counts for nothing, however often the run was interrupted', async () => {
  const site = await house();
  const run = await runningRun(site);
  const interrupted = MOST_INTERRUPTED - 1;
  await redis.client.hset(site.redis.keys.run(run.id), { interrupted });
  const { attempt } = supervise(site, await runOf(site, run.id), {}, QUIET_REDIS, { leashed: false });
  attempt.letGo();
  expect(await attempt.ended).toEqual({ kind: 'handed-back', turn: 2, reason: 'drained', handedOn: true });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 2, interrupted, handedOn: 1 });
  expect(await site.runs.attempts(run.id)).toMatchObject([{ end: { how: 'handed-on', reason: 'drained' } }]);
});

test('detached work whose run is to be cancelled when its worker shuts down: who does it has yet to be told', async () => {
  const site = await house(RARE_BEATS);
  const run = await runningRun(site);
  await site.canceller.cancel(run, 'alice');
  const { attempt } = supervise(
    site,
    run,
    { beat: async () => ({ kind: 'ok', cancelRequested: undefined }) },
    QUIET_REDIS,
    {
      leashed: false,
    },
  );
  attempt.letGo();
  expect(await attempt.ended).toEqual({ kind: 'finished', state: 'cancelled', reason: 'cancelled by alice' });
  expect(await redis.client.zrange(site.redis.keys.unheard, '0', '-1')).toEqual([run.id]);
  expect(await site.runs.attempts(run.id)).toMatchObject([{ end: { how: 'interrupted' } }]);
});

test('detached work whose service had told a result when people cancelled and its worker shut down: that is its end', async () => {
  const site = await house(RARE_BEATS);
  const run = await runningRun(site);
  await site.callbackRecords.keep(run.id, '{"state":"done","summary":"Fixed.","links":[]}');
  await site.canceller.cancel(run, 'alice');
  const { attempt } = supervise(site, run, {}, QUIET_REDIS, { leashed: false });
  attempt.letGo();
  const result = { summary: 'Fixed.', links: [] };
  expect(await attempt.ended).toEqual({
    kind: 'finished',
    state: 'completed',
    reason: 'the service says done',
    result,
  });
  expect(await redis.client.exists(site.redis.keys.unheard)).toBe(0);
});

test('detached work that loses its trust is interrupted, and a leashed one is not let go of', async () => {
  const site = await house(FASTER);
  const run = await runningRun(site);
  const { attempt, runner } = supervise(site, run);
  attempt.letGo();
  runner.end(EXITED_0);
  expect(await attempt.ended).toMatchObject({ kind: 'finished', state: 'completed' });
  expect(runner.stops).toEqual([]);
  const other = await runningRun(site);
  const detached = supervise(site, other, { beat: away }, QUIET_REDIS, { leashed: false });
  expect(await detached.attempt.ended).toMatchObject({ kind: 'handed-back', reason: 'trust-lost' });
  const ended = await runOf(site, other.id);
  expect([ended.interrupted, ended.handedOn]).toEqual([1, undefined]);
});
