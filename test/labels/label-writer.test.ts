/** The label writer among others: runs that move on, a second process, people, and permissions that end. */
import { expect, test } from 'vitest';
import { lifecyclesOf } from '../../src/domain/lifecycle.ts';
import type { Run } from '../../src/domain/run.ts';
import type { Timing } from '../../src/domain/timing.ts';
import type { WritePermission } from '../../src/labels/label-writer.ts';
import { FAST, type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const never = new AbortController().signal;
const ticket = `${REPOSITORY}#1`;
const always: WritePermission = { mayWrite: () => true, signal: never };

/** A house whose ticket 1 has a running run, its label still as the claim has left it. */
async function running(
  labels: readonly string[] = ['bug', 'agent-smith'],
  timing: Partial<Timing> = {},
): Promise<House> {
  const house = await openHouse({ redisUrl: redis.url, timing: { ...FAST, claimCallMs: 4_000, ...timing } });
  house.hub.openIssue(REPOSITORY, { title: 'TICKET-TEXT', body: 'TICKET-TEXT', labels });
  const outcome = await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  expect(outcome).toMatchObject({ kind: 'claimed' });
  await house.attemptRecords.start(await runOf(house), 'worker');
  return house;
}

async function runOf(house: House): Promise<Run> {
  const run = await house.runs.ofTicket(house.keyOf(1));
  if (run === undefined) throw new Error('the ticket has no run');
  return run;
}

async function finish(house: House): Promise<void> {
  const { id, ticket: key, attempt, attemptFence } = await runOf(house);
  const name = { run: id, ticket: key, attempt, fence: attemptFence };
  await house.attemptRecords.finish(name, { state: 'completed', reason: 'exit 0', output: '', onlyIfDead: false });
}

const project = async (house: House, permission = always): Promise<void> =>
  house.labels.project((await runOf(house)).id, permission);

const dueAt = async (house: House): Promise<number | undefined> => {
  const score = await redis.client.zscore(house.redis.keys.unconfirmed, (await runOf(house)).id);
  return score === null ? undefined : Number(score);
};

test('a run that moves on while its label is written gets the label of its newest state, and only that one', async () => {
  const house = await running();
  const slow = house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'latency', delayMs: 200 });
  const writing = project(house);
  await slow.hit();
  await finish(house);
  await writing;
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:done']);
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
  expect(await runOf(house)).toMatchObject({ labelState: 'confirmed', labelDoubts: 0 });
});

test('states that passed before anybody wrote their label are skipped', async () => {
  const house = await running();
  await finish(house);
  await project(house);
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'done']);
});

test('a call that comes while another is at work reads the record once more', async () => {
  const house = await running();
  await project(house);
  const { id } = await runOf(house);
  const slow = house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'latency', delayMs: 200 });
  const first = house.labels.project(id, always);
  await slow.hit();
  await finish(house);
  await Promise.all([first, house.labels.project(id, always)]);
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:done']);
});

test('each call counts with its own permission: one that has lost trust does not hold up the next', async () => {
  const house = await running();
  const asked: string[] = [];
  const slow = house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'latency', delayMs: 200 });
  const { id } = await runOf(house);
  const lost = { signal: never, mayWrite: () => asked.push('lost') < 0 };
  const first = house.labels.project(id, lost);
  await slow.hit();
  const trusted = { signal: never, mayWrite: () => asked.push('trusted') > 0 };
  await Promise.all([first, house.labels.project(id, trusted)]);
  expect(asked).toEqual(['lost', 'trusted']);
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:in-progress']);
});

test('without permission nothing is written, and the label stays due', async () => {
  const house = await running();
  const dueBefore = await dueAt(house);
  await project(house, { mayWrite: () => false, signal: never });
  await finish(house);
  await project(house, { mayWrite: () => false, signal: never });
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:enqueued']);
  expect(house.hub.issue(ticket).comments).toEqual([]);
  expect(await dueAt(house)).toBeGreaterThanOrEqual(dueBefore ?? Number.POSITIVE_INFINITY);
  expect(await runOf(house)).not.toHaveProperty('labelRefusedMs');
});

test('a permission that ends after the label lets no comment out, and the next one posts it', async () => {
  const house = await running();
  await finish(house);
  let asked = 0;
  await project(house, { mayWrite: () => (asked += 1) === 1, signal: never });
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:done']);
  expect(house.hub.issue(ticket).comments).toEqual([]);
  expect(await runOf(house)).toMatchObject({ labelState: 'unconfirmed' });
  await project(house);
  expect(house.hub.issue(ticket).comments).toHaveLength(1);
});

test('a writer that is told to stop breaks off at once, and that is no refusal', async () => {
  const house = await running();
  const ending = new AbortController();
  const hung = house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'hang' });
  const writing = project(house, { mayWrite: () => true, signal: ending.signal });
  await hung.hit();
  const idle = house.labels.idle();
  ending.abort();
  await Promise.all([writing, idle]);
  expect(await runOf(house)).toMatchObject({ labelState: 'unconfirmed' });
  expect(await runOf(house)).not.toHaveProperty('labelRefusedMs');
  expect(await dueAt(house)).toBeDefined();
});

test('two processes that write the same state at once leave one right label', async () => {
  const house = await running(['bug', 'agent-smith', 'agent-smith:pending']);
  const other = await openHouse({ redisUrl: redis.url, hub: house.hub, timing: house.timing });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'latency', delayMs: 100 });
  house.hub.faults.inject({ method: 'DELETE', times: 2 }, { kind: 'latency', delayMs: 30 });
  await Promise.all([project(house), project(other)]);
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:in-progress']);
  expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
});

test('a process whose write comes late, when another has confirmed a newer state, puts right what it has done', async () => {
  const house = await running();
  const other = await openHouse({ redisUrl: redis.url, hub: house.hub, timing: house.timing });
  const slow = house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'latency', delayMs: 600 });
  const late = project(house);
  await slow.hit();
  await finish(other);
  await project(other);
  expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
  await late;
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'done', 'in-progress']);
  // Not for a moment: a ticket without its verdict asks for a further run.
  expect(house.hub.ledger.labelChanges(ticket).flatMap(({ removed }) => removed)).not.toContain('agent-smith:done');
  expect(house.labelsOf(1)).toEqual(['bug', 'agent-smith', 'agent-smith:done']);
  expect(house.hub.issue(ticket).comments).toHaveLength(1);
});

test('among restless people and two processes: one lifecycle label in the end, and people have what they want', async () => {
  const house = await running(['bug', 'agent-smith', 'old']);
  const other = await openHouse({ redisUrl: redis.url, hub: house.hub, timing: house.timing });
  let edits = 0;
  const restless = house.hub.ledger.subscribe((entry) => {
    if (entry.kind !== 'label' || entry.by.kind !== 'token' || edits >= 6) return;
    edits += 1;
    house.hub.addLabel(ticket, `note-${edits}`);
    house.hub.removeLabel(ticket, 'old');
    if (edits < 4) house.hub.addLabel(ticket, 'agent-smith:pending');
  });
  await Promise.all([project(house), project(other)]);
  await finish(house);
  await Promise.all([project(house), project(other)]);
  await until('the label has been read back', async () => {
    await project(other);
    return (await runOf(house)).labelState === 'confirmed';
  });
  restless();
  expect(edits).toBeGreaterThan(3);
  const labels = house.labelsOf(1);
  expect(lifecyclesOf(labels)).toEqual(['done']);
  const notes = Array.from({ length: edits }, (_, n) => `note-${n + 1}`);
  expect(labels.filter((label) => lifecyclesOf([label]).length === 0)).toEqual(['bug', 'agent-smith', ...notes]);
  const ours = house.hub.ledger.labelChanges(ticket).filter(({ by }) => by.kind === 'token');
  for (const name of ours.flatMap(({ added, removed }) => [...added, ...removed])) {
    expect(lifecyclesOf([name])).toHaveLength(1);
  }
});

test('the closing comment is there exactly once, also after an answer that was lost', async () => {
  const house = await running();
  await finish(house);
  const comments = { method: 'POST', path: /\/comments$/, times: 1 };
  for (const kind of ['cut', 'apply-then-cut'] as const) {
    house.hub.faults.inject(comments, { kind });
    await project(house);
    expect(await runOf(house)).toMatchObject({ labelState: 'unconfirmed' });
  }
  for (let n = 0; n < 3; n += 1) await project(house);
  const posted = house.hub.issue(ticket).comments.map(({ body }) => body);
  expect(posted).toHaveLength(1);
  const { id } = await runOf(house);
  expect(posted[0]).toMatch(new RegExp(`is done.*\n\n<!-- agent-smith run=${id} -->$`));
  expect(posted[0]).not.toContain('TICKET-TEXT');
  expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
});

test('a comment that is refused for good does not hold up the label', async () => {
  const house = await running();
  await finish(house);
  house.hub.faults.inject(
    { method: 'POST', path: /\/comments$/ },
    { kind: 'answer', status: 403, body: { message: 'No' } },
  );
  await project(house);
  expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
});

test('a label is due again when the platform says so, and later each time it refuses', async () => {
  const house = await running(undefined, { projectionScanMs: 100, attemptRetryMaxMs: 10_000 });
  const pauseMs = async (): Promise<number> => ((await dueAt(house)) ?? 0) - (await house.redis.timeMs());
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 502 });
  await project(house);
  expect(await pauseMs()).toBeLessThanOrEqual(100);
  const { labelRefusedMs } = await runOf(house);
  // As if it had been refused for a while.
  await redis.client.hincrby(house.redis.keys.run((await runOf(house)).id), 'labelRefusedMs', -3_000);
  await redis.client.hincrby(house.redis.keys.run((await runOf(house)).id), 'sinceMs', -4_000);
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 502 });
  await project(house);
  expect(await pauseMs()).toBeGreaterThan(1_000);
  house.hub.faults.inject(
    { method: 'GET', times: 1 },
    { kind: 'answer', status: 429, headers: { 'retry-after': '30' } },
  );
  await project(house);
  expect(await pauseMs()).toBeGreaterThan(25_000);
  expect(labelRefusedMs).toBeGreaterThan(0);
});

test("a refusal of an earlier state is not held against the run's next one", async () => {
  const house = await running();
  house.hub.faults.inject({ method: 'POST', times: 2 }, { kind: 'answer', status: 502 });
  await project(house);
  const { labelRefusedMs: first = 0 } = await runOf(house);
  await until('time has passed', async () => (await house.redis.timeMs()) > first + 20);
  await finish(house);
  await project(house);
  expect((await runOf(house)).labelRefusedMs).toBeGreaterThan(first + 20);
});

test('only the current run of a ticket has a label', async () => {
  const house = await running();
  const old = await runOf(house);
  await finish(house);
  house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'answer', status: 404, body: { message: 'Not Found' } });
  await project(house);
  house.hub.setLabels(ticket, ['agent-smith']);
  const again = await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'manual' }, never);
  expect(again).toMatchObject({ kind: 'claimed' });
  const asked = house.hub.ledger.requests().length;
  await house.labels.project(old.id, always);
  expect(house.hub.ledger.requests()).toHaveLength(asked);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
});

test('a run whose record is gone is forgotten', async () => {
  const house = await running();
  const { id } = await runOf(house);
  await redis.client.del(house.redis.keys.run(id));
  await house.labels.project(id, always);
  expect(await redis.client.zscore(house.redis.keys.unconfirmed, id)).toBeNull();
});

test('a Redis that is away throws nothing at the caller, and the label stays due', async () => {
  const house = await running();
  const { id } = await runOf(house);
  const slow = house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'latency', delayMs: 200 });
  const writing = house.labels.project(id, always);
  await slow.hit();
  await redis.server.kill('SIGKILL');
  await expect(writing).resolves.toBeUndefined();
});
