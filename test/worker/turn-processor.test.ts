/** What happens to a turn that a worker takes (PROTOCOL 4, steps 0 to 6), with runners that end as the test says. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { WITHDRAWALS } from '../../src/domain/withdrawal.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import type { AttemptRecords } from '../../src/runs/attempt-records.ts';
import type { RunnerEnd } from '../../src/worker/runners/runner.ts';
import { pauseAfter, type TurnProcessor } from '../../src/worker/turn-processor.ts';
import { FAST, openHouse, REPOSITORY, SLOTS_ELSEWHERE } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { admittedAgain, EXITED_0, openWorkerRoom, queuedRun, runOf } from './worker-room.ts';

const redis = useRedis();
const house = () => openHouse({ redisUrl: redis.url });
const READ_TICKET = { method: 'GET', path: /\/issues\/\d+$/ };
const RESULT = 'exit code 0';
const SAID = { summary: 'It needs a person.', links: [] };

test('a turn that ends well: completed, the label follows, the output is kept', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site, { ends: { ...EXITED_0, result: SAID } });
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  expect(await site.runs.result(run.id)).toEqual(SAID);
  const ended = await runOf(site, run.id);
  expect(ended).toMatchObject({ state: 'completed', reason: RESULT, attempt: 1, interrupted: 0, takes: 0 });
  expect(await site.runs.output(run.id)).toBe('all well');
  expect(runners[0]?.request).toMatchObject({ run: run.id, attempt: 1, fence: ended.attemptFence });
  await until('the label is read back', async () => (await runOf(site, run.id)).labelState === 'confirmed');
  expect(site.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:done']);
});

const ENDS: readonly { how: string; end: RunnerEnd; reason: string }[] = [
  { how: 'exits non-zero', end: { kind: 'exited', code: 3, outputTail: '', result: SAID }, reason: 'exit code 3' },
  {
    how: 'is killed from outside',
    end: { kind: 'signalled', signal: 'SIGSEGV', outputTail: '', result: SAID },
    reason: 'killed by SIGSEGV',
  },
  {
    how: 'reports that it failed',
    end: { kind: 'reported', done: false, reason: 'the service says failed', outputTail: '' },
    reason: 'the service says failed',
  },
  { how: 'times out', end: { kind: 'timed-out', timeoutMs: 1_500, outputTail: '' }, reason: 'timed out after 1.5 s' },
  {
    how: 'times out for a reason that is known',
    end: { kind: 'timed-out', timeoutMs: 1_500, detail: 'no node takes its pod', outputTail: '' },
    reason: 'timed out after 1.5 s: no node takes its pod',
  },
  {
    how: 'fails without an exit code',
    end: { kind: 'reported', done: false, reason: 'its Job was deleted', outputTail: '' },
    reason: 'its Job was deleted',
  },
];
test.each(ENDS)('a runner that $how is final: failed, with the reason', async ({ end, reason }) => {
  const site = await house();
  const run = await queuedRun(site);
  await openWorkerRoom(site, { ends: end }).processor.process({ run: run.id, turn: 1 });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'failed', reason, attempt: 1, turn: 1 });
  expect(await site.runs.result(run.id)).toEqual(end.result);
});

const UNREADABLE = [
  { kind: 'unavailable', status: 502 },
  { kind: 'auth', status: 401 },
  { kind: 'rate-limited', status: 429 },
];
test.each(UNREADABLE)(
  'row 1: a ticket that cannot be read ($kind) puts its run off longer and longer, and uses neither an attempt nor a take',
  async ({ status }) => {
    const site = await house();
    const run = await queuedRun(site);
    const pauses: unknown[] = [];
    const postpone: AttemptRecords['postpone'] = async (...asked) => {
      const reply = await site.attemptRecords.postpone(...asked);
      pauses.push(reply.kind === 'put-off' ? reply.pauseMs : reply);
      return reply;
    };
    const { processor, runners } = openWorkerRoom(site, { ends: EXITED_0, records: { postpone } });
    const fault = site.hub.faults.inject(READ_TICKET, { kind: 'answer', status });
    for (let turn = 1; turn <= 12; turn += 1) {
      expect(await processor.process({ run: run.id, turn })).toEqual({ kind: 'over' });
      expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', admittedAtMs: 0, turn: turn + 1 });
      await admittedAgain(site, run.id);
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000, 30_000]);
    expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', attempt: 0, takes: 0, turn: 13 });
    fault.remove();
    // A client of its own: the first one keeps the platform's limit in mind.
    const fresh = openWorkerRoom(await openHouse({ redisUrl: redis.url, hub: site.hub }), { ends: EXITED_0 });
    await fresh.processor.process({ run: run.id, turn: 13 });
    expect(runners).toHaveLength(0);
    expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
  },
);

const UNWANTED = [
  { what: 'was closed', act: 'close', reason: 'cancelled by closing the ticket' },
  { what: 'is gone', act: 'delete', reason: 'the ticket is gone' },
  { what: 'lost its trigger label', act: 'unlabel', reason: 'cancelled by removing the trigger label' },
] as const;
test.each(UNWANTED)('row 1: a ticket that $what is cancelled before it starts', async ({ act, reason }) => {
  const site = await house();
  const run = await queuedRun(site);
  const ticket = `${REPOSITORY}#1`;
  if (act === 'close') site.hub.closeIssue(ticket);
  if (act === 'delete') site.hub.deleteIssue(ticket);
  if (act === 'unlabel') site.hub.removeLabel(ticket, 'agent-smith');
  const { processor, runners } = openWorkerRoom(site);
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason, attempt: 0 });
  expect(runners).toHaveLength(0);
});

test('row 1: a ticket that was moved to another project of the tracker is cancelled before it starts', async () => {
  const site = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, source: { ...plain.source, scope: 'ONE' } }],
  });
  const run = await queuedRun(site);
  const platform: TicketPlatform = {
    ...site.platform,
    readTicket: async (id, call) => ({ ...(await site.platform.readTicket(id, call)), scope: 'TWO' }),
  };
  const { processor, runners } = openWorkerRoom({ ...site, platform });
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  const reason = 'cancelled by moving the ticket to another project';
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason, attempt: 0 });
  expect(runners).toHaveLength(0);
});

test('row 1: a run that `pending` started is not cancelled by the absence of a trigger label', async () => {
  const site = await house();
  const run = await queuedRun(site, ['agent-smith:pending']);
  expect(run.label).toBeUndefined();
  await openWorkerRoom(site, { ends: EXITED_0 }).processor.process({ run: run.id, turn: 1 });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed' });
});

test('row 0: a run that was taken more than 10 times without a start is failed', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  for (let i = 0; i < 10; i += 1) await site.attemptRecords.take(run.id, 1);
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'failed', reason: 'taken 10 times without a start' });
  expect(runners).toHaveLength(0);
});

test('row 0: a job of an old turn, of a coming turn, of a running, an ended or an unknown run is dropped', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  const dropped = async (turn: number, id = run.id): Promise<void> => {
    expect(await processor.process({ run: id, turn })).toEqual({ kind: 'over' });
  };
  await dropped(0);
  await dropped(2);
  await dropped(1, 'never-seen');
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', takes: 0 });
  const working = processor.process({ run: run.id, turn: 1 });
  const runner = await until('the runner is started', () => runners[0]);
  await dropped(1);
  runner.end(EXITED_0);
  await working;
  await dropped(1);
  expect(runners).toHaveLength(1);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('two jobs of one turn at once make one attempt', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const first = openWorkerRoom(site, { ends: EXITED_0, worker: 'worker-1' });
  const second = openWorkerRoom(site, { ends: EXITED_0, worker: 'worker-2' });
  const turns = [first, second, first, second].map(({ processor }) => processor.process({ run: run.id, turn: 1 }));
  expect(await Promise.all(turns)).toEqual(turns.map(() => ({ kind: 'over' })));
  expect(first.runners.length + second.runners.length).toBe(1);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('a runner that is blocked: postponed with the reason, as often as it takes, and no attempt is used', async () => {
  const site = await house();
  const run = await queuedRun(site);
  let blocked: string | undefined = 'another one is at work';
  const asked: unknown[] = [];
  const { processor, runners } = openWorkerRoom(site, {
    ends: EXITED_0,
    runner: {
      blockedBy: async (question) => {
        asked.push(question);
        return blocked;
      },
    },
  });
  for (const turn of [1, 2]) {
    expect(await processor.process({ run: run.id, turn })).toEqual({ kind: 'over' });
    await admittedAgain(site, run.id);
  }
  const decided = await site.decisions.ofTicket(run.ticket, 1);
  expect(decided).toMatchObject([{ outcome: 'postponed: another one is at work' }]);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', attempt: 0, interrupted: 0, takes: 0 });
  expect(asked[0]).toMatchObject({ run: run.id, ticket: { key: run.ticket } });
  blocked = undefined;
  expect(await processor.process({ run: run.id, turn: 3 })).toEqual({ kind: 'over' });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runners).toHaveLength(1);
});

test('row 2: while Redis recovers no attempt starts: postponed, nothing is counted', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site, { ends: EXITED_0 });
  await redis.client.hset(site.redis.keys.incarnation, 'since', String(await site.redis.timeMs()));
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  expect(runners).toHaveLength(0);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', attempt: 0, takes: 0 });
  await redis.client.hset(site.redis.keys.incarnation, 'since', '0');
  // It has not lost its place in the line: nothing is wrong with it.
  expect(await site.admissions.admit(SLOTS_ELSEWHERE, site.catalog)).toEqual([{ run: run.id, turn: 2 }]);
  await processor.process({ run: run.id, turn: 2 });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test.each([
  { runner: 'a leashed one', leashed: true, outcome: { kind: 'over' }, admitted: 0 },
  { runner: 'an adoptable one', leashed: false, outcome: { kind: 'later', delayMs: FAST.attemptRetryMs }, admitted: 1 },
])(
  'a run that was interrupted and cannot go on keeps its places under the caps only if its work may go on without a worker: $runner',
  async ({ leashed, outcome, admitted }) => {
    const site = await house();
    const run = await queuedRun(site);
    const { processor } = openWorkerRoom(site, {
      ends: { kind: 'lost', reason: 'trust-lost', outputTail: '' },
      runner: { leashed },
    });
    await processor.process({ run: run.id, turn: 1 });
    site.hub.faults.inject(READ_TICKET, { kind: 'answer', status: 502 });
    expect(await processor.process({ run: run.id, turn: 2 })).toEqual(outcome);
    expect(await redis.client.scard(site.redis.keys.admitted('project', run.project))).toBe(admitted);
  },
);

test('a runner that cannot start counts towards max_attempts, is tried again, and fails with the last of them', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor } = openWorkerRoom(site, {
    ends: { kind: 'not-started', reason: 'no such program', outputTail: '' },
  });
  for (const turn of [1, 2]) {
    await processor.process({ run: run.id, turn });
    expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: turn + 1, attempt: turn, interrupted: 0 });
  }
  await processor.process({ run: run.id, turn: 3 });
  expect(await runOf(site, run.id)).toMatchObject({
    state: 'failed',
    reason: 'no such program',
    attempt: 3,
    interrupted: 0,
  });
});

test('interrupted attempts do not count towards max_attempts; after 20 of them the run is failed', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor } = openWorkerRoom(site, { ends: { kind: 'lost', reason: 'trust-lost', outputTail: '' } });
  for (let turn = 1; turn < 20; turn += 1) await processor.process({ run: run.id, turn });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 20, attempt: 19, interrupted: 19 });
  await processor.process({ run: run.id, turn: 20 });
  expect(await runOf(site, run.id)).toMatchObject({
    state: 'failed',
    attempt: 20,
    reason: 'interrupted 20 times, last: trust-lost',
  });
  // It is in nobody's way any more.
  expect(await site.queue.isQueued({ run: run.id, turn: 21 })).toBe(false);
});

test('an interrupted attempt is followed by the job of its next turn: at once, then after 30 s, then after 2 min', async () => {
  const timing = { interruptedBackoffMs: 30_000, interruptedBackoffMaxMs: 120_000 };
  expect([1, 2, 3, 20].map((attempt) => pauseAfter(attempt, timing))).toEqual([0, 30_000, 120_000, 120_000]);

  const site = await house();
  const run = await queuedRun(site);
  const { processor } = openWorkerRoom(site, { ends: { kind: 'lost', reason: 'guard-lost', outputTail: '' } });
  const delayed = `${site.redis.keys.queuePrefix}:runs:delayed`;
  await processor.process({ run: run.id, turn: 1 });
  expect(await site.queue.isQueued({ run: run.id, turn: 2 })).toBe(true);
  expect(await redis.client.zcard(delayed)).toBe(0);
  await processor.process({ run: run.id, turn: 2 });
  expect(await redis.client.zrange(delayed, '0', '-1')).toEqual([`${run.id}-3`]);
});

test('a cancel that was asked for while the run waits: cancelled when its job is taken', async () => {
  const site = await house();
  const run = await queuedRun(site);
  await redis.client.hset(site.redis.keys.run(run.id), 'cancelRequested', 'alice');
  const { processor, runners } = openWorkerRoom(site);
  await processor.process({ run: run.id, turn: 1 });
  expect(runners).toHaveLength(0);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice', attempt: 0 });
});

test('a cancel between taking the job and starting: cancelled, nothing was started', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site, {
    records: {
      start: async (taken, worker) => {
        await redis.client.hset(site.redis.keys.run(run.id), 'cancelRequested', 'alice');
        return await site.attemptRecords.start(taken, worker);
      },
    },
  });
  await processor.process({ run: run.id, turn: 1 });
  expect(runners).toHaveLength(0);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice', attempt: 0 });
});

test('a cancel while the run is at work: the runner is stopped, then the run is cancelled', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  const working = processor.process({ run: run.id, turn: 1 });
  const runner = await until('the runner is started', () => runners[0]);
  await redis.client.hset(site.redis.keys.run(run.id), 'cancelRequested', 'alice');
  await working;
  expect(runner.stops).toEqual(['cancelled']);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice', attempt: 1 });
});

test('who is told that somebody wants a run to end does not wait for the next beat', async () => {
  const site = await openHouse({ redisUrl: redis.url, timing: { ...FAST, heartbeatMs: 60_000 } });
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  const working = processor.process({ run: run.id, turn: 1 });
  const runner = await until('the first beat is over', () => (runners[0]?.beats() === 1 ? runners[0] : undefined));
  await redis.client.hset(site.redis.keys.run(run.id), 'cancelRequested', 'alice');
  processor.lookAtOnce();
  await working;
  expect(runner.stops).toEqual(['cancelled']);
});

test('who is told while a beat is on its way, whose answer may not say so yet, beats once more at once', async () => {
  const site = await openHouse({ redisUrl: redis.url, timing: { ...FAST, heartbeatMs: 60_000 } });
  const run = await queuedRun(site);
  const room: { processor?: TurnProcessor } = {};
  let beats = 0;
  const { processor, runners } = openWorkerRoom(site, {
    records: {
      async beat(name) {
        const reply = await site.attemptRecords.beat(name);
        beats += 1;
        if (beats === 1) {
          await site.cancellations.request(run, 'alice');
          room.processor?.lookAtOnce();
        }
        return reply;
      },
    },
  });
  room.processor = processor;
  await processor.process({ run: run.id, turn: 1 });
  expect(runners[0]?.stops).toEqual(['cancelled']);
});

describe('what an attempt may have done itself, as its last act', () => {
  const slow = { ...FAST, heartbeatMs: 60_000 };

  test('it ends well in that moment: done', async () => {
    const site = await openHouse({ redisUrl: redis.url, timing: { ...slow, lastActMs: 60_000 } });
    const run = await queuedRun(site);
    const { processor, runners } = openWorkerRoom(site);
    const working = processor.process({ run: run.id, turn: 1 });
    const runner = await until('the first beat is over', () => (runners[0]?.beats() === 1 ? runners[0] : undefined));
    expect(await site.canceller.cancel(run, WITHDRAWALS.closed)).toMatchObject({ kind: 'requested' });
    processor.lookAtOnce();
    await until('it was asked', () => runner.beats() === 2);
    runner.end(EXITED_0);
    await working;
    expect(runner.stops).toEqual([]);
    expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', cancelRequested: 'closing the ticket' });
  });

  test('it is still at work after that: cancelled', async () => {
    const site = await openHouse({ redisUrl: redis.url, timing: slow });
    const run = await queuedRun(site);
    const { processor, runners } = openWorkerRoom(site);
    const working = processor.process({ run: run.id, turn: 1 });
    await until('the first beat is over', () => runners[0]?.beats() === 1);
    await site.canceller.cancel(run, WITHDRAWALS.unlabelled);
    processor.lookAtOnce();
    await working;
    const reason = 'cancelled by removing the trigger label';
    expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason });
  });
});

test('a person who asks as well does not wait for a last act: stopped at once, and it was that person', async () => {
  const site = await openHouse({ redisUrl: redis.url, timing: { ...FAST, heartbeatMs: 60_000, lastActMs: 60_000 } });
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  const working = processor.process({ run: run.id, turn: 1 });
  await until('the first beat is over', () => runners[0]?.beats() === 1);
  await site.canceller.cancel(run, WITHDRAWALS.closed);
  processor.lookAtOnce();
  await until('it has heard that the ticket was closed', () => runners[0]?.beats() === 2);
  await site.canceller.cancel(run, 'alice');
  processor.lookAtOnce();
  await working;
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice' });
});

test('a worker that leaves in the moment in which its run is cancelled: no further turn', async () => {
  const site = await openHouse({ redisUrl: redis.url, timing: { ...FAST, heartbeatMs: 60_000 } });
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  const working = processor.process({ run: run.id, turn: 1 });
  await until('the first beat is over', () => runners[0]?.beats() === 1);
  await site.canceller.cancel(run, 'alice');
  await processor.drain();
  await working;
  expect(runners[0]?.stops).toEqual(['drained']);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice', turn: 1 });
  expect(await site.runs.attempts(run.id)).toMatchObject([{ number: 1, end: { how: 'interrupted' } }]);
});

test('a turn whose project is not connected waits', async () => {
  const site = await house();
  const run = await queuedRun(site);
  await redis.client.hset(site.redis.keys.run(run.id), 'project', 'gone');
  const { processor, runners } = openWorkerRoom(site);
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({ kind: 'over' });
  expect(runners).toHaveLength(0);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', takes: 0, admittedAtMs: 0 });
});

test('a policy that cannot be opened ends the run with the reason', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor } = openWorkerRoom(site, { runner: { ok: false, problem: 'no such runner' } as never });
  await processor.process({ run: run.id, turn: 1 });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'failed', reason: 'no such runner', attempt: 0 });
});

test('a turn that meets an absent Redis comes back later instead of failing its job', async () => {
  const proxy = await startTcpProxy(redis.port);
  onTestFinished(() => proxy.close());
  const site = await openHouse({ redisUrl: `redis://127.0.0.1:${proxy.port}` });
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site, { ends: EXITED_0 });
  await proxy.set('refuse');
  await until('the outage is noticed', () => site.redis.status().state === 'down');
  expect(await processor.process({ run: run.id, turn: 1 })).toEqual({
    kind: 'later',
    delayMs: site.timing.attemptRetryMs,
  });
  await proxy.set('pass');
  await until('the connection is back', () => site.redis.status().state === 'up');
  await processor.process({ run: run.id, turn: 1 });
  expect(runners).toHaveLength(1);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('draining gives a turn that is reading its ticket back at once, and counts nothing', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const { processor, runners } = openWorkerRoom(site);
  const fault = site.hub.faults.inject(READ_TICKET, { kind: 'hang' });
  const working = processor.process({ run: run.id, turn: 1 });
  await fault.hit();
  await processor.drain();
  expect(await working).toEqual({ kind: 'over' });
  expect(runners).toHaveLength(0);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 2, attempt: 0, takes: 0 });
  // Any other replica may have it at once.
  expect(await site.admissions.admit(SLOTS_ELSEWHERE, site.catalog)).toEqual([{ run: run.id, turn: 2 }]);
  expect(await processor.process({ run: run.id, turn: 2 })).toEqual({ kind: 'later', delayMs: 0 });
});

test('draining waits for a turn that is just starting, and hands it back', async () => {
  const site = await house();
  const run = await queuedRun(site);
  const sent = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<void>();
  const { processor, runners } = openWorkerRoom(site, {
    records: {
      start: async (taken, worker) => {
        const reply = await site.attemptRecords.start(taken, worker);
        sent.resolve();
        await answered.promise;
        return reply;
      },
    },
  });
  const working = processor.process({ run: run.id, turn: 1 });
  await sent.promise;
  const drained = processor.drain();
  answered.resolve();
  await drained;
  expect(runners[0]?.stops).toEqual(['drained']);
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', turn: 2, interrupted: 1, reason: 'drained' });
  expect(await site.queue.isQueued({ run: run.id, turn: 2 })).toBe(true);
  expect(await working).toEqual({ kind: 'over' });
});

test('letting go: detached work is handed back at once and for nothing, and none of it is started; a command goes on', async () => {
  const site = await house();
  const [command, detached, late] = [await queuedRun(site), await queuedRun(site), await queuedRun(site)];
  await redis.client.hset(site.redis.keys.run(detached.id), { turn: 5, interrupted: 3, attempt: 4 });
  let leashed = true;
  const { processor, runners } = openWorkerRoom(site, {
    runner: {
      get leashed() {
        return leashed;
      },
    },
  });
  const working = processor.process({ run: command.id, turn: 1 });
  await until('the command runs', () => runners.length === 1);
  leashed = false;
  const adopted = processor.process({ run: detached.id, turn: 5 });
  await until('the detached one runs', () => runners.length === 2);
  processor.letGo();
  expect(await adopted).toEqual({ kind: 'over' });
  expect(await runOf(site, detached.id)).toMatchObject({ state: 'queued', turn: 6, interrupted: 3, handedOn: 1 });
  // Not after a pause: others may take it now.
  expect(await redis.client.zcard(`${site.redis.keys.queuePrefix}:runs:delayed`)).toBe(0);
  expect(await processor.process({ run: late.id, turn: 1 })).toEqual({ kind: 'over' });
  expect(await runOf(site, late.id)).toMatchObject({ state: 'queued', attempt: 0, takes: 0 });
  expect(runners[0]?.stops).toEqual([]);
  runners[0]?.end(EXITED_0);
  await working;
  expect(await runOf(site, command.id)).toMatchObject({ state: 'completed' });
  expect(runners).toHaveLength(2);
});

test('handing on uses up no attempt: what cannot be started after it has all of them left', async () => {
  const site = await house();
  const run = await queuedRun(site);
  await redis.client.hset(site.redis.keys.run(run.id), { turn: 4, attempt: 3, handedOn: 3 });
  const { processor } = openWorkerRoom(site, {
    ends: { kind: 'not-started', reason: 'no such program', outputTail: '' },
  });
  await processor.process({ run: run.id, turn: 4 });
  expect(await runOf(site, run.id)).toMatchObject({ state: 'queued', attempt: 4, turn: 5 });
});
