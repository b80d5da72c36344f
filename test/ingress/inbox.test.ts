/**
 * What becomes of accepted deliveries, on real Redis and an emulated GitHub (PROTOCOL 8, rows D6, E10, E13, E15): each ticket
 * is claimed, whatever else asks for it at the same time, and each delivery's record says what came of it.
 */
import { expect, test } from 'vitest';
import { failed } from '../../src/claims/claim-outcome.ts';
import type { TicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import { type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { deliveryAbout, openInbox } from './inbox-room.ts';

const redis = useRedis();
const never = new AbortController().signal;

async function houseWith(tickets: number, labels: readonly string[] = ['agent-smith']): Promise<House> {
  const house = await openHouse({ redisUrl: redis.url });
  for (let n = 0; n < tickets; n += 1) house.hub.openIssue(REPOSITORY, { labels: [...labels] });
  return house;
}

const history = (house: House, ticket: number): string[] =>
  house.hub.ledger.lifecycleHistory(`${REPOSITORY}#${ticket}`);

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
  const house = await houseWith(1);
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
  answer = failed('contended', 'not any more');
  expect(await room.settled(young)).toMatchObject({ state: 'processed' });
});

test('a ticket that asks again right after its run is claimed when a second look shows the same', async () => {
  const house = await houseWith(1);
  const room = openInbox(house);
  const first = await room.settled(await room.deliver('d1', [1]));
  const run = await house.runs.get(first.results[0]?.run ?? '');
  if (run === undefined) throw new Error('no run');
  await house.attemptRecords.endQueued(run, 'failed', 'for the test');
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
  const first = await room.settled(await room.deliver('d1', [1]));
  const run = await house.runs.get(first.results[0]?.run ?? '');
  if (run === undefined) throw new Error('no run');
  await house.attemptRecords.endQueued(run, 'failed', 'for the test');
  house.hub.addLabel(`${REPOSITORY}#1`, 'agent-smith:pending');
  const wish = await room.deliver('d2', [1]);
  await until('it waits', async () => (await house.deliveries.get(wish))?.reason === 'already-claimed: unconfirmed');
  await house.labels.project(run.id, { mayWrite: () => true, signal: never });
  await room.settled(wish);
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

test('a project that is gone, or takes no webhooks any more: ignored until the configuration is another one', async () => {
  const house = await houseWith(1);
  const room = openInbox(house);
  expect(await room.settled(await room.deliver('d1', [1], { projects: ['gone'] }))).toMatchObject({
    state: 'ignored',
    reason: 'no-project',
  });
  const again = deliveryAbout(house, 'd1', [1], { configHash: 'another' });
  expect(await house.deliveries.accept(again)).toEqual({ kind: 'accepted' });
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
