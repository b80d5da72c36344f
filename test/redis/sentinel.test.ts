import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { EmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { openHouse, REPOSITORY } from '../support/house.ts';
import { startSentinel } from '../support/sentinel.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

test.each([
  ['dies', (master: EmbeddedRedis) => master.kill('SIGKILL')],
  ['hangs with open sockets', (master: EmbeddedRedis) => master.kill('SIGSTOP')],
])(
  'recovery: when the master %s the connection follows Sentinel, and claims wait until the window is over',
  async (_, end) => {
    const sentinel = await startSentinel();
    const house = await openHouse({ redisUrl: sentinel.url });
    const { redis, claims, hub, timing } = house;
    const claim = (ticket: { readonly number: number }) =>
      claims.claim({ project: 'api', ticketId: String(ticket.number), trigger: 'poll' }, AbortSignal.timeout(20_000));
    const [first, second] = [1, 2].map(() => hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }));
    if (first === undefined || second === undefined) throw new Error('no tickets');
    expect(await claim(first)).toMatchObject({ kind: 'claimed' });

    const incarnation = redis.incarnation();
    await end(sentinel.first);
    await until('Redis is away', () => redis.status().state === 'down');
    expect(await claim(second)).toMatchObject({ kind: 'failed', failure: 'redis-unavailable' });
    // A Sentinel that was kept from running for two seconds does nothing for thirty (its TILT mode).
    await until('the new master is up', () => redis.status().state === 'up', 45_000);
    expect(await sentinel.masterPort()).toBe(sentinel.second.port);
    expect(redis.incarnation()).not.toBe(incarnation);
    expect(redis.recoveringMs(timing.recoveryRepairMs)).toBeGreaterThan(0);
    // When it finds the new master before it hears of the failover, it connects once more.
    const refused = await until('Redis answers a claim', async () => {
      const outcome = await claim(second);
      return outcome.kind === 'failed' && outcome.failure === 'redis-unavailable' ? undefined : outcome;
    });
    expect(refused).toMatchObject({ kind: 'failed', failure: 'recovering' });
    await until('claims go on', async () => (await claim(second)).kind === 'claimed');
  },
  75_000,
);

test('recovery: a failover that is told in the midst of a reconnect is followed like any other', async () => {
  const sentinel = await startSentinel();
  const line = await startTcpProxy(sentinel.port);
  onTestFinished(() => line.close());
  const { redis } = await openHouse({ redisUrl: sentinel.url.replace(String(sentinel.port), String(line.port)) });
  await until('it would hear of a failover', async () => (await sentinel.listeners()) > 0);
  const master = new Redis(sentinel.first.url);
  onTestFinished(() => master.disconnect());

  // It asks the Sentinel where the master is, and the news comes before the answer.
  await line.set('black-hole');
  const asked = line.connections;
  await master.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('it asks again', () => redis.status().state === 'down' && line.connections > asked);
  await sentinel.failOver();
  line.setLatency(50);
  await line.set('pass');
  await until('the new master is up', () => redis.status().state === 'up');
}, 45_000);
