/** When an attempt counts as dead, and what becomes of its run (PROTOCOL 6, StaleJobDetector). */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import { TermLost } from '../../src/coordination/leader.ts';
import { MOST_INTERRUPTED, type Run } from '../../src/domain/run.ts';
import { createStaleJobDetector } from '../../src/repair/stale-job-detector.ts';
import type { AttemptRecords } from '../../src/runs/attempt-records.ts';
import { pauseAfter } from '../../src/worker/turn-processor.ts';
import { type House, openHouse, silentLog } from '../support/house.ts';
import { recordTrace } from '../support/recorded-trace.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, runningRun, runOf } from '../worker/worker-room.ts';
import { repairs, termOf } from './terms.ts';

const redis = useRedis();
const CONFIRM_MS = 60;
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

function detector(options: { readonly contacts?: () => number } & Partial<Pick<AttemptRecords, 'handBack'>> = {}) {
  const { told, onRepair } = repairs();
  const trace = recordTrace();
  const pass = createStaleJobDetector(
    {
      runs: house.runs,
      records: { ...house.attemptRecords, handBack: options.handBack ?? house.attemptRecords.handBack },
      queue: house.queue,
      pauseAfter: (attempt) => pauseAfter(attempt, house.timing),
      contacts: options.contacts ?? (() => 1),
      log: silentLog,
      onRepair,
      trace,
    },
    { staleConfirmMs: CONFIRM_MS },
  );
  return { pass, told, trace };
}

const die = (run: Run) => redis.client.del(house.redis.keys.heartbeat(run.ticket));
const confirmTime = () => delay(CONFIRM_MS + 5);

test('an attempt whose heartbeat was missing on two passes, far enough apart, is handed back with a job', async () => {
  const run = await runningRun(house, 'worker-7');
  const { pass, told } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running' });
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({
    state: 'queued',
    turn: 2,
    interrupted: 1,
    reason: 'its worker worker-7 died',
  });
  expect(await house.runs.attempts(run.id)).toMatchObject([
    { number: 1, worker: 'worker-7', end: { how: 'interrupted', reason: 'its worker worker-7 died' } },
  ]);
  expect(await house.queue.isQueued({ run: run.id, turn: 2 })).toBe(true);
  expect(told.map(({ kind, outcome }) => [kind, outcome])).toEqual([['dead-attempt', 'hand-back']]);
});

test('a dead attempt, whose worker can tell nothing any more, is told of as interrupted, once', async () => {
  const run = await runningRun(house, 'worker-7');
  const { pass, trace } = detector();
  await die(run);
  await pass(termOf());
  await confirmTime();
  await pass(termOf());
  await pass(termOf());
  expect(trace.spans).toMatchObject([
    {
      trace: run.id,
      key: 'attempt/1',
      startMs: run.startedAtMs,
      failure: 'interrupted',
      attributes: { 'agentsmith.worker': 'worker-7' },
    },
  ]);
});

test('an attempt that beats on the second look is untouched, and must be missing twice anew', async () => {
  const run = await runningRun(house);
  const { pass, told } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  await house.attemptRecords.beat(attemptOf(run));
  await pass(term);
  await die(run);
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', turn: 1 });
  expect(told).toEqual([]);
});

test('an attempt that beats in the very last moment keeps its run: the script looks once more', async () => {
  const run = await runningRun(house);
  const { told, onRepair } = repairs();
  const pass = createStaleJobDetector(
    {
      runs: house.runs,
      records: { ...house.attemptRecords, beating: async (tickets) => tickets.map(() => false) },
      queue: house.queue,
      pauseAfter: () => 0,
      contacts: () => 1,
      log: silentLog,
      onRepair,
    },
    { staleConfirmMs: CONFIRM_MS },
  );
  const term = termOf();
  await pass(term);
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', turn: 1 });
  await redis.client.hset(house.redis.keys.run(run.id), 'cancelRequested', 'alice');
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', turn: 1 });
  expect(told).toEqual([]);
});

test('passes of different terms do not add up', async () => {
  const run = await runningRun(house);
  const { pass } = detector();
  await die(run);
  await pass(termOf(1));
  await confirmTime();
  await pass(termOf(2));
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running' });
});

test('passes before and after a break of the contact to Redis do not add up', async () => {
  const run = await runningRun(house);
  let contacts = 1;
  const { pass } = detector({ contacts: () => contacts });
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  contacts = 2;
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running' });
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'queued' });
});

test('the absence of one attempt is not counted against the next one of the same run', async () => {
  const run = await runningRun(house);
  const { pass } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  const next = await house.attemptRecords.start(await runOf(house, run.id), 'worker-2');
  expect(next.kind).toBe('started');
  await die(run);
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', attempt: 2 });
});

test('a leader whose trust is over buries nobody', async () => {
  const run = await runningRun(house);
  const { pass } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  term.lose();
  await expect(pass(term)).rejects.toThrow(TermLost);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', turn: 1 });
});

test.each([
  {
    what: 'that somebody wanted to cancel',
    fields: { cancelRequested: 'alice' },
    state: 'cancelled',
    reason: 'cancelled by alice',
  },
  {
    what: 'that was interrupted too often',
    fields: { interrupted: String(MOST_INTERRUPTED - 1) },
    state: 'failed',
    reason: 'interrupted 20 times',
  },
])('a dead attempt of a run $what ends the run', async ({ fields, state, reason }) => {
  const run = await runningRun(house);
  await redis.client.hset(house.redis.keys.run(run.id), fields);
  const { pass } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state, reason, turn: 1 });
  expect(await house.runs.attempts(run.id)).toMatchObject([{ end: { how: 'interrupted' } }]);
  expect(await house.queue.isQueued({ run: run.id, turn: 2 })).toBe(false);
});

test('a dead attempt of a run that was to be cancelled, whose service had told a result: that is its end', async () => {
  const run = await runningRun(house);
  await house.canceller.cancel(run, 'alice');
  await house.callbackRecords.keep(run.id, '{"state":"done"}');
  const { pass, told } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'completed', reason: 'the service says done' });
  expect(told.map(({ kind, outcome }) => [kind, outcome])).toEqual([['dead-attempt', 'told']]);
});

test('somebody cancels the run after its attempt was judged dead: it ends, instead of another turn', async () => {
  const run = await runningRun(house);
  const { pass, told } = detector({
    handBack: async (...args) => {
      await house.canceller.cancel(run, 'alice');
      return await house.attemptRecords.handBack(...args);
    },
  });
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  await pass(term);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice', turn: 1 });
  expect(told.map(({ kind, outcome }) => [kind, outcome])).toEqual([['dead-attempt', 'cancel']]);
});

test('a run that has been handed back before waits before its next turn', async () => {
  const run = await runningRun(house);
  await redis.client.hset(house.redis.keys.run(run.id), 'turn', '2', 'attempt', '2');
  const { pass } = detector();
  const term = termOf();
  await die(run);
  await pass(term);
  await confirmTime();
  await pass(term);
  expect(await redis.client.zrange(`${house.redis.keys.queuePrefix}:runs:delayed`, '0', '-1')).toEqual([`${run.id}-3`]);
});
