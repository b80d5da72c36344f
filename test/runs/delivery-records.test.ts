/** Deliveries and inboxes on a real Redis (PROTOCOL 8, rows D1 to D9, E6, E8, E13 and E18): accepted means written, once. */
import fc from 'fast-check';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createDeliveryRecords, type DeliveryRecords, type NewDelivery } from '../../src/runs/delivery-records.ts';
import { FAST, openRooms, type Rooms } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const TICKET = 'github~github.com~org%2Fapi~7';
const LEASE_MS = 60_000;
let rooms: Rooms;
let records: DeliveryRecords;

beforeEach(async () => {
  rooms = await openRooms({ hash: '', projects: [], pipelines: new Map() }, () => neverAsked(), {
    redisUrl: redis.url,
  });
  onTestFinished(rooms.close);
  records = createDeliveryRecords(rooms.redis, { inboxLeaseMs: LEASE_MS, inboxScanMs: FAST.inboxScanMs });
});

function neverAsked(): never {
  throw new Error('no platform is asked here');
}

function deliveryOf(id: string, change: Partial<NewDelivery> = {}): NewDelivery {
  return {
    name: `github:api.1:${id}`,
    platform: 'github',
    source: 'api.1',
    id,
    derived: false,
    event: 'issues',
    action: 'labeled',
    installation: '99',
    place: 'org/api',
    placeId: '1234',
    payloadHash: `hash of ${id}`,
    configHash: 'config-1',
    projects: ['api'],
    tickets: [{ key: TICKET, id: '7' }],
    ignored: undefined,
    ...change,
  };
}

const ignored = (reason: string, dependsOnConfiguration = false): Partial<NewDelivery> => ({
  ignored: { reason, dependsOnConfiguration },
});
const keysNow = async (): Promise<string[]> => (await redis.client.keys('agentsmith:*')).sort();
const take = async () => {
  const [taken, ...more] = await records.take(10);
  if (taken === undefined || more.length > 0) throw new Error(`${more.length + 1} tickets were due`);
  return taken;
};

test('an accepted delivery is on record with everything but its body, and its ticket is due', async () => {
  expect(await records.accept(deliveryOf('d1'))).toEqual({ kind: 'accepted' });
  const delivery = await records.get('github:api.1:d1');
  const { ignored: _ignored, action = '', tickets: _tickets, ...facts } = deliveryOf('d1');
  expect(delivery).toEqual({
    ...facts,
    action,
    tickets: [TICKET],
    state: 'received',
    receivedAtMs: expect.any(Number) as number,
    tries: 0,
    duplicates: 0,
    results: [],
  });
  expect(await records.depth()).toBe(1);
  const taken = await take();
  expect(taken).toMatchObject({ ticket: TICKET, ticketId: '7' });
  expect(taken.entries).toEqual([
    { delivery: 'github:api.1:d1', receivedAtMs: delivery?.receivedAtMs, projects: ['api'] },
  ]);
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'queued', tries: 1 });
});

test('the same delivery fifty times at once is accepted once', async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => records.accept(deliveryOf('d1'))));
  expect(answers.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
  expect(answers.filter(({ kind }) => kind === 'duplicate')).toHaveLength(49);
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'received', duplicates: 49 });
  expect((await take()).entries).toHaveLength(1);
});

test('one id with another payload does nothing; a payload that the platform told when asked has no hash to compare', async () => {
  await records.accept(deliveryOf('d1'));
  expect(await records.accept(deliveryOf('d1', { payloadHash: 'other' }))).toEqual({
    kind: 'mismatch',
    state: 'received',
  });
  expect(await records.accept(deliveryOf('d1', { payloadHash: '' }))).toEqual({ kind: 'duplicate', state: 'received' });
  expect(await records.accept(deliveryOf('d2', { payloadHash: '' }))).toEqual({ kind: 'accepted' });
  expect(await records.accept(deliveryOf('d2'))).toEqual({ kind: 'duplicate', state: 'received' });
});

test('a thousand deliveries of one ticket are one ticket to look at; one more is refused whole', async () => {
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => records.accept(deliveryOf(`d${i}`))));
  expect(await records.depth()).toBe(1);
  const before = await keysNow();
  expect(await records.accept(deliveryOf('one-more'))).toEqual({ kind: 'full' });
  expect(await keysNow()).toEqual(before);
  const taken = await take();
  expect(taken.entries).toHaveLength(1_000);
  await records.settle(
    taken,
    taken.entries.map(({ delivery }) => delivery),
    { kind: 'processed', outcome: 'claimed', run: 'r1' },
  );
  expect(await records.depth()).toBe(0);
  expect(await records.accept(deliveryOf('one-more'))).toEqual({ kind: 'accepted' });
});

test('when too many tickets wait, a new one is refused whole and a known one is not', async () => {
  const due = Array.from({ length: 9_999 }, (_, i) => [i, `github~github.com~org%2Fapi~x${i}`]).flat();
  await redis.client.zadd(rooms.redis.keys.inboxDue, ...(due as [number, string]));
  const two = [
    { key: TICKET, id: '7' },
    { key: `${TICKET}8`, id: '78' },
  ];
  expect(await records.accept(deliveryOf('d1', { tickets: two }))).toEqual({ kind: 'full' });
  expect(await records.get('github:api.1:d1')).toBeUndefined();
  expect(await records.accept(deliveryOf('d2'))).toEqual({ kind: 'accepted' });
  expect(await records.accept(deliveryOf('d3'))).toEqual({ kind: 'accepted' });
});

test('an event that arrives while its ticket is being looked at makes it due once more, and only then', async () => {
  await records.accept(deliveryOf('d1'));
  const first = await take();
  await records.accept(deliveryOf('d2'));
  expect(await records.take(10)).toEqual([]);
  expect(await records.settle(first, ['github:api.1:d1'], { kind: 'processed', outcome: 'claimed', run: 'r1' })).toBe(
    true,
  );
  expect(await records.get('github:api.1:d1')).toMatchObject({
    state: 'processed',
    results: [{ ticket: TICKET, outcome: 'claimed', run: 'r1' }],
  });
  expect(await records.get('github:api.1:d2')).toMatchObject({ state: 'received', results: [] });
  const second = await take();
  expect(second.entries.map(({ delivery }) => delivery)).toEqual(['github:api.1:d2']);
  await records.settle(second, ['github:api.1:d2'], {
    kind: 'processed',
    outcome: 'already-claimed: queued',
    run: 'r1',
  });
  expect(await records.depth()).toBe(0);
  expect((await keysNow()).filter((key) => key.includes(':inbox'))).toEqual([]);
});

test('a taker that dies leaves a lease that ends; when it comes back after all it takes nothing from its successor', async () => {
  const hasty = createDeliveryRecords(rooms.redis, { inboxLeaseMs: 1, inboxScanMs: 1 });
  await records.accept(deliveryOf('d1'));
  const [late] = await hasty.take(10);
  if (late === undefined) throw new Error('nothing was due');
  await expect.poll(() => records.take(10)).toHaveLength(1);
  await records.accept(deliveryOf('d2'));
  await records.settle(late, ['github:api.1:d1'], { kind: 'failed', outcome: 'failed: unavailable' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'failed' });
  // The successor still has the ticket: what has arrived since waits for it.
  expect(await records.take(10)).toEqual([]);
  expect(await records.depth()).toBe(1);
});

test('what one taker has settled, another one that had it too cannot settle otherwise', async () => {
  const hasty = createDeliveryRecords(rooms.redis, { inboxLeaseMs: 1, inboxScanMs: 1 });
  await records.accept(deliveryOf('d1'));
  const [late] = await hasty.take(10);
  if (late === undefined) throw new Error('nothing was due');
  await expect.poll(() => records.take(10)).toHaveLength(1);
  await records.settle(late, ['github:api.1:d1'], { kind: 'processed', outcome: 'claimed', run: 'r1' });
  await records.settle(late, ['github:api.1:d1'], { kind: 'failed', outcome: 'failed: unavailable' });
  expect(await records.get('github:api.1:d1')).toMatchObject({
    state: 'processed',
    results: [{ ticket: TICKET, outcome: 'claimed', run: 'r1' }],
  });
});

test('later: due after the pause with the reason on record, at once when something new arrives', async () => {
  await records.accept(deliveryOf('d1'));
  const taken = await take();
  await records.settle(taken, ['github:api.1:d1'], { kind: 'later', outcome: 'failed: unavailable', delayMs: 60_000 });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'queued', reason: 'failed: unavailable' });
  expect(await records.take(10)).toEqual([]);
  await records.accept(deliveryOf('d2'));
  expect((await take()).entries).toHaveLength(2);
  expect(await records.get('github:api.1:d1')).toMatchObject({ tries: 2 });
});

test('what has failed comes back when it is sent again; what was processed does not', async () => {
  await records.accept(deliveryOf('d1'));
  await records.settle(await take(), ['github:api.1:d1'], { kind: 'failed', outcome: 'failed: auth' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'failed', reason: 'failed: auth' });
  expect(await records.accept(deliveryOf('d1'))).toEqual({ kind: 'accepted' });
  await records.settle(await take(), ['github:api.1:d1'], { kind: 'processed', outcome: 'claimed', run: 'r1' });
  const processed = await records.get('github:api.1:d1');
  expect(processed).toMatchObject({ state: 'processed' });
  expect(processed?.reason).toBeUndefined();
  expect(await records.accept(deliveryOf('d1'))).toEqual({ kind: 'duplicate', state: 'processed' });
});

test('an ignored delivery is routed again under another configuration, if that was why', async () => {
  expect(await records.accept(deliveryOf('d1', ignored('no-trigger-label', true)))).toEqual({
    kind: 'ignored',
    reason: 'no-trigger-label',
  });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'ignored', reason: 'no-trigger-label' });
  expect(await records.depth()).toBe(0);
  expect(await records.accept(deliveryOf('d1'))).toEqual({ kind: 'duplicate', state: 'ignored' });
  expect(await records.accept(deliveryOf('d1', { configHash: 'config-2' }))).toEqual({ kind: 'accepted' });
  await records.accept(deliveryOf('d2', ignored('ping')));
  expect(await records.accept(deliveryOf('d2', { configHash: 'config-2' }))).toEqual({
    kind: 'duplicate',
    state: 'ignored',
  });
});

test('a delivery of several tickets is over when the last of them is, and processed if one of them was', async () => {
  const other = { key: `${TICKET}8`, id: '78' };
  await records.accept(deliveryOf('d1', { tickets: [{ key: TICKET, id: '7' }, other] }));
  const [one, two] = await records.take(10);
  if (one === undefined || two === undefined) throw new Error('two tickets are due');
  await records.settle(one, ['github:api.1:d1'], { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'queued' });
  await records.settle(two, ['github:api.1:d1'], { kind: 'failed', outcome: 'failed: unsupported' });
  const delivery = await records.get('github:api.1:d1');
  expect(delivery?.state).toBe('processed');
  expect(delivery?.results).toHaveLength(2);
});

test('a person sends it again: its tickets are due, whatever became of it; without a ticket there is nothing to do', async () => {
  await records.accept(deliveryOf('d1', ignored('no-trigger-label', true)));
  expect(await records.replay('github:api.1:d1')).toBe('accepted');
  await records.settle(await take(), ['github:api.1:d1'], { kind: 'processed', outcome: 'not-eligible: closed' });
  expect(await records.replay('github:api.1:d1')).toBe('accepted');
  expect((await take()).entries).toHaveLength(1);
  await records.accept(deliveryOf('d2', { tickets: [], ...ignored('ping') }));
  expect(await records.replay('github:api.1:d2')).toBe('nothing');
  expect(await records.replay('github:api.1:unknown')).toBeUndefined();
});

test('the oldest records make room for new ones, but none that is still to be worked on', async () => {
  await records.accept(deliveryOf('d1', ignored('ping')));
  await records.accept(deliveryOf('waiting'));
  const fill = Array.from({ length: 100_000 }, (_, i) => [Date.now() + 60_000, `filler-${i}`]).flat();
  for (let from = 0; from < fill.length; from += 20_000) {
    await redis.client.zadd(rooms.redis.keys.deliveries, ...(fill.slice(from, from + 20_000) as [number, string]));
  }
  await records.accept(deliveryOf('new', ignored('ping')));
  expect(await records.get('github:api.1:d1')).toBeUndefined();
  expect(await records.get('github:api.1:waiting')).toMatchObject({ state: 'received' });
  expect(await records.get('github:api.1:new')).toMatchObject({ state: 'ignored' });
});

test('tickets of a host that has work enough are left lying, and hide nobody else', async () => {
  const busy = Array.from({ length: 30 }, (_, i) => ({ key: `github~github.com~org%2Fapi~${i}`, id: String(i) }));
  for (const ticket of busy) await records.accept(deliveryOf(`b${ticket.id}`, { tickets: [ticket] }));
  await records.accept(deliveryOf('free', { tickets: [{ key: 'gitlab~gl.corp~g%2Fp~1', id: '1' }] }));
  const taken = await records.take(5, ['github~github.com~']);
  expect(taken.map(({ ticket }) => ticket)).toEqual(['gitlab~gl.corp~g%2Fp~1']);
  await expect.poll(async () => (await records.take(50)).length).toBe(30);
});

test('every project that a delivery reaches is known to be heard of', async () => {
  await records.accept(deliveryOf('d1', { projects: ['api', 'web'] }));
  const arrivals = await records.arrivals();
  expect([...arrivals.keys()].sort()).toEqual(['api', 'web']);
  expect(arrivals.get('api')).toBeCloseTo(await rooms.redis.timeMs(), -4);
});

test('whatever arrives, is taken, settled or put off in whatever order: what was accepted is settled once, and nothing is left', async () => {
  const act = fc.oneof(
    fc.record({
      kind: fc.constant('accept' as const),
      id: fc.integer({ min: 0, max: 5 }),
      ticket: fc.integer({ min: 0, max: 2 }),
    }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constantFrom('processed' as const, 'later' as const, 'failed' as const), which: fc.nat(5) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (acts) => {
      await redis.client.flushall();
      await expect.poll(() => rooms.redis.status().state).toBe('up');
      const held: Awaited<ReturnType<DeliveryRecords['take']>> = [];
      const accepted = new Set<string>();
      for (const one of acts) {
        if (one.kind === 'accept') {
          const tickets = [{ key: `${TICKET}${one.ticket}`, id: `7${one.ticket}` }];
          const delivery = deliveryOf(`d${one.id}-${one.ticket}`, { tickets });
          if ((await records.accept(delivery)).kind === 'accepted') accepted.add(delivery.name);
        } else if (one.kind === 'take') {
          const taken = await records.take(10);
          // Nobody is given a ticket that somebody else holds.
          for (const { ticket } of taken) expect(held.some((other) => other.ticket === ticket)).toBe(false);
          held.push(...taken);
        } else {
          const [taken] = held.splice(one.which % Math.max(1, held.length), 1);
          if (taken === undefined) continue;
          const names = taken.entries.map(({ delivery }) => delivery);
          const how =
            one.kind === 'later'
              ? ({ kind: 'later', outcome: 'x', delayMs: 0 } as const)
              : { kind: one.kind, outcome: 'x' };
          await records.settle(taken, names, how);
        }
      }
      for (const taken of held)
        await records.settle(
          taken,
          taken.entries.map(({ delivery }) => delivery),
          { kind: 'processed', outcome: 'x' },
        );
      for (let taken = await records.take(10); taken.length > 0; taken = await records.take(10)) {
        for (const one of taken)
          await records.settle(
            one,
            one.entries.map(({ delivery }) => delivery),
            { kind: 'processed', outcome: 'x' },
          );
      }
      expect(await records.depth()).toBe(0);
      for (const name of accepted) expect(['processed', 'failed']).toContain((await records.get(name))?.state);
      expect((await keysNow()).filter((key) => key.includes(':inbox'))).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
