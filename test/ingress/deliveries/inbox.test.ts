/**
 * What becomes of accepted deliveries, on real Redis and an emulated GitHub (PROTOCOL 8, rows D6, D7, E10, E13, E15): each ticket
 * is claimed, whatever else asks for it at the same time, and each delivery's record says what came of it.
 */
import { expect, test } from 'vitest';
import { failed, notEligible } from '../../../src/claims/claim-outcome.ts';
import { createTicketClaimService, type TicketClaimService } from '../../../src/claims/ticket-claim-service.ts';
import type { Run } from '../../../src/domain/run.ts';
import { ticketKey } from '../../../src/domain/ticket.ts';
import type { Timing } from '../../../src/domain/timing.ts';
import { createEnqueuedReconciler } from '../../../src/repair/enqueued-reconciler.ts';
import { repairs, termOf } from '../../repair/terms.ts';
import { FAST, type House, openHouse, REPOSITORY, silentLog } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { deliveryAbout, type InboxRoom, openInbox } from './inbox-room.ts';

const redis = useRedis();
const never = new AbortController().signal;

async function houseWith(
  tickets: number,
  labels: readonly string[] = ['agent-smith'],
  timing: Timing = FAST,
): Promise<House> {
  const house = await openHouse({ redisUrl: redis.url, timing });
  for (let n = 0; n < tickets; n += 1) house.hub.openIssue(REPOSITORY, { labels: [...labels] });
  return house;
}

const history = (house: House, ticket: number): string[] =>
  house.hub.ledger.lifecycleHistory(`${REPOSITORY}#${ticket}`);

/** A run that a delivery has asked for, and that has failed: its label is not written yet. */
async function endedRun(house: House, room: InboxRoom): Promise<Run> {
  const first = await room.settled(await room.deliver('d1', [1]));
  const run = await house.runs.get(first.results[0]?.run ?? '');
  if (run === undefined) throw new Error('no run');
  await house.attemptRecords.endQueued(run, 'failed', 'for the test');
  return run;
}

/** Claims that go on when the test says so. */
function held(house: House): { readonly claims: TicketClaimService; readonly asked: string[]; release(): void } {
  const asked: string[] = [];
  const gate = Promise.withResolvers<void>();
  return {
    asked,
    release: gate.resolve,
    claims: {
      async claim(request, signal) {
        asked.push(request.ticketId);
        await gate.promise;
        return await house.claims.claim(request, signal);
      },
    },
  };
}

test('a delivery becomes a run at once, and its record names it', async () => {
  const house = await houseWith(1);
  const room = openInbox(house);
  const delivery = await room.settled(await room.deliver('d1', [1]));
  const run = await house.runs.ofTicket(house.keyOf(1));
  expect(run).toMatchObject({ state: 'queued', trigger: 'webhook', delivery: 'github:api.1:d1' });
  expect(run?.deliveredAtMs).toBe(delivery.receivedAtMs);
  expect(delivery).toMatchObject({ state: 'processed', tries: 1 });
  expect(delivery.results).toEqual([{ ticket: house.keyOf(1), outcome: 'claimed', run: run?.id }]);
});

test('many deliveries of one ticket are one claim; those that come while it is at work are one more', async () => {
  // Nobody waits for the next look into Redis.
  const house = await houseWith(1, ['agent-smith'], { ...FAST, inboxScanMs: 60_000 });
  const slow = held(house);
  const room = openInbox(house, slow.claims);
  const first = await room.deliver('d0', [1]);
  await until('the claim is at work', () => slow.asked.length === 1);
  const names = await Promise.all(Array.from({ length: 50 }, (_, i) => room.deliver(`d${i + 1}`, [1])));
  slow.release();
  for (const name of [first, ...names]) expect(await room.settled(name)).toMatchObject({ state: 'processed' });
  expect(slow.asked).toEqual(['1', '1']);
  expect(history(house, 1)).toEqual(['enqueued']);
});

test('webhook, poll, reconcile and a person ask for one ticket at the same time: one run, one label write', async () => {
  const house = await houseWith(1);
  const room = openInbox(house);
  const others = (['poll', 'reconcile', 'poll', 'manual'] as const).map((trigger) =>
    house.claims.claim({ project: 'api', ticketId: '1', trigger }, never),
  );
  const name = await room.deliver('d1', [1]);
  const outcomes = await Promise.all(others);
  const delivery = await room.settled(name);
  const run = await house.runs.ofTicket(house.keyOf(1));
  expect(delivery.results).toMatchObject([{ run: run?.id }]);
  expect(outcomes.filter(({ kind }) => kind === 'claimed').length).toBeLessThanOrEqual(1);
  expect(await house.runs.counts()).toMatchObject({ received: 0, queued: 1 });
  expect(history(house, 1)).toEqual(['enqueued']);
});

test('label events in the wrong order: what the ticket shows now decides', async () => {
  const house = await houseWith(2, ['bug']);
  const room = openInbox(house);
  // Unlabelled long ago; the news that it had been labelled comes last.
  expect((await room.settled(await room.deliver('late', [1]))).results).toMatchObject([
    { outcome: 'not-eligible: no-trigger-label' },
  ]);
  house.hub.addLabel(`${REPOSITORY}#2`, 'agent-smith');
  expect((await room.settled(await room.deliver('current', [2]))).results).toMatchObject([{ outcome: 'claimed' }]);
});

test('two replicas share the inbox: every ticket is claimed, none by both', async () => {
  const house = await houseWith(30);
  const [one, other] = [openInbox(house), openInbox(house)];
  const names = await Promise.all(
    Array.from({ length: 30 }, (_, i) => (i % 2 === 0 ? one : other).deliver(`d${i}`, [i + 1])),
  );
  for (const name of names) expect((await one.settled(name)).results).toMatchObject([{ outcome: 'claimed' }]);
  expect(await house.runs.counts()).toMatchObject({ queued: 30 });
  for (let n = 1; n <= 30; n += 1) expect(history(house, n)).toEqual(['enqueued']);
});

test('what a replica accepted and never worked on, because it was killed in that moment, another one finds', async () => {
  const house = await houseWith(1);
  await house.deliveries.accept(deliveryAbout(house, 'd1', [1]));
  const room = openInbox(house);
  expect(await room.settled('github:api.1:d1')).toMatchObject({ state: 'processed' });
});

test('a platform that is away: tried again until it is back, and the record says why it waits', async () => {
  const house = await houseWith(1);
  const outage = house.hub.faults.inject({ path: /issues\/1$/ }, { kind: 'answer', status: 503 });
  const room = openInbox(house);
  const name = await room.deliver('d1', [1]);
  await outage.hit({ count: 2 });
  expect(await house.deliveries.get(name)).toMatchObject({ state: 'queued', reason: 'failed: unavailable' });
  outage.remove();
  const delivery = await room.settled(name);
  expect(delivery).toMatchObject({ state: 'processed', results: [{ outcome: 'claimed' }] });
  expect(delivery.tries).toBeGreaterThanOrEqual(3);
});

test('what has been tried for a day is given up; a younger delivery of the same ticket goes on', async () => {
  const house = await houseWith(1);
  let answer = failed('auth', 'the token has expired');
  const room = openInbox(house, {
    claim: async (request, signal) => (answer.failure === 'auth' ? answer : await house.claims.claim(request, signal)),
  });
  const old = await room.deliver('old', [1]);
  await until('it was tried', async () => (await house.deliveries.get(old))?.reason === 'failed: auth');
  const inbox = house.redis.keys.inbox(house.keyOf(1));
  const [receivedAtMs, ...rest] = (await redis.client.hget(inbox, old))?.split(' ') ?? [];
  await redis.client.hset(inbox, old, [Number(receivedAtMs) - house.timing.inboxGiveUpMs, ...rest].join(' '));
  const young = await room.deliver('young', [1]);
  expect(await room.settled(old)).toMatchObject({ state: 'failed', reason: 'failed: auth' });
  expect(await house.deliveries.get(young)).toMatchObject({ state: 'queued' });
  // A pause is as long as everything before it.
  const dueMs = Number(await redis.client.zscore(house.redis.keys.inboxDue, house.keyOf(1)));
  expect(dueMs - (await house.redis.timeMs())).toBeGreaterThan(house.timing.inboxRetryMaxMs / 2);
  answer = failed('contended', 'not any more');
  await room.deliver('younger', [1]);
  expect(await room.settled(young)).toMatchObject({ state: 'processed' });
});

test('a ticket that asks again right after its run is claimed when a second look shows the same', async () => {
  const house = await houseWith(1);
  const room = openInbox(house);
  const run = await endedRun(house, room);
  await house.labels.project(run.id, { mayWrite: () => true, signal: never });
  await until('its label is confirmed', async () => (await house.runs.get(run.id))?.labelState === 'confirmed');
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith']);
  const again = await room.settled(await room.deliver('d2', [1]));
  expect(again.results).toMatchObject([{ outcome: 'claimed' }]);
  expect(again.tries).toBeGreaterThanOrEqual(2);
});

test('a wish that arrives while the label of the last run is being written is not lost', async () => {
  const house = await houseWith(1);
  const room = openInbox(house);
  const run = await endedRun(house, room);
  house.hub.addLabel(`${REPOSITORY}#1`, 'agent-smith:pending');
  const wish = await room.deliver('d2', [1]);
  await until('it waits', async () => (await house.deliveries.get(wish))?.reason === 'already-claimed: unconfirmed');
  await house.labels.project(run.id, { mayWrite: () => true, signal: never });
  await room.settled(wish);
});

test('a queue that takes no job costs no delivery: it has its run, and repair adds the job', async () => {
  const house = await houseWith(1);
  const queue = { add: () => Promise.reject(new Error('no more memory')) };
  const room = openInbox(
    house,
    createTicketClaimService(
      {
        ...house,
        catalog: () => house.catalog,
        records: house.claimRecords,
        queue,
        onOutcome: undefined,
        log: silentLog,
      },
      house.timing,
    ),
  );
  const { state, results } = await room.settled(await room.deliver('d1', [1]));
  const turn = { run: results[0]?.run ?? '', turn: 1 };
  expect([state, results[0]?.outcome, await house.queue.isQueued(turn)]).toEqual(['processed', 'claimed', false]);
  await createEnqueuedReconciler({ ...house, ...repairs(), log: silentLog }, { reconcileGraceMs: 0 })(termOf());
  expect(await house.queue.isQueued(turn)).toBe(true);
});

test('only the projects that the delivery reaches may take the ticket', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [plain, { ...plain, name: 'second' }],
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const room = openInbox(house);
  await room.settled(await room.deliver('d1', [1], { projects: ['second'] }));
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({ project: 'second' });
});

test('a project that is gone, takes no webhooks any more, or watches something else: ignored until that changes', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, triggers: new Set(['poll', 'manual', 'reconcile']) }],
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const room = openInbox(house);
  const ignored = async (at: InboxRoom, id: string, change = {}) => {
    const delivery = await at.settled(await at.deliver(id, [1], change));
    expect(delivery.state).toBe('ignored');
    return delivery.reason;
  };
  expect(await ignored(room, 'd1', { projects: ['gone'] })).toBe('no-project');
  expect(await ignored(room, 'd2')).toBe('rejected: trigger-not-allowed');
  await room.stop();
  const moved = { ...house.project, source: { ...house.project.source, container: 'org/other' } };
  expect(await ignored(openInbox(house, house.claims, [moved]), 'd3')).toBe('no-project');
  const again = deliveryAbout(house, 'd1', [1], { configHash: 'another' });
  expect(await house.deliveries.accept(again)).toEqual({ kind: 'accepted' });
});

test('while the configuration is changed, no replica refuses what another one took in', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: (plain) => [plain, { ...plain, name: 'new' }] });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const behind = openInbox(house, house.claims, [house.project]);
  const name = await behind.deliver('d1', [1], { projects: ['new'], configHash: 'the new one' });
  await until('it was looked at', async () => (await house.deliveries.get(name))?.reason === 'no-project');
  expect(await house.deliveries.get(name)).toMatchObject({ state: 'queued' });
  await behind.stop();
  const ahead = openInbox(house);
  await redis.client.zadd(house.redis.keys.inboxDue, 0, house.keyOf(1));
  expect((await ahead.settled(name)).results).toMatchObject([{ outcome: 'claimed' }]);
});

test('a platform that tells of a label before all of its servers show it is asked once more', async () => {
  const house = await houseWith(1, ['bug']);
  const room = openInbox(house);
  const name = await room.deliver('d1', [1]);
  await until('it was looked at', async () => (await house.deliveries.get(name))?.reason !== undefined);
  expect(await house.deliveries.get(name)).toMatchObject({
    state: 'queued',
    reason: 'not-eligible: no-trigger-label',
  });
  house.hub.addLabel(`${REPOSITORY}#1`, 'agent-smith');
  expect((await room.settled(name)).results).toMatchObject([{ outcome: 'claimed' }]);
});

test('a claim that throws is one that failed: told of, tried again, and given up in the end', async () => {
  const house = await houseWith(1);
  let throws = true;
  const room = openInbox(house, {
    async claim(request, signal) {
      if (throws) throw new TypeError('a bug');
      return await house.claims.claim(request, signal);
    },
  });
  const name = await room.deliver('d1', [1]);
  await until('it was tried', async () => (await house.deliveries.get(name))?.reason === 'failed: unforeseen');
  throws = false;
  expect(await room.settled(name)).toMatchObject({ state: 'processed' });
});

test('a project without a credential keeps no other one on the same source from its tickets', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [plain, { ...plain, name: 'broken', disabled: 'GITHUB_TOKEN is not set' }],
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const room = openInbox(house);
  const delivery = await room.settled(await room.deliver('d1', [1], { projects: ['api', 'broken'] }));
  expect(delivery.results).toMatchObject([{ outcome: 'claimed' }]);
});

test('a project without a credential is waited for: it may have one tomorrow', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: (plain) => [{ ...plain, disabled: 'no token' }] });
  const room = openInbox(house);
  const name = await room.deliver('d1', [1]);
  await until('it waits', async () => (await house.deliveries.get(name))?.reason === 'rejected: project-disabled');
  expect(await house.deliveries.get(name)).toMatchObject({ state: 'queued' });
});

test('a payload that does not say in which of two sources the ticket is: the one that holds it takes it', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) =>
      ['one', 'two', 'three'].map((name) => ({ ...plain, name, source: { ...plain.source, scope: name } })),
  });
  const asked: string[] = [];
  const room = openInbox(house, {
    claim: async ({ project }) => {
      asked.push(project);
      await Promise.resolve();
      return project === 'two' ? failed('unsupported', 'it is here') : notEligible('moved');
    },
  });
  const name = await room.deliver('d1', [1], { projects: ['one', 'two', 'three'] });
  expect(await room.settled(name)).toMatchObject({ reason: 'failed: unsupported' });
  expect(asked).toEqual(['one', 'two']);
});

test('one host that hangs leaves room for the tickets of others', async () => {
  const house = await houseWith(40);
  const slow = held(house);
  const room = openInbox(house, slow.claims);
  const names = await Promise.all(Array.from({ length: 40 }, (_, i) => room.deliver(`d${i}`, [i + 1])));
  await until('it has all the work that it may have', () => [...room.inbox.busy()].length === 1);
  expect(slow.asked).toHaveLength(16);
  expect(room.inbox.free()).toBeGreaterThan(0);
  slow.release();
  for (const name of names) expect(await room.settled(name)).toMatchObject({ state: 'processed' });
});

test('one replica has only so many tickets at work, on however many hosts', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const slow = held(house);
  const projects = ['one', 'two', 'three'].map((name) => ({
    ...house.project,
    name,
    source: { ...house.project.source, host: `${name}.corp` },
  }));
  const room = openInbox(house, slow.claims, projects);
  const ids = Array.from({ length: 14 }, (_, i) => String(i));
  await Promise.all(
    projects.flatMap(({ name, source }) =>
      ids.map((id) =>
        room.deliver(`${name}-${id}`, [], { projects: [name], tickets: [{ key: ticketKey(source, id), id }] }),
      ),
    ),
  );
  await until('it has all the work that it may have', () => room.inbox.free() === 0);
  expect(slow.asked).toHaveLength(32);
  slow.release();
});

test('a stop ends nothing that is at work, and takes nothing new', async () => {
  const house = await houseWith(2);
  const slow = held(house);
  const room = openInbox(house, slow.claims);
  const name = await room.deliver('d1', [1]);
  await until('the claim is at work', () => slow.asked.length === 1);
  const stopped = room.stop();
  await house.deliveries.accept(deliveryAbout(house, 'd2', [2]));
  slow.release();
  await stopped;
  expect(await house.deliveries.get(name)).toMatchObject({ state: 'processed' });
  expect(await house.deliveries.get('github:api.1:d2')).toMatchObject({ state: 'received' });
});
