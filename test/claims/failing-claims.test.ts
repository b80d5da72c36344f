/**
 * PROTOCOL 2, what becomes of a claim whose platform or Redis does not do what a step needs: ambiguous failures keep the
 * record, refusals remove it and back off, and no claim outlives its time.
 */
import { expect, test } from 'vitest';
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import type { Trigger } from '../../src/domain/project.ts';
import type { Run } from '../../src/domain/run.ts';
import type { Fault } from '../../src/emulators/faults.ts';
import type { BeginClaimReply, BegunClaim } from '../../src/runs/claim-records.ts';
import { FAST, type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const never = new AbortController().signal;
const ticket = `${REPOSITORY}#1`;

const claim = (house: House, trigger: Trigger = 'poll'): Promise<ClaimOutcome> =>
  house.claims.claim({ project: 'api', ticketId: '1', trigger }, never);

async function houseWithTicket(labels: readonly string[] = ['bug', 'agent-smith'], timing = FAST): Promise<House> {
  const house = await openHouse({ redisUrl: redis.url, timing });
  house.hub.openIssue(REPOSITORY, { labels });
  return house;
}

const ticketRecord = (house: House): Promise<Record<string, string>> =>
  redis.client.hgetall(house.redis.keys.ticket(house.keyOf(1)));

const AMBIGUOUS: Readonly<Record<string, Fault>> = {
  'a timeout': { kind: 'hang' },
  'a timeout after the write': { kind: 'apply-then-hang' },
  'a 500 after the write': { kind: 'apply-then-answer', status: 500 },
  'a 502 without the write': { kind: 'answer', status: 502, body: '<html>' },
  'a cut connection': { kind: 'cut' },
  'a cut connection after the write': { kind: 'apply-then-cut' },
  'an answer that was cut short': { kind: 'cut-inside-body' },
  'a page instead of an answer': { kind: 'html' },
};

for (const [what, fault] of Object.entries(AMBIGUOUS)) {
  test(`step 4 fails with ${what}: the record stays received, and the next claim goes on with the same run`, async () => {
    const house = await houseWithTicket();
    house.hub.faults.inject({ method: 'POST', times: 1 }, fault);
    expect(await claim(house)).toMatchObject({
      kind: 'failed',
      failure: expect.stringMatching(/^(unavailable|invalid-response)$/),
    });
    const run = await house.runs.ofTicket(house.keyOf(1));
    expect(run).toMatchObject({ state: 'received' });
    expect(await ticketRecord(house)).not.toHaveProperty('backoffUntil');
    expect(await claim(house)).toMatchObject({ kind: 'claimed', run: run?.id });
    expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:enqueued']);
    expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
  });
}

test('step 4 half done (added, not removed): the record stays, and the next claim goes on without another write', async () => {
  const house = await houseWithTicket(['agent-smith', 'agent-smith:pending']);
  house.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'answer', status: 403 });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'auth' });
  const run = await house.runs.ofTicket(house.keyOf(1));
  expect(await claim(house)).toMatchObject({ kind: 'claimed', run: run?.id });
  expect(house.hub.ledger.requests({ method: 'POST' })).toHaveLength(1);
});

for (const status of [403, 404, 422]) {
  test(`step 4 is refused with ${status}: the record is removed, and the ticket backs off 1 min x 2^n up to the longest`, async () => {
    const house = await houseWithTicket(undefined, { ...FAST, claimBackoffMs: 60_000, claimBackoffMaxMs: 200_000 });
    const refusal = house.hub.faults.inject({ method: 'POST' }, { kind: 'answer', status, body: { message: 'No' } });
    for (const pauseMs of [60_000, 120_000, 200_000, 200_000]) {
      const beforeMs = await house.redis.timeMs();
      // A person insists, so that the test need not wait.
      expect((await claim(house, 'manual')).kind).toBe('failed');
      const untilMs = Number((await ticketRecord(house)).backoffUntil);
      expect(untilMs).toBeGreaterThanOrEqual(beforeMs + pauseMs);
      expect(untilMs).toBeLessThanOrEqual((await house.redis.timeMs()) + pauseMs);
      expect(await house.runs.ofTicket(house.keyOf(1))).toBeUndefined();
      expect(await house.runs.counts()).toMatchObject({ received: 0 });
      expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'backing-off' });
    }
    refusal.remove();
    expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual([]);
    expect(await claim(house, 'manual')).toMatchObject({ kind: 'claimed' });
    expect(await ticketRecord(house)).not.toHaveProperty('failures');
  });
}

test('a refusal at step 2 backs off, an outage there does not', async () => {
  const house = await houseWithTicket();
  for (const [status, backsOff] of [
    [502, false],
    [401, true],
  ] as const) {
    house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'answer', status, body: { message: 'No' } });
    expect((await claim(house)).kind).toBe('failed');
    expect('backoffUntil' in (await ticketRecord(house))).toBe(backsOff);
    expect(await house.runs.ofTicket(house.keyOf(1))).toBeUndefined();
  }
});

test('a refusal while a dead claim is taken over backs off and keeps the record', async () => {
  const house = await houseWithTicket(undefined, { ...FAST, claimBackoffMs: 50 });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  const run = await house.runs.ofTicket(house.keyOf(1));
  house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'answer', status: 403, body: { message: 'No' } });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'auth' });
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({ id: run?.id, state: 'received' });
  const outcome = await until('the back-off is over', async () => {
    const next = await claim(house);
    return next.kind === 'failed' && next.failure === 'backing-off' ? undefined : next;
  });
  expect(outcome).toMatchObject({ kind: 'claimed', run: run?.id });
});

test('an enqueued label that cannot be taken back keeps the record, and the next claim takes it back', async () => {
  const house = await houseWithTicket();
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  house.hub.closeIssue(ticket);
  house.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'answer', status: 502 });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  expect(await house.runs.counts()).toMatchObject({ received: 1 });
  expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'closed' });
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith']);
  expect(await house.runs.counts()).toMatchObject({ received: 0 });
});

test('a wish that was made by agent-smith:pending alone is given back when its dead claim comes to nothing', async () => {
  const house = await houseWithTicket(['agent-smith:pending']);
  house.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  expect(house.labelsOf(1)).toEqual(['agent-smith:enqueued']);
  house.hub.closeIssue(ticket);
  expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'closed' });
  expect(house.labelsOf(1)).toEqual(['agent-smith:pending']);
});

test('a verdict that a person has written beside the enqueued of a dead claim is kept', async () => {
  const house = await houseWithTicket();
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  house.hub.addLabel(ticket, 'agent-smith:done');
  expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'done' });
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:done']);
});

/** A person asks for another run of ticket 1, whose run has ended well and says so. */
async function askedAgain(): Promise<House> {
  const house = await houseWithTicket(['bug', 'agent-smith'], { ...FAST, confirmedDoubtMs: 0 });
  await claim(house);
  const queued = await runOf(house);
  await house.attemptRecords.start(queued, 'worker');
  const { id, ticket: key, attempt, attemptFence } = await runOf(house);
  const name = { run: id, ticket: key, attempt, fence: attemptFence };
  await house.attemptRecords.finish(name, { state: 'completed', reason: 'exit 0', output: '', onlyIfDead: false });
  await house.labels.project(id, { mayWrite: () => true, signal: never });
  house.hub.addLabel(ticket, 'agent-smith:pending');
  return house;
}

async function runOf(house: House): Promise<Run> {
  const run = await house.runs.ofTicket(house.keyOf(1));
  if (run === undefined) throw new Error('the ticket has no run');
  return run;
}

const HALF_DONE = {
  'before the verdict is removed': [/done$/, ['agent-smith:done', 'agent-smith:pending', 'agent-smith:enqueued']],
  'before the wish is removed, which goes last': [/pending$/, ['agent-smith:pending', 'agent-smith:enqueued']],
} as const;

for (const [when, [path, left]] of Object.entries(HALF_DONE)) {
  test(`step 4 of another run breaks off ${when}: the wish counts, and the next claim goes on`, async () => {
    const house = await askedAgain();
    house.hub.faults.inject({ method: 'DELETE', path, times: 1 }, { kind: 'answer', status: 502 });
    expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'unavailable' });
    const run = await runOf(house);
    expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', ...left]);
    expect(await claim(house)).toMatchObject({ kind: 'claimed', run: run.id });
    await house.labels.project(run.id, { mayWrite: () => true, signal: never });
    expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:enqueued']);
  });
}

test('step 4 of another run broke off and the ticket was closed: the wish is there when it is opened again', async () => {
  const house = await askedAgain();
  house.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'answer', status: 502 });
  await claim(house);
  house.hub.closeIssue(ticket);
  expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'closed' });
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:pending']);
  house.hub.reopenIssue(ticket);
  expect(await claim(house)).toMatchObject({ kind: 'claimed' });
});

test('a ticket that is not shown while a dead claim is taken over backs off, and goes on when it is shown again', async () => {
  const house = await houseWithTicket(undefined, { ...FAST, claimBackoffMs: 60_000 });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  const run = await runOf(house);
  house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'answer', status: 404, body: { message: 'Not Found' } });
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'failed', failure: 'not-found' });
  const asked = house.hub.ledger.requests().length;
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'failed', failure: 'backing-off' });
  expect(house.hub.ledger.requests()).toHaveLength(asked);
  await redis.client.hdel(house.redis.keys.ticket(house.keyOf(1)), 'backoffUntil');
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'claimed', run: run.id });
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:enqueued']);
});

test('a dead claim whose ticket stays gone is ended once it is old enough, and the decision says why', async () => {
  const house = await houseWithTicket(undefined, { ...FAST, claimBackoffMs: 1, labelGiveUpMs: 60_000 });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  const run = await runOf(house);
  house.hub.deleteIssue(ticket);
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'failed', failure: 'not-found' });
  await redis.client.hincrby(house.redis.keys.run(run.id), 'createdAtMs', -60_000);
  await redis.client.hdel(house.redis.keys.ticket(house.keyOf(1)), 'backoffUntil');
  expect(await claim(house, 'reconcile')).toEqual({ kind: 'not-eligible', reason: 'gone' });
  expect(await house.runs.counts()).toMatchObject({ received: 0 });
  expect((await house.decisions.latest(1))[0]).toMatchObject({ by: 'claim', outcome: 'not-eligible: gone' });
});

test('what a person asked for by hand stays so when repair takes it over', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  expect(await claim(house, 'manual')).toMatchObject({ kind: 'failed' });
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'claimed' });
  expect(await runOf(house)).toMatchObject({ trigger: 'manual' });
});

test('a person who takes over what a poll began counts as the one who asked, also if that claim dies too', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  for (const trigger of ['poll', 'manual'] as const) {
    house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'cut' });
    expect(await claim(house, trigger)).toMatchObject({ kind: 'failed' });
  }
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'claimed' });
  expect(await runOf(house)).toMatchObject({ trigger: 'manual' });
});

test('a claim that died is judged again: a label that somebody else has set meanwhile withdraws it', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, routing: { ...plain.routing, allowedActors: ['alice'] } }],
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'], by: 'alice' });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  expect(await claim(house, 'manual')).toMatchObject({ kind: 'failed' });
  house.hub.removeLabel(ticket, 'agent-smith', 'mallory');
  house.hub.addLabel(ticket, 'agent-smith', 'mallory');
  expect(await claim(house, 'reconcile')).toEqual({ kind: 'not-eligible', reason: 'actor-not-allowed' });
  expect(house.labelsOf(1)).toEqual(['agent-smith']);
});

test('who labelled cannot be read: a fresh claim leaves nothing behind, a resumed one its record', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, routing: { ...plain.routing, allowedActors: ['octocat'] } }],
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const events = { method: 'GET', path: /\/events/, times: 1 };
  house.hub.faults.inject(events, { kind: 'answer', status: 502 });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  expect(await house.runs.counts()).toMatchObject({ received: 0 });

  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  house.hub.faults.inject(events, { kind: 'answer', status: 502 });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  expect(await house.runs.counts()).toMatchObject({ received: 1 });
  expect(await claim(house)).toMatchObject({ kind: 'claimed' });
});

test('a platform that is too slow leaves no time for the label write: out of time, nothing written', async () => {
  const house = await houseWithTicket(undefined, { ...FAST, claimLockTtlMs: 1_300, claimLockReserveMs: 1_000 });
  house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'latency', delayMs: 400 });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'out-of-time' });
  expect(house.hub.ledger.labelChanges(ticket).filter(({ by }) => by.kind === 'token')).toEqual([]);
  expect(await house.runs.counts()).toMatchObject({ received: 1 });
});

test('a hung server does not make a claim outlive its deadline', async () => {
  const timing = { ...FAST, claimCallMs: 5_000, claimDeadlineMs: 1_000, claimLockTtlMs: 10_000 };
  const house = await houseWithTicket(['agent-smith', 'agent-smith:pending'], timing);
  house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'latency', delayMs: 400 });
  house.hub.faults.inject({ method: 'POST' }, { kind: 'hang' });
  const startedMs = performance.now();
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  // One call after the other would have taken 5400 ms.
  expect(performance.now() - startedMs).toBeLessThan(3_000);
});

test('a claim that is given up from outside ends at once and loses nothing', async () => {
  const house = await houseWithTicket(undefined, {
    ...FAST,
    claimCallMs: 60_000,
    claimDeadlineMs: 60_000,
    claimLockTtlMs: 90_000,
  });
  const hung = house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-hang' });
  const ending = new AbortController();
  const outcome = house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, ending.signal);
  await hung.hit();
  ending.abort();
  expect(await outcome).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  expect(await claim(house)).toMatchObject({ kind: 'claimed' });
});

/** Step 1 alone, as the claim of another process. */
async function begin(house: House, changes: { trigger?: Trigger; insist?: boolean } = {}): Promise<BeginClaimReply> {
  const id = crypto.randomUUID();
  return await house.claimRecords.begin({
    newRun: id,
    token: id,
    ticket: house.keyOf(1),
    platform: 'github',
    ticketId: '1',
    project: 'api',
    trigger: 'poll',
    insist: false,
    ...changes,
  });
}

async function begun(house: House): Promise<BegunClaim> {
  const reply = await begin(house);
  if (!('hold' in reply)) throw new Error(`not begun: ${reply.kind}`);
  return reply;
}

const FACTS = {
  pipeline: 'fix-bug',
  label: undefined,
  project: 'api',
  policy: '{}',
  display: 'org/api#1',
  url: '',
  labelShown: false,
  decision: { ticket: 't', project: 'api', by: 'claim', outcome: 'claimed' },
};

test('a received run whose lock is held is contended, for everybody', async () => {
  const house = await houseWithTicket();
  await begun(house);
  for (const trigger of ['poll', 'manual', 'reconcile'] as const) {
    expect(await claim(house, trigger)).toMatchObject({ kind: 'failed', failure: 'contended' });
  }
  expect(house.hub.ledger.requests()).toEqual([]);
});

test('a superseded claim can neither commit nor abandon nor release', async () => {
  const house = await houseWithTicket();
  const first = await begun(house);
  await house.claimRecords.release(first.hold);
  const second = await begun(house);
  expect(second).toMatchObject({ kind: 'taken-over', hold: { run: first.hold.run } });
  expect(second.hold.fence).toBeGreaterThan(first.hold.fence);

  expect(await house.claimRecords.commit(first.hold, FACTS)).toBeUndefined();
  expect(await house.claimRecords.abandon(first.hold, { keep: false, backOff: true })).toEqual({ kind: 'superseded' });
  await house.claimRecords.release(first.hold);
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'contended' });
  expect(await house.claimRecords.commit(second.hold, FACTS)).toMatchObject({ turn: 1, admitted: true });
});

test('two claims may not commit the same run, not even with the same fence', async () => {
  const house = await houseWithTicket();
  const { hold } = await begun(house);
  expect(await house.claimRecords.commit(hold, FACTS)).toMatchObject({ turn: 1, admitted: true });
  expect(await house.claimRecords.commit(hold, FACTS)).toBeUndefined();
  expect(await house.claimRecords.abandon(hold, { keep: false, backOff: false })).toEqual({ kind: 'superseded' });
});

test('fences of one ticket only grow, whatever happens to its runs', async () => {
  const house = await houseWithTicket();
  const fences: number[] = [];
  for (let n = 0; n < 5; n += 1) {
    const { hold } = await begun(house);
    fences.push(hold.fence);
    await house.claimRecords.abandon(hold, { keep: n % 2 === 0, backOff: false });
  }
  expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b));
});

test('what asked first stays on record when repair goes on', async () => {
  const house = await houseWithTicket();
  const { hold } = await begun(house);
  await house.claimRecords.release(hold);
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'claimed', run: hold.run });
  expect(await house.runs.get(hold.run)).toMatchObject({ trigger: 'poll' });
});

test('a claim with nobody to disturb it costs one read and one write; pending costs one removal more', async () => {
  const house = await houseWithTicket();
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:pending'] });
  await claim(house);
  const plain = house.hub.ledger.requests().map(({ operation }) => operation);
  expect(plain).toEqual(['issues/get', 'issues/add-labels']);
  await house.claims.claim({ project: 'api', ticketId: '2', trigger: 'poll' }, never);
  const pending = house.hub.ledger.requests().slice(plain.length);
  expect(pending.map(({ operation }) => operation)).toEqual([...plain, 'issues/remove-label']);
});
