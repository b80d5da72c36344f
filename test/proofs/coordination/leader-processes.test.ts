/**
 * Leadership between real processes (PROTOCOL 9). What counts is the ledger of their side effects: epochs only rise, and
 * never do two processes act in turns.
 */
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_TIMING, scaleTiming } from '../../../src/domain/timing.ts';
import { markFresh } from '../../support/house.ts';
import { type LeaderProcess, openLeaders } from '../../support/leaders.ts';
import { useRedis } from '../../support/redis.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';

const SCALE = 0.05;
const { leaseTtlMs, leaseRenewMs, leaseMarginMs } = scaleTiming(DEFAULT_TIMING, SCALE);
/** Of a noisy machine. */
const SLACK_MS = 1_000;

const redis = useRedis();

/** Two processes, each behind a line of its own; the first of the pair leads. */
async function openPair() {
  await markFresh(redis.url);
  const leaders = await openLeaders({ timeScale: SCALE });
  const open = async (name: string) => {
    const line = await startTcpProxy(redis.port);
    onTestFinished(() => line.close());
    return { line, process: await leaders.start(name, `redis://127.0.0.1:${line.port}`) };
  };
  const both = [await open('one'), await open('two')] as const;
  const { name } = await leaders.leader();
  const [leading, following] = name === 'one' ? both : [both[1], both[0]];
  return { leaders, leading, following };
}

const ended = (process: LeaderProcess, epoch: number) =>
  until('the term has ended', () => process.events.some((event) => event.event === 'end' && event.epoch === epoch));

test('leader: SIGKILL -> another leads within the TTL and a second', async () => {
  const { leaders, leading } = await openPair();
  const killedAt = performance.now();
  leading.process.signal('SIGKILL');
  await leaders.successorOf(leading.process);
  expect(performance.now() - killedAt).toBeLessThan(leaseTtlMs + 1_000 * SCALE + SLACK_MS);
  await leaders.expectOneAtATime();
});

test('leader: SIGTERM -> the lease is given up and another leads at once, not at the next renewal', async () => {
  const { leaders, leading, following } = await openPair();
  // Right after a renewal nothing but the message can wake the follower for a long time.
  const ttl = (): Promise<number> => redis.client.pttl('agentsmith:leader:poller');
  await until('the lease is fresh', async () => (await ttl()) > leaseTtlMs - leaseRenewMs / 10);
  const exit = once(leading.process.process, 'exit');
  const askedAt = performance.now();
  leading.process.signal('SIGTERM');
  await leaders.successorOf(leading.process);
  expect(performance.now() - askedAt).toBeLessThan(leaseRenewMs);
  expect(await redis.client.get('agentsmith:leader:poller')).toMatch(new RegExp(`^${following.process.name}:`));
  expect((await exit)[0]).toBe(0);
  await leaders.expectOneAtATime();
});

test('leader: SIGSTOP past the TTL, then SIGCONT -> the old leader changes nothing', async () => {
  const { leaders, leading, following } = await openPair();
  const old = await leaders.leader();
  // It stops on the line before the next side effect: nothing it knows has changed when it goes on.
  leading.process.command('stop');
  await leaders.successorOf(leading.process);
  const before = (await leaders.effects()).filter(({ name }) => name === old.name).length;
  leading.process.signal('SIGCONT');
  await ended(leading.process, old.epoch);
  expect(leading.process.events.find(({ event }) => event === 'error')?.error).toContain('term');
  expect((await leaders.effects()).filter(({ name }) => name === old.name)).toHaveLength(before);
  await leaders.expectOneAtATime();

  // It is a good follower afterwards.
  following.process.signal('SIGKILL');
  expect((await leaders.successorOf(following.process)).name).toBe(old.name);
  await leaders.expectOneAtATime();
});

test('leader: an event loop that was blocked longer than its trust has lost its term, also when nobody else leads', async () => {
  await markFresh(redis.url);
  const leaders = await openLeaders({ timeScale: SCALE });
  const alone = await leaders.start('alone', redis.url);
  const old = await leaders.leader();
  alone.command(`block ${leaseTtlMs - leaseMarginMs + 100}`);
  await ended(alone, old.epoch);
  expect(alone.events.find(({ event }) => event === 'error')?.error).toContain('is over');
  const next = await until('it leads again', async () =>
    (await leaders.effects()).find(({ epoch }) => epoch !== old.epoch),
  );
  expect(next.epoch).toBeGreaterThan(old.epoch);
  await leaders.expectOneAtATime();
});

test('leader: Redis cut off from the leader for a minute -> never two at once, and it follows afterwards', async () => {
  const { leaders, leading, following } = await openPair();
  const cutAt = performance.now();
  await leading.line.set('black-hole');
  const next = await leaders.successorOf(leading.process);
  await until('the minute is over', () => performance.now() - cutAt > 60_000 * SCALE);
  await leading.line.set('pass');
  const after = (await leaders.effects()).length;
  await until('much has been done since', async () => (await leaders.effects()).length > after + 50);
  const since = (await leaders.effects()).slice(after);
  expect(new Set(since.map(({ name }) => name))).toEqual(new Set([following.process.name]));
  expect(since[0]?.epoch).toBe(next.epoch);
  await leaders.expectOneAtATime();
});

test('leader: Redis cut off from everybody for a minute -> nobody leads meanwhile, one does afterwards', async () => {
  const { leaders, leading, following } = await openPair();
  await redis.server.kill('SIGSTOP');
  const cutAt = performance.now();
  await until('the old term has ended', () => leading.process.events.some(({ event }) => event === 'end'));
  const during = (await leaders.effects()).length;
  await until('the minute is over', () => performance.now() - cutAt > 60_000 * SCALE);
  expect(await leaders.effects()).toHaveLength(during);
  await redis.server.kill('SIGCONT');
  await leaders.leader();
  expect(following.process.process.exitCode).toBe(null);
  await leaders.expectOneAtATime();
});

test('leader: an outage shorter than the trust ends no term', async () => {
  const { leaders, leading } = await openPair();
  const { epoch } = await leaders.leader();
  await redis.server.kill('SIGSTOP');
  const stoppedAt = performance.now();
  await until('most of the margin is over', () => performance.now() - stoppedAt > leaseRenewMs);
  await redis.server.kill('SIGCONT');
  const after = (await leaders.effects()).length;
  await until('much has been done since', async () => (await leaders.effects()).length > after + 200);
  expect(new Set((await leaders.effects()).map((effect) => effect.epoch))).toEqual(new Set([epoch]));
  expect(leading.process.events.map(({ event }) => event)).toEqual(['up', 'begin']);
});

test('leader: FLUSHALL -> the next term waits until the old leader cannot trust itself any more, and its epoch is larger', async () => {
  const { leaders } = await openPair();
  const old = await leaders.leader();
  await redis.client.flushall();
  const next = await until('another term', async () =>
    (await leaders.effects()).find(({ epoch }) => epoch !== old.epoch),
  );
  expect(next.epoch).toBeGreaterThan(old.epoch);
  await leaders.expectOneAtATime();
});
