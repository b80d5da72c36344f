/** Deliveries and inboxes on a real Redis (PROTOCOL 8, rows D1 to D9, E6, E8, E13 and E18): accepted means written, once. */
import fc from 'fast-check';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  createDeliveryRecords,
  type DeliveryRecords,
  type NewDelivery,
  type Settlement,
} from '../../src/runs/delivery-records.ts';
import { FAST, openRooms, type Rooms } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

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
  records = createDeliveryRecords(rooms.redis, { ...FAST, inboxLeaseMs: LEASE_MS });
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
/** Again in a minute, for an hour. */
const AGAIN: Settlement = {
  kind: 'failed',
  outcome: 'failed: unavailable',
  again: { inMs: 60_000, untilAgeMs: 3_600_000 },
};
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
    {
      delivery: 'github:api.1:d1',
      receivedAtMs: delivery?.receivedAtMs,
      projects: ['api'],
      configHash: 'config-1',
      mayTakeBack: false,
    },
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
  await records.settle(taken, { kind: 'processed', outcome: 'claimed', run: 'r1' });
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
  // What asks for nothing needs no room.
  expect(await records.accept(deliveryOf('d4', { tickets: two, ...ignored('own-label') }))).toMatchObject({
    kind: 'ignored',
  });
});

test('an event that arrives while its ticket is being looked at makes it due once more, and only then', async () => {
  await records.accept(deliveryOf('d1'));
  const first = await take();
  await records.accept(deliveryOf('d2'));
  expect(await records.take(10)).toEqual([]);
  await records.settle(first, { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:d1')).toMatchObject({
    state: 'processed',
    results: [{ ticket: TICKET, outcome: 'claimed', run: 'r1' }],
  });
  expect(await records.get('github:api.1:d2')).toMatchObject({ state: 'received', results: [] });
  const second = await take();
  expect(second.entries.map(({ delivery }) => delivery)).toEqual(['github:api.1:d2']);
  await records.settle(second, {
    kind: 'processed',
    outcome: 'already-claimed: queued',
    run: 'r1',
  });
  expect(await records.depth()).toBe(0);
  expect((await keysNow()).filter((key) => key.includes(':inbox'))).toEqual([]);
});

test('a taker that dies leaves a lease that ends; when it comes back after all it takes nothing from its successor', async () => {
  const hasty = createDeliveryRecords(rooms.redis, { ...FAST, inboxLeaseMs: 1, inboxScanMs: 1 });
  await records.accept(deliveryOf('d1'));
  const [late] = await hasty.take(10);
  if (late === undefined) throw new Error('nothing was due');
  await expect.poll(() => records.take(10)).toHaveLength(1);
  await records.accept(deliveryOf('d2'));
  await records.settle(late, { kind: 'failed', outcome: 'failed: unavailable' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'failed' });
  // The successor still has the ticket: what has arrived since waits for it.
  expect(await records.take(10)).toEqual([]);
  expect(await records.depth()).toBe(1);
});

test('what one taker has settled, another one that had it too cannot settle otherwise, nor what has come again', async () => {
  const hasty = createDeliveryRecords(rooms.redis, { ...FAST, inboxLeaseMs: 1, inboxScanMs: 1 });
  await records.accept(deliveryOf('d1'));
  const [late] = await hasty.take(10);
  if (late === undefined) throw new Error('nothing was due');
  await expect.poll(() => records.take(10)).toHaveLength(1);
  await records.settle(late, { kind: 'processed', outcome: 'claimed', run: 'r1' });
  await records.settle(late, { kind: 'failed', outcome: 'failed: unavailable' });
  expect(await records.get('github:api.1:d1')).toMatchObject({
    state: 'processed',
    results: [{ ticket: TICKET, outcome: 'claimed', run: 'r1' }],
  });
  await until('a moment has passed', async () => (await rooms.redis.timeMs()) > late.takenAtMs);
  await records.replay('github:api.1:d1');
  await records.settle(late, { kind: 'failed', outcome: 'failed: unavailable' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'received' });
});

test('put off: due after the pause with the reason on record, at once when something new arrives', async () => {
  await records.accept(deliveryOf('d1'));
  expect(await records.settle(await take(), AGAIN)).toBe(1);
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'queued', reason: 'failed: unavailable' });
  expect(await records.take(10)).toEqual([]);
  await records.accept(deliveryOf('d2'));
  expect((await take()).entries).toHaveLength(2);
  expect(await records.get('github:api.1:d1')).toMatchObject({ tries: 2 });
});

test('put off for too long: given up, and younger deliveries of the same ticket wait the whole pause', async () => {
  await records.accept(deliveryOf('old'));
  await records.accept(deliveryOf('young'));
  const inbox = rooms.redis.keys.inbox(TICKET);
  const [receivedAtMs, ...rest] = (await redis.client.hget(inbox, 'github:api.1:old'))?.split(' ') ?? [];
  await redis.client.hset(inbox, 'github:api.1:old', [Number(receivedAtMs) - 3_600_000, ...rest].join(' '));
  expect(await records.settle(await take(), AGAIN)).toBe(1);
  expect(await records.get('github:api.1:old')).toMatchObject({ state: 'failed', reason: 'failed: unavailable' });
  expect(await records.get('github:api.1:young')).toMatchObject({ state: 'queued' });
  expect(await records.take(10)).toEqual([]);
  expect(await records.depth()).toBe(1);
});

test('what comes again under its old name while its ticket is being looked at leads to another look', async () => {
  await records.accept(deliveryOf('d1'));
  const first = await take();
  await until('a moment has passed', async () => (await rooms.redis.timeMs()) > first.takenAtMs);
  await records.replay('github:api.1:d1');
  await records.settle(first, { kind: 'processed', outcome: 'not-eligible: done' });
  const second = await take();
  expect(second.entries).toHaveLength(1);
  await records.settle(second, { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'processed', results: [{ run: 'r1' }] });
});

test('what has failed comes back when it is sent again; what was processed does not', async () => {
  await records.accept(deliveryOf('d1'));
  await records.settle(await take(), { kind: 'failed', outcome: 'failed: auth' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'failed', reason: 'failed: auth' });
  expect(await records.accept(deliveryOf('d1'))).toEqual({ kind: 'accepted' });
  // What the first look found is no result of the second one.
  const again = await records.get('github:api.1:d1');
  expect(again).toMatchObject({ state: 'received', results: [] });
  expect([again?.reason, again?.settledAtMs]).toEqual([undefined, undefined]);
  await records.settle(await take(), { kind: 'ignored', outcome: 'no-project' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'ignored', reason: 'no-project' });
  expect(await records.accept(deliveryOf('d1', { configHash: 'config-2' }))).toEqual({ kind: 'accepted' });
  await records.settle(await take(), { kind: 'processed', outcome: 'claimed', run: 'r1' });
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
  await records.settle(one, { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'queued' });
  await records.settle(two, { kind: 'failed', outcome: 'failed: unsupported' });
  const delivery = await records.get('github:api.1:d1');
  expect(delivery?.state).toBe('processed');
  expect(delivery?.results).toHaveLength(2);
});

test.each([
  ['failed', 'ignored'],
  ['ignored', 'failed'],
] as const)('of several tickets, one %s and one %s, the failure counts', async (...kinds) => {
  const tickets = [
    { key: TICKET, id: '7' },
    { key: `${TICKET}8`, id: '78' },
  ];
  await records.accept(deliveryOf('d1', { tickets }));
  for (const [i, taken] of (await records.take(10)).entries()) {
    await records.settle(taken, { kind: kinds[i] ?? 'processed', outcome: 'x' });
  }
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'failed' });
});

test('a person sends it again: its tickets are due, whatever became of it; without a ticket there is nothing to do', async () => {
  await records.accept(deliveryOf('d1', ignored('no-trigger-label', true)));
  expect(await records.replay('github:api.1:d1')).toBe('accepted');
  await records.settle(await take(), { kind: 'processed', outcome: 'not-eligible: closed' });
  expect(await records.replay('github:api.1:d1')).toBe('accepted');
  expect((await take()).entries).toHaveLength(1);
  await records.accept(deliveryOf('d2', { tickets: [], ...ignored('ping') }));
  expect(await records.replay('github:api.1:d2')).toBe('nothing');
  expect(await records.replay('github:api.1:unknown')).toBeUndefined();
});

test('the oldest records make room for new ones, but none that is still to be worked on', async () => {
  const small = createDeliveryRecords(rooms.redis, { ...FAST, mostDeliveries: 100 });
  // Those of one millisecond are as old as their names.
  await small.accept(deliveryOf('d1', ignored('ping')));
  await small.accept(deliveryOf('d2'));
  await fillRecords(100);
  await small.accept(deliveryOf('d3', ignored('ping')));
  expect(await records.get('github:api.1:d1')).toBeUndefined();
  expect(await records.get('github:api.1:d2')).toMatchObject({ state: 'received' });
  expect(await records.get('github:api.1:d3')).toMatchObject({ state: 'ignored' });

  await fillRecords(200);
  await small.accept(deliveryOf('d4', ignored('ping')));
  expect(await records.get('github:api.1:d2')).toBeUndefined();
  await records.settle(await take(), { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:d2')).toBeUndefined();
  expect(await records.depth()).toBe(0);
});

/** Younger than what a test accepts. */
async function fillRecords(most: number): Promise<void> {
  const fill = "for i = 1, ARGV[1] do redis.call('ZADD', KEYS[1], ARGV[2], 'filler-' .. i) end";
  await redis.client.eval(fill, 1, rooms.redis.keys.deliveries, String(most), String(Date.now() + 60_000));
}

test('a Redis whose memory is full takes a delivery whole or not at all', async () => {
  await records.accept(deliveryOf('before'));
  const before = await keysNow();
  await redis.client.config('SET', 'maxmemory', '1');
  onTestFinished(async () => void (await redis.client.config('SET', 'maxmemory', '0')));
  await expect(records.accept(deliveryOf('d1', { tickets: [{ key: `${TICKET}8`, id: '78' }] }))).rejects.toThrow('OOM');
  await expect(records.accept(deliveryOf('d2', { payloadHash: '' }))).rejects.toThrow('OOM');
  await expect(records.accept(deliveryOf('d3', { tickets: [], projects: [], ...ignored('ping') }))).rejects.toThrow(
    'OOM',
  );
  expect(await keysNow()).toEqual(before);
  // What it has is worked off, which makes room.
  await records.settle(await take(), { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:before')).toMatchObject({ state: 'processed' });
});

test('what Redis lost while it was looked at leaves nothing behind, and may be sent again', async () => {
  await records.accept(deliveryOf('d1'));
  const taken = await take();
  await redis.client.del(
    ...(await redis.client.keys('agentsmith:*inbox*')),
    ...(await redis.client.keys('agentsmith:deliver*')),
  );
  expect(await records.settle(taken, AGAIN)).toBe(0);
  expect((await keysNow()).filter((key) => /inbox|deliver/.test(key))).toEqual([]);
  expect(await records.accept(deliveryOf('d1'))).toEqual({ kind: 'accepted' });
});

test('tickets of a host that has work enough are left lying, and hide nobody else', async () => {
  const busy = Array.from({ length: 30 }, (_, i) => ({ key: `github~github.com~org%2Fapi~${i}`, id: String(i) }));
  for (const ticket of busy) await records.accept(deliveryOf(`b${ticket.id}`, { tickets: [ticket] }));
  const free = [1, 2, 3].map((i) => ({ key: `gitlab~gl.corp~g%2Fp~${i}`, id: String(i) }));
  for (const ticket of free) await records.accept(deliveryOf(`f${ticket.id}`, { tickets: [ticket] }));
  const taken = await records.take(2, ['github~github.com~']);
  expect(taken.map(({ ticket }) => ticket)).toEqual(free.slice(0, 2).map(({ key }) => key));
  let later = 0;
  await until('the others have had their turn', async () => {
    later += (await records.take(50)).length;
    return later >= 31;
  });
});

test('however many tickets are left lying, those behind them have their turn', async () => {
  const busy = Array.from({ length: 1_000 }, (_, i) => [0, `github~github.com~org%2Fapi~${i}`]).flat();
  await redis.client.zadd(rooms.redis.keys.inboxDue, ...(busy as [number, string]));
  await records.accept(deliveryOf('d1', { tickets: [{ key: 'gitlab~gl.corp~g%2Fp~1', id: '1' }] }));
  expect(await records.take(5, ['github~'])).toEqual([]);
  expect((await records.take(5, ['github~'])).map(({ ticketId }) => ticketId)).toEqual(['1']);
});

test('a record that is gone before its ticket is looked at does not come back half', async () => {
  await records.accept(deliveryOf('d1'));
  await redis.client.del(rooms.redis.keys.delivery('github:api.1:d1'));
  await records.settle(await take(), { kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(await records.get('github:api.1:d1')).toBeUndefined();
  expect((await keysNow()).filter((key) => /inbox|delivery:/.test(key))).toEqual([]);
});

test('a ticket that is due for nothing is forgotten', async () => {
  await redis.client.zadd(rooms.redis.keys.inboxDue, '0', TICKET);
  expect(await records.take(10)).toEqual([]);
  expect(await records.depth()).toBe(0);
});

test('records are kept for a fortnight', async () => {
  const { delivery, deliveries } = rooms.redis.keys;
  const longAgo = (await rooms.redis.timeMs()) - FAST.deliveryTtlMs - 1;
  await redis.client.zadd(deliveries, String(longAgo), 'of long ago');
  await records.accept(deliveryOf('d1'));
  expect(await redis.client.zrange(deliveries, '0', '-1')).toEqual(['github:api.1:d1']);
  expect(await redis.client.pttl(delivery('github:api.1:d1'))).toBeGreaterThan(FAST.deliveryTtlMs - 60_000);
});

test('every project that a delivery reaches is known to be heard of', async () => {
  await records.accept(deliveryOf('d1', { projects: ['api', 'web'] }));
  const arrivals = await records.arrivals();
  expect([...arrivals.keys()].sort()).toEqual(['api', 'web']);
  expect(arrivals.get('api')).toBeCloseTo(await rooms.redis.timeMs(), -4);
});

test('only what a hook itself tells of a ticket shows that it is alive', async () => {
  const heard = async (): Promise<string[]> => [...(await records.arrivals()).keys()];
  // Told by the platform when it was asked, of no ticket, and sent again by a person.
  await records.accept(deliveryOf('told', { payloadHash: '' }));
  await records.accept(deliveryOf('push', { tickets: [], ...ignored('unsupported-event') }));
  await records.replay('github:api.1:told');
  expect(await heard()).toEqual([]);
  await records.accept(deliveryOf('own', ignored('own-label')));
  expect(await heard()).toEqual(['api']);
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
          const how: Settlement =
            one.kind === 'later'
              ? { kind: 'failed', outcome: 'x', again: { inMs: 0, untilAgeMs: 60_000 } }
              : { kind: one.kind, outcome: 'x' };
          await records.settle(taken, how);
        }
      }
      for (const taken of held) await records.settle(taken, { kind: 'processed', outcome: 'x' });
      for (let taken = await records.take(10); taken.length > 0; taken = await records.take(10)) {
        for (const one of taken) await records.settle(one, { kind: 'processed', outcome: 'x' });
      }
      expect(await records.depth()).toBe(0);
      for (const name of accepted) expect(['processed', 'failed']).toContain((await records.get(name))?.state);
      expect((await keysNow()).filter((key) => key.includes(':inbox'))).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
