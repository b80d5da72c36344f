/**
 * Redis Cluster: a real one, three masters and a replica of the one that serves our slot. The tests stand in the order in
 * which they hurt it: from the failover by hand on, the members have changed their roles.
 */
import { expect, onTestFinished, test } from 'vitest';
import { checkRedis } from '../../src/app/doctor/redis.ts';
import { createApiBudget } from '../../src/coordination/api-budget.ts';
import { createConfigBoard } from '../../src/coordination/config-board.ts';
import { createLeases } from '../../src/coordination/lease.ts';
import { createListening } from '../../src/coordination/listening.ts';
import { createPlaceIds } from '../../src/coordination/place-ids.ts';
import { createPollBoard, type PollSummary } from '../../src/coordination/poll-board.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { scripts } from '../../src/redis/scripts.ts';
import { createCancellations } from '../../src/runs/cancellations.ts';
import type { NewDelivery } from '../../src/runs/delivery-records.ts';
import { createRetentionRecords } from '../../src/runs/retention.ts';
import { createUnheardEnds } from '../../src/runs/unheard-ends.ts';
import { OUR_SLOT, useCluster } from '../support/cluster.ts';
import { markFresh, openHouse, REPOSITORY, silentLog, startHub } from '../support/house.ts';
import { startTestRedis } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const cluster = useCluster();

function connect(url: string, options: { readonly readOnly?: boolean } = {}): RedisConnection {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const connection = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { redisCommandMs: 500, redisProbeMs: 50, redisSocketMs: 1_000 },
    blockMs: 100,
    log: silentLog,
    ...options,
  });
  onTestFinished(() => connection.close());
  return connection;
}

const DELIVERY: NewDelivery = {
  platform: 'github',
  source: 'hook',
  id: '1',
  name: 'github:hook:1',
  derived: false,
  event: 'issues',
  action: undefined,
  installation: undefined,
  place: undefined,
  placeId: undefined,
  payloadHash: 'hash',
  configHash: 'test',
  projects: ['api'],
  tickets: [],
  ignored: undefined,
};

const POLL: PollSummary = {
  project: 'api',
  by: 'pod-1',
  atMs: 0,
  durationMs: 1,
  result: 'ok',
  heldBack: false,
  retryAfterMs: undefined,
  discovered: 0,
  pending: 0,
  claimed: 0,
  skipped: {},
  truncated: false,
  requests: 1,
  effectiveIntervalMs: 1_000,
  engine: 'polling',
  recovered: 0,
};

const up = (connection: RedisConnection) => until('redis is up', () => connection.status().state === 'up', 30_000);

/** A connection that has been told why it cannot be. */
async function refused(url: string): Promise<RedisConnection> {
  const connection = connect(url);
  await until('it is known why', () => /MOVED|disabled/.test(connection.status().reason));
  return connection;
}

test('the client goes to the node that serves our slot, whichever nodes REDIS_URL names, also when one of them hangs', async () => {
  const [hanging, , third] = cluster.members;
  if (hanging === undefined || third === undefined) throw new Error('no members');
  await hanging.server.kill('SIGSTOP');
  const connection = connect(
    `redis+cluster://127.0.0.1:${await freePort()},127.0.0.1:${hanging.server.port},127.0.0.1:${third.server.port}`,
  );
  await up(connection);
  await hanging.server.kill('SIGCONT');
  const { client } = await cluster.owner();
  expect(await client.cluster('KEYSLOT', connection.keys.incarnation)).toBe(OUR_SLOT);
  expect(await client.hget(connection.keys.incarnation, 'id')).toBe(connection.incarnation());
});

test('nodes that tell nothing are a reason with their names, no refusal, and no end', async () => {
  const [one, two] = [await freePort(), await freePort()];
  const connection = connect(`redis+cluster://127.0.0.1:${one},127.0.0.1:${two}`);
  await until('both were asked', () => {
    const { reason } = connection.status();
    return reason.includes(`127.0.0.1:${one}: connect ECONNREFUSED`) && reason.includes(`127.0.0.1:${two}: `);
  });
  expect(connection.status()).toMatchObject({ state: 'down', refused: false });
});

test('doctor: a cluster is fine; an address of the wrong kind is told apart, both ways', async () => {
  const checks = await checkRedis(connect(cluster.url, { readOnly: true }), 10_000);
  expect(checks.filter(({ state }) => state === 'problem')).toEqual([]);
  expect(checks.find(({ check }) => check === 'rights')).toMatchObject({ state: 'ok' });

  const [node] = cluster.members;
  const [reachable] = await checkRedis(await refused(`redis://127.0.0.1:${node?.server.port}`), 1);
  expect(reachable).toMatchObject({ state: 'problem', advice: expect.stringContaining('use redis+cluster://') });

  const single = await startTestRedis();
  onTestFinished(() => single.stop());
  const [refusing] = await checkRedis(await refused(`redis+cluster://127.0.0.1:${single.port}`), 1);
  expect(refusing).toMatchObject({ state: 'problem', advice: expect.stringContaining('use redis://') });
});

test('every script does its work on a cluster, and all keys are in our slot', async () => {
  const { client } = await cluster.owner();
  await Promise.all([client.flushall(), client.script('FLUSH')]);
  const house = await openHouse({ redisUrl: cluster.url });
  const {
    redis,
    claimRecords,
    attemptRecords,
    callbackRecords,
    labelRecords,
    deliveries,
    runs,
    claims,
    hub,
    timing,
    project,
  } = house;

  const claim = async (): Promise<string> => {
    const { number } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    const request = { project: 'api', ticketId: String(number), trigger: 'poll' } as const;
    expect(await claims.claim(request, AbortSignal.timeout(20_000))).toMatchObject({ kind: 'claimed' });
    const run = await runs.ofTicket(house.keyOf(number));
    if (run === undefined) throw new Error('no run');
    await attemptRecords.take(run.id, run.turn);
    return run.id;
  };
  const start = async (id: string) => {
    const run = await runs.get(id);
    if (run === undefined) throw new Error('no run');
    const reply = await attemptRecords.start(run, 'worker');
    if (reply.kind !== 'started') throw new Error(reply.kind);
    const { ticket, attempt, attemptFence: fence } = reply.run;
    return { run: reply.run, name: { run: id, ticket, attempt, fence } };
  };

  const first = await claim();
  expect(await house.admissions.tidy(house.catalog, { next: undefined })).toEqual({ off: 0, on: 0 });
  expect(await house.admissions.admit({ instance: 'pod-1', free: 1 }, house.catalog)).toEqual([]);
  const queued = await runs.get(first);
  expect(queued && (await attemptRecords.postpone(queued, { keepsPlaces: false, isVain: false }))).toMatchObject({
    kind: 'put-off',
  });
  expect(await house.admissions.admit({ instance: 'pod-1', free: 1 }, house.catalog)).toHaveLength(1);
  const begun = await start(first);
  expect(await attemptRecords.beat(begun.name)).toMatchObject({ kind: 'ok' });
  expect(await attemptRecords.restore(begun.run)).toBe(true);
  expect(await attemptRecords.beating([begun.run.ticket, 'another'])).toEqual([true, false]);
  const how = { onlyIfDead: false, interrupted: true, reason: 'drained' };
  expect(await attemptRecords.handBack(begun.name, how)).toMatchObject({ kind: 'handed-back' });
  const again = await start(first);
  const callback = { token: 'token', timeoutMs: 60_000 };
  expect(await callbackRecords.open(again.name, callback)).toMatchObject({ kind: 'open' });
  const listeningFor = new AbortController();
  let heard = 0;
  callbackRecords.onTold(() => (heard += 1), listeningFor.signal);
  await until('a result is heard of', async () => {
    await client.hdel(redis.keys.callback(first), 'told');
    expect(await callbackRecords.keep(first, '{"state":"done"}')).toBe('kept');
    return heard > 0;
  });
  listeningFor.abort();
  const end = { state: 'completed', reason: '', output: 'tail', onlyIfDead: false } as const;
  expect(await attemptRecords.finish(again.name, end)).toMatchObject({ state: 'completed' });
  const ended = await runs.get(first);
  expect(ended && (await labelRecords.settle(ended, { kind: 'confirmed' }))).toMatchObject({ kind: 'settled' });
  await labelRecords.forget(first);
  const cancellations = createCancellations(redis, attemptRecords);
  const third = await runs.get(await claim());
  expect(third && (await cancellations.request(third, 'alice'))).toMatchObject({ kind: 'cancelled' });
  const unheard = createUnheardEnds(redis);
  await unheard.later(first, 1_000);
  await unheard.forget(first);
  const second = await runs.get(await claim());
  expect(second && (await attemptRecords.endQueued(second, 'cancelled', 'closed'))).toBeDefined();

  expect(await runs.list({ most: 10 })).toMatchObject({
    items: [{ id: second?.id }, { id: third?.id }, { id: first }],
  });
  const retention = createRetentionRecords(redis, timing);
  expect(await retention.trim()).toEqual({ deliveries: 0, runs: 0 });
  expect(await retention.tidy('completed', { next: undefined }, 10)).toMatchObject({ strays: 0 });

  const question = { ticket: house.keyOf(99), platform: 'github', ticketId: '99', project: 'api' };
  const begin = (newRun: string) =>
    claimRecords.begin({ ...question, trigger: 'poll', insist: false, newRun, token: newRun });
  const held = await begin('abandoned');
  if (held.kind !== 'begun') throw new Error(held.kind);
  expect(await claimRecords.abandon(held.hold, { keep: false, backOff: false })).toEqual({ kind: 'abandoned' });
  const released = await begin('released');
  if (released.kind !== 'begun') throw new Error(released.kind);
  await claimRecords.release(released.hold);
  expect(await claimRecords.isLocked('github', question.ticket)).toBe(false);

  const tickets = [7, 8].map((number) => ({ key: house.keyOf(number), id: String(number) }));
  const delivery: NewDelivery = { ...DELIVERY, tickets };
  expect(await deliveries.accept(delivery)).toEqual({ kind: 'accepted' });
  const taken = await deliveries.take(10);
  expect(taken).toHaveLength(2);
  for (const ticket of taken) await deliveries.settle(ticket, { kind: 'processed', outcome: 'claimed' });
  expect(await deliveries.get(delivery.name)).toMatchObject({ state: 'processed' });

  const leases = createLeases(redis, timing);
  const ending = new AbortController();
  let woken = 0;
  leases.onReleased('poller', () => (woken += 1), ending.signal);
  expect(await leases.acquire('poller', 'pod-1:token')).toMatchObject({ kind: 'acquired' });
  expect(await leases.renew('poller', 'pod-1:token')).toBe(true);
  await until('a released lease wakes a follower', async () => {
    await leases.release('poller', 'pod-1:token');
    await leases.acquire('poller', 'pod-1:token');
    return woken > 0;
  });
  ending.abort();

  await createApiBudget({ redis, log: silentLog }, 'bot').learn({ remaining: 5, resetMs: 60_000 }, 'GET /');
  const board = createPollBoard(redis);
  await board.publish({ ...POLL, atMs: Date.now() });
  expect([...(await board.read()).keys()]).toEqual(['api']);
  await board.retain(new Set());
  expect(await createConfigBoard(redis, timing).note('pod-1', 'hash')).toBeUndefined();
  const decision = { ticket: 'another', project: 'api', by: 'poll', outcome: 'not-eligible' };
  expect(await house.decisions.record(decision)).toBe(true);
  const listening = createListening(redis, timing);
  await listening.note();
  expect(await listening.downMs()).toBe(0);
  const places = createPlaceIds(redis, silentLog);
  places.note(project, '4711');
  await until('the place is noted', async () => (await places.idOf(project)) === '4711');

  const names = [...scripts.keys()];
  const known = (await client.script('EXISTS', ...names.map((name) => scripts.get(name)?.sha1 ?? ''))) as number[];
  expect(names.filter((_, i) => known[i] !== 1)).toEqual([]);
  const keys = await client.keys('*');
  expect(keys.length).toBeGreaterThan(10);
  expect(keys.filter((key) => !key.startsWith('{agentsmith}:'))).toEqual([]);
  const sizes = await Promise.all(cluster.members.map((member) => member.client.dbsize()));
  expect(sizes.filter((size) => size > 0)).toHaveLength(2);
});

test('recovery: while our slot is moved to another node nothing is written; where it arrives counts as a loss', async () => {
  const connection = connect(cluster.url);
  await up(connection);
  const [other, home] = [cluster.members[0], await cluster.owner()];
  if (other === undefined) throw new Error('no members');
  for (const [from, to] of [
    [home, other],
    [other, home],
  ] as const) {
    const incarnation = connection.incarnation();
    await cluster.moveSlot(from, to, async () => {
      await until('the way is noticed', () => connection.status().reason.startsWith(`ASK ${OUR_SLOT}`));
      await expect(connection.timeMs()).rejects.toThrow('redis is unreachable (ASK');
    });
    await until('the new node is known', () => connection.incarnation() !== incarnation, 30_000);
    await up(connection);
    expect(await to.client.hget(connection.keys.incarnation, 'id')).toBe(connection.incarnation());
    expect(connection.recoveringMs(60_000)).toBeGreaterThan(0);
  }
}, 60_000);

test('recovery: a failover by hand leaves our connections open: MOVED is noticed, and counts as a loss', async () => {
  const connection = connect(cluster.url);
  await up(connection);
  const [incarnation, contacts] = [connection.incarnation(), connection.contacts()];
  const standby = await cluster.standby();
  await standby.client.cluster('FAILOVER');
  await until('the new master is known', () => connection.incarnation() !== incarnation, 30_000);
  await up(connection);
  expect((await cluster.owner()).server.port).toBe(standby.server.port);
  expect(connection.contacts()).toBeGreaterThan(contacts);
  expect(connection.recoveringMs(60_000)).toBeGreaterThan(0);
});

test('a replica takes a ticket from label to done; recovery: when the node of our slot is killed it waits, follows, and goes on', async () => {
  const [owner, standby] = [await cluster.owner(), await cluster.standby()];
  await owner.client.flushall();
  await markFresh(cluster.url);
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: cluster.url, yaml: 'redis: { durability: replicated }' });
  const replica = await site.start();
  const done = (number: number) => hub.issue(`${REPOSITORY}#${number}`).labels.includes('agent-smith:done');
  const redisState = async () => (await replica.health()).subsystems.find(({ name }) => name === 'redis')?.state;

  const first = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until('the first ticket is done', () => done(first.number), 30_000);
  expect((await replica.ready()).code).toBe(200);
  expect(await owner.client.info('commandstats')).toContain('cmdstat_wait:');
  const watcher = connect(cluster.url, { readOnly: true });
  await up(watcher);
  const before = watcher.incarnation();

  await owner.server.kill('SIGKILL');
  await until('it says so', async () => (await redisState()) !== 'up');
  expect((await replica.ready()).code).toBe(503);
  const second = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until('it is back', async () => (await redisState()) === 'up', 30_000);
  await until('and recovers', async () => (await replica.health()).findings.some(({ code }) => code === 'recovering'));
  expect(await cluster.owner()).toBe(standby);
  await until('the second ticket is done', () => done(second.number), 30_000);
  await up(watcher);
  expect(watcher.incarnation()).not.toBe(before);
  const starts = (await site.ledger()).filter(({ event }) => event === 'start').map(({ ticket }) => ticket);
  expect(starts).toEqual([String(first.number), String(second.number)]);
}, 90_000);
