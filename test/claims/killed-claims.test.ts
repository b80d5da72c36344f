/**
 * PROTOCOL 2, the column "if the process dies right after": a real process is killed exactly there, with two tickets in
 * hand. Then one of them is found by the next poll, the other by the reconciler. Either way: one run, the right label,
 * nothing lost.
 */
import { expect, test } from 'vitest';
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import type { Trigger } from '../../src/domain/project.ts';
import { createDeadClaims } from '../../src/repair/dead-claims.ts';
import { createEnqueuedReconciler } from '../../src/repair/enqueued-reconciler.ts';
import type { RepairFacts } from '../../src/repair/repair.ts';
import { startClaimer } from '../support/claimer.ts';
import { FAST, type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import type { ClaimStep } from '../support/programs/claimer.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const never = new AbortController().signal;
/** The lock of a killed process is soon over, and yet long enough for a claim on a busy machine. */
const SHORT_LOCK = { ...FAST, claimLockTtlMs: 1_500, claimLockReserveMs: 150 };

const claim = (house: House, ticketId: string, trigger: Trigger = 'poll'): Promise<ClaimOutcome> =>
  house.claims.claim({ project: 'api', ticketId, trigger }, never);

/** What a poll does cycle after cycle, until the lock of the dead claim is over. */
const pollUntilSettled = (house: House, ticketId: string): Promise<ClaimOutcome> =>
  until('the claim is not contended', async () => {
    const outcome = await claim(house, ticketId);
    return outcome.kind === 'failed' ? undefined : outcome;
  });

/** One pass for jobs and one for claims in a term that lasts; returns what they repaired. */
async function reconcile(house: House): Promise<RepairFacts[]> {
  const repairs: RepairFacts[] = [];
  const deps = {
    ...house,
    catalog: () => house.catalog,
    credentialOf: () => 'bot',
    log: silentLog,
    onRepair: async (facts: RepairFacts) => void repairs.push(facts),
    onHomeless: async () => {},
  };
  const term = { role: 'housekeeping', epoch: 1, signal: never, trusted: () => true, assertTrusted() {} } as const;
  await createEnqueuedReconciler(deps, { reconcileGraceMs: 1 })(term);
  await createDeadClaims(deps, { reconcileGraceMs: 1 })(term);
  return repairs;
}

/** A process that was killed after `step`, with tickets 1 and 2 in hand. */
async function killedAfter(holdAfter: ClaimStep) {
  const house = await openHouse({ redisUrl: redis.url });
  const labels = ['bug', 'agent-smith', 'agent-smith:pending'];
  for (let n = 0; n < 2; n += 1) house.hub.openIssue(REPOSITORY, { labels });
  const claimer = await startClaimer({ redisUrl: redis.url, projects: [house.project], timing: SHORT_LOCK, holdAfter });
  const order = claimer.claim(['1', '2'].map((ticketId) => ({ project: 'api', ticketId, trigger: 'poll' })));
  await claimer.held(2);
  await Promise.all([claimer.kill(), expect(order).rejects.toThrow('the claimer ended')]);
  const runs = await Promise.all(['1', '2'].map((id) => house.runs.ofTicket(house.keyOf(id))));
  return { house, left: runs.map((run) => run?.state ?? 'none'), runs: runs.map((run) => run?.id) };
}

/** One run, queued once, with its job; the label was written once and people's labels are there. */
async function expectOneRun(house: House, ticketId: string, runId: string | undefined): Promise<void> {
  const run = await house.runs.ofTicket(house.keyOf(ticketId));
  expect(run).toMatchObject({ state: 'queued', turn: 1, pipeline: 'fix-bug', label: 'agent-smith', trigger: 'poll' });
  if (runId !== undefined) expect(run?.id).toBe(runId);
  expect(await house.queue.isQueued({ run: run?.id ?? '', turn: 1 })).toBe(true);
  expect(house.labelsOf(ticketId)).toEqual(['bug', 'agent-smith', 'agent-smith:enqueued']);
  expect(house.hub.ledger.lifecycleHistory(`${REPOSITORY}#${ticketId}`)).toEqual(['pending', 'enqueued']);
  expect(await claim(house, ticketId)).toEqual({ kind: 'already-claimed', run: run?.id, state: 'queued' });
}

async function expectNothingLeft(house: House): Promise<void> {
  expect(await house.runs.counts()).toMatchObject({ received: 0, queued: 2 });
  expect(await house.queue.depth()).toBe(2);
  expect(await reconcile(house)).toEqual([]);
}

test('claim table, step 0: killed after the pre-check, nothing has happened and the next poll claims', async () => {
  const { house, left } = await killedAfter(0);
  expect(left).toEqual(['none', 'none']);
  expect(await reconcile(house)).toEqual([]);
  for (const id of ['1', '2']) {
    expect(await claim(house, id)).toMatchObject({ kind: 'claimed' });
    await expectOneRun(house, id, undefined);
  }
  await expectNothingLeft(house);
});

const TAKEN_OVER = [
  [1, 'begin'],
  [2, 'the read of the ticket'],
  [3, 'the judgement'],
  [4, 'the label'],
] as const;

for (const [step, name] of TAKEN_OVER) {
  test(`claim table, step ${step}: killed after ${name}, the same run is taken over by poll and by repair`, async () => {
    const { house, left, runs } = await killedAfter(step);
    expect(left).toEqual(['received', 'received']);
    expect(await pollUntilSettled(house, '1')).toMatchObject({ kind: 'claimed', run: runs[0] });
    await expectOneRun(house, '1', runs[0]);
    const repairs = await until('repair has taken the other one over', async () => {
      const repaired = await reconcile(house);
      return repaired.length > 0 ? repaired : undefined;
    });
    expect(repairs).toMatchObject([{ kind: 'dead-claim', outcome: 'claimed', run: runs[1] }]);
    await expectOneRun(house, '2', runs[1]);
    await expectNothingLeft(house);
  });
}

test('claim table, step 5: killed after the commit, a poll leaves the run alone and repair adds its job', async () => {
  const { house, left, runs } = await killedAfter(5);
  expect(left).toEqual(['queued', 'queued']);
  expect(await house.queue.depth()).toBe(0);
  expect(await claim(house, '1')).toMatchObject({ kind: 'already-claimed', run: runs[0] });
  expect(await until('the grace is over', async () => (await reconcile(house)).map(({ kind }) => kind))).toEqual([
    'missing-job',
    'missing-job',
  ]);
  for (const [n, id] of ['1', '2'].entries()) await expectOneRun(house, id, runs[n]);
  await expectNothingLeft(house);
});

test('claim table, steps 6 and 7: killed after the job, all is well; the lock went with the commit', async () => {
  const { house, left, runs } = await killedAfter(6);
  expect(left).toEqual(['queued', 'queued']);
  expect(await house.claimRecords.isLocked('github', house.keyOf('1'))).toBe(false);
  for (const [n, id] of ['1', '2'].entries()) await expectOneRun(house, id, runs[n]);
  await expectNothingLeft(house);
});

test('claim table, step 4: killed half done, with two lifecycle labels, the run goes on and one label is left', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:pending'] });
  const removal = house.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'hang' });
  const claimer = await startClaimer({ redisUrl: redis.url, projects: [house.project], timing: SHORT_LOCK });
  const order = claimer.claim([{ project: 'api', ticketId: '1', trigger: 'poll' }]);
  await removal.hit();
  await Promise.all([claimer.kill(), expect(order).rejects.toThrow('the claimer ended')]);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:pending', 'agent-smith:enqueued']);

  const outcome = await pollUntilSettled(house, '1');
  expect(outcome).toMatchObject({ kind: 'claimed' });
  if (outcome.kind === 'claimed') await house.labels.project(outcome.run, { mayWrite: () => true, signal: never });
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
});

test('claim table, step 4: a ticket that was closed meanwhile is not run, and its enqueued label is taken back', async () => {
  const { house } = await killedAfter(4);
  house.hub.closeIssue(`${REPOSITORY}#1`);
  house.hub.closeIssue(`${REPOSITORY}#2`);
  expect(await pollUntilSettled(house, '1')).toEqual({ kind: 'not-eligible', reason: 'closed' });
  await until('repair has looked', async () => {
    await reconcile(house);
    return (await house.runs.ofTicket(house.keyOf('2'))) === undefined;
  });
  for (const id of ['1', '2']) {
    expect(house.labelsOf(id)).toEqual(['bug', 'agent-smith']);
    expect(await house.runs.ofTicket(house.keyOf(id))).toBeUndefined();
    house.hub.reopenIssue(`${REPOSITORY}#${id}`);
    expect(await claim(house, id)).toMatchObject({ kind: 'claimed' });
  }
});

test('a claim that was asleep while another took it over cannot commit', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['bug', 'agent-smith', 'agent-smith:pending'] });
  const sleeper = await startClaimer({
    redisUrl: redis.url,
    projects: [house.project],
    timing: { ...SHORT_LOCK, claimDeadlineMs: 60_000 },
    holdAfter: 4,
  });
  const order = sleeper.claim([{ project: 'api', ticketId: '1', trigger: 'poll' }]);
  await sleeper.held();
  const outcome = await pollUntilSettled(house, '1');
  expect(outcome).toMatchObject({ kind: 'claimed' });
  sleeper.goOn();
  expect(await order).toMatchObject([{ kind: 'failed', failure: 'contended' }]);
  await expectOneRun(house, '1', outcome.kind === 'claimed' ? outcome.run : '');
  expect(await house.queue.depth()).toBe(1);
});

test('a claim that was asleep before its label write does not write once its lock has no reserve left', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const sleeper = await startClaimer({
    redisUrl: redis.url,
    projects: [house.project],
    timing: { ...SHORT_LOCK, claimDeadlineMs: 60_000 },
    holdAfter: 2,
  });
  const order = sleeper.claim([{ project: 'api', ticketId: '1', trigger: 'poll' }]);
  await sleeper.held();
  await until('the lock has expired', async () => !(await house.claimRecords.isLocked('github', house.keyOf(1))));
  sleeper.goOn();
  expect(await order).toMatchObject([{ kind: 'failed', failure: 'out-of-time' }]);
  expect(house.labelsOf(1)).toEqual(['agent-smith']);
  expect(await house.runs.counts()).toMatchObject({ received: 1 });
  expect(await claim(house, '1')).toMatchObject({ kind: 'claimed' });
});
