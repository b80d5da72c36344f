/**
 * The connection under what really happens to a Redis server: away, frozen, restarted, emptied, replaced. Row names are
 * those of PROTOCOL 7.
 */
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { silentLog } from '../support/house.ts';
import { startTestRedis, type TestRedisOptions } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const WINDOW_MS = 60_000;

function connect(
  port: number,
  options: { freshServer?: boolean; password?: string; redisProbeMs?: number } = {},
): RedisConnection {
  const { password, redisProbeMs = 50, ...more } = options;
  const address = parseRedisUrl(`redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`);
  if (!address.ok) throw new Error(address.problem);
  const connection = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { redisCommandMs: 300, redisProbeMs, redisSocketMs: 1_000 },
    blockMs: 100,
    log: silentLog,
    ...more,
  });
  onTestFinished(() => connection.close());
  return connection;
}

async function start(options: TestRedisOptions = {}) {
  const server = await startTestRedis(options);
  onTestFinished(() => server.stop());
  return server;
}

const up = (connection: RedisConnection) => until('redis is up', () => connection.status().state === 'up');
const down = (connection: RedisConnection) => until('redis is down', () => connection.status().state === 'down');

/** A connection that has seen this server for so long that no recovery is left. */
async function settled(port: number): Promise<RedisConnection> {
  const connection = connect(port, { freshServer: true });
  await up(connection);
  expect(connection.recoveringMs(WINDOW_MS)).toBe(0);
  return connection;
}

/** After a loss: another incarnation, most of the window still to come, and broken contact. */
async function expectLoss(connection: RedisConnection, before: Before): Promise<void> {
  await until('the loss is noticed', () => connection.incarnation() !== before.incarnation);
  await up(connection);
  expect(connection.recoveringMs(WINDOW_MS)).toBeGreaterThan(WINDOW_MS - 20_000);
  expect(connection.recoveringMs(WINDOW_MS)).toBeLessThanOrEqual(WINDOW_MS);
  expect(connection.contacts()).toBeGreaterThan(before.contacts);
}

interface Before {
  readonly incarnation: string | undefined;
  readonly contacts: number;
}
const before = (connection: RedisConnection): Before => ({
  incarnation: connection.incarnation(),
  contacts: connection.contacts(),
});

const acquire = (connection: RedisConnection): Promise<unknown> =>
  connection.script(
    'acquire-lease',
    [connection.keys.leader('a'), connection.keys.leaderEpoch('a'), connection.keys.incarnation],
    ['me:1', 1_000, 0],
  );

test('starts while Redis is away, refuses at once with the operation in words, and comes up by itself', async () => {
  const port = await freePort();
  const connection = connect(port);
  const states: string[] = [];
  connection.onChange(({ state }) => states.push(state));
  await until('the reason is known', () => connection.status().reason.includes('ECONNREFUSED'));
  await expect(acquire(connection)).rejects.toThrow(/^acquire-lease: redis is unreachable/);
  await expect(connection.timeMs()).rejects.toThrow(/^read redis time: redis is unreachable/);
  expect(connection.recoveringMs(WINDOW_MS)).toBe(WINDOW_MS);

  await start({ port });
  expect(await connection.whenUp(AbortSignal.timeout(10_000))).toBe(true);
  expect(states).toEqual(['up']);
  expect(await acquire(connection)).toEqual(['acquired', expect.any(String)]);
});

test('a host that refuses every attempt says that no server listens; one attempt that ends otherwise, and it is not known', async () => {
  const server = await start();
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const connection = await settled(proxy.port);
  const isRefused = (): boolean => connection.status().refused;
  expect(isRefused()).toBe(false);

  await proxy.set('refuse');
  await until('it is refused', isRefused);
  expect(connection.status().state).toBe('down');
  await proxy.set('pass');
  await up(connection);
  expect(isRefused()).toBe(false);

  // A line that is cut, and then swallows an attempt before it refuses the next ones.
  await proxy.set('refuse');
  await until('it is refused again', isRefused);
  await proxy.set('black-hole');
  await until('an attempt is swallowed', () => !isRefused());
  await proxy.set('refuse');
  await until('the swallowed attempt is over', () => connection.status().reason.includes('ECONNREFUSED'));
  expect(isRefused()).toBe(false);

  // The next loss is judged by its own attempts.
  await proxy.set('pass');
  await up(connection);
  await proxy.set('black-hole');
  await down(connection);
  expect(isRefused()).toBe(false);
  await proxy.set('refuse');
  await until('the silent connection is cut', () => connection.status().reason.includes('ECONNREFUSED'));
  expect(isRefused()).toBe(false);
});

test('a server that was never there refuses; Sentinel has no one host whose word would count', async () => {
  const port = await freePort();
  const connection = connect(port);
  expect(connection.status().refused).toBe(false);
  await until('it is refused', () => connection.status().refused);

  const address = parseRedisUrl(`redis+sentinel://127.0.0.1:${port}/main`);
  if (!address.ok) throw new Error(address.problem);
  const timing = { redisCommandMs: 300, redisProbeMs: 50, redisSocketMs: 1_000 };
  const sentinel = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing,
    blockMs: 100,
    log: silentLog,
  });
  onTestFinished(() => sentinel.close());
  await until('it has tried', () => sentinel.status().reason !== 'connecting');
  expect(sentinel.status().refused).toBe(false);
});

test('waiting for Redis ends with its signal', async () => {
  const connection = connect(await freePort());
  expect(await connection.whenUp(AbortSignal.timeout(20))).toBe(false);
  expect(await connection.whenUp(AbortSignal.abort())).toBe(false);
});

test('a wrong password is a reason, not an end', async () => {
  const { port } = await start({ password: 'right' });
  const connection = connect(port, { password: 'wrong' });
  await until('the reason is known', () => /WRONGPASS|NOAUTH/.test(connection.status().reason));
  await up(connect(port, { password: 'right' }));
});

test('a server that hangs is noticed though its sockets stay open, and is taken up again when it goes on', async () => {
  const server = await start();
  const connection = await settled(server.port);
  const seen = before(connection);
  await server.kill('SIGSTOP');
  const command = acquire(connection);
  await expect(command).rejects.toThrow(/^acquire-lease: /);
  await down(connection);
  await expect(acquire(connection)).rejects.toThrow('redis is unreachable');

  await server.kill('SIGCONT');
  await up(connection);
  expect(connection.incarnation()).toBe(seen.incarnation);
  expect(connection.recoveringMs(WINDOW_MS)).toBe(0);
  expect(connection.contacts()).toBeGreaterThan(seen.contacts);
});

test('recovery: a connection that was cut and finds the same server has lost nothing', async () => {
  const server = await start();
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const connection = await settled(proxy.port);
  const seen = before(connection);
  await proxy.set('refuse');
  await down(connection);
  await proxy.set('pass');
  await up(connection);
  expect(connection.incarnation()).toBe(seen.incarnation);
  expect(connection.recoveringMs(WINDOW_MS)).toBe(0);
  expect(connection.contacts()).toBe(seen.contacts + 1);
});

test('recovery: FLUSHALL is noticed without a reconnection, by every process, as one loss', async () => {
  const server = await start();
  const one = await settled(server.port);
  const two = connect(server.port);
  await up(two);
  const [seenByOne, seenByTwo] = [before(one), before(two)];
  expect(seenByTwo.incarnation).toBe(seenByOne.incarnation);
  await one.read('flush', (client) => client.flushall());
  await expectLoss(one, seenByOne);
  await expectLoss(two, seenByTwo);
  await until('both know the same incarnation', () => one.incarnation() === two.incarnation());
});

test('recovery: a claim right after FLUSHALL is refused, whoever notices first', async () => {
  const server = await start();
  const connection = await settled(server.port);
  const begin = (): Promise<unknown> =>
    connection.script(
      'begin-claim',
      [
        connection.keys.ticket('t'),
        connection.keys.claimLock('p', 't'),
        connection.keys.incarnation,
        connection.keys.runs('received'),
      ],
      ['run', 'token', 1_000, 20_000, connection.keys.run(''), 5, 1_000, '0', 1_000],
    );
  const [, reply] = await Promise.all([connection.read('flush', (client) => client.flushall()), begin()]);
  expect(reply).toEqual(['recovering', '-1']);
  const [kind, leftMs] = (await begin()) as [string, string];
  expect(kind).toBe('recovering');
  expect(Number(leftMs)).toBeGreaterThan(0);
});

test.each([
  ['restart without its data', false],
  ['restart with its data, of which the last writes may be missing', true],
])('recovery: a %s is a loss', async (_, appendOnly) => {
  const server = await start({ appendOnly });
  const connection = await settled(server.port);
  const seen = before(connection);
  await server.restart();
  await expectLoss(connection, seen);
});

test('recovery: a restart is noticed by a server whose memory is full too, which is up and heals', async () => {
  const server = await start({ appendOnly: true, settings: ['maxmemory 1'] });
  const connection = await settled(server.port);
  const seen = before(connection);
  await server.restart();
  await expectLoss(connection, seen);
  await expect(acquire(connection)).rejects.toThrow('OOM');
  expect(connection.status().state).toBe('up');
  await connection.read('make room', (client) => client.config('SET', 'maxmemory', '0'));
  await until('there is room', async () => String(await acquire(connection)).startsWith('acquired'));
});

test('a server that does not say who it is, is never used, and asked at growing intervals', async () => {
  const server = await start({ settings: ['user default on nopass ~* &* +@all -info', 'user admin on >pw +info'] });
  const admin = new Redis(server.port, '127.0.0.1', { username: 'admin', password: 'pw' });
  onTestFinished(() => admin.disconnect());
  const connections = async (): Promise<number> =>
    Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1]);
  const others = await connections();
  const startedMs = performance.now();
  const connection = connect(server.port, { redisProbeMs: 1_000 });
  await until('it has come back four times', async () => (await connections()) >= others + 5);
  // 100 ms, then twice as long each time; a hot loop needs 400 ms in all.
  expect(performance.now() - startedMs).toBeGreaterThan(1_400);
  expect(connection.status()).toMatchObject({ state: 'down', reason: expect.stringContaining('NOPERM') });
});

test('recovery: another server behind the same address is a loss, and so is the way back', async () => {
  const [first, second] = [await start(), await start()];
  const proxy = await startTcpProxy(first.port);
  onTestFinished(() => proxy.close());
  const connection = await settled(proxy.port);
  const seen = before(connection);
  proxy.setTarget(second.port);
  await expectLoss(connection, seen);
  const between = before(connection);
  proxy.setTarget(first.port);
  await expectLoss(connection, between);
  expect(connection.incarnation()).not.toBe(seen.incarnation);
});

test('recovery: nothing is done with a server before it is known whose data it holds', async () => {
  const server = await start();
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const connection = await settled(proxy.port);
  await proxy.set('refuse');
  await down(connection);
  await server.restart();
  proxy.setLatency(40);
  await proxy.set('pass');
  // Tried all the time: what is let through must have seen the new incarnation.
  const seen = connection.incarnation();
  const refused: string[] = [];
  await until('a script is let through', async () => {
    try {
      await acquire(connection);
      return true;
    } catch (error) {
      refused.push(String(error));
      expect(connection.incarnation()).toBe(seen);
      return false;
    }
  });
  expect(refused).not.toEqual([]);
  expect(connection.incarnation()).not.toBe(seen);
  expect(connection.recoveringMs(WINDOW_MS)).toBeGreaterThan(0);
});

test('recovery: a server that nobody has seen starts its window, one that was started empty by us does not', async () => {
  const theirs = connect((await start()).port);
  await up(theirs);
  expect(theirs.recoveringMs(WINDOW_MS)).toBeGreaterThan(0);

  const { port } = await start();
  const ours = await settled(port);
  const second = await settled(port);
  expect(second.incarnation()).toBe(ours.incarnation());
});

test('recovery: the window ends by itself', async () => {
  const connection = connect((await start()).port);
  await up(connection);
  expect(connection.recoveringMs(200)).toBeGreaterThan(0);
  await until('it is over', () => connection.recoveringMs(200) === 0);
});

test('scripts are sent again to a server that has forgotten them', async () => {
  const connection = await settled((await start()).port);
  await acquire(connection);
  await connection.read('flush scripts', (client) => client.script('FLUSH'));
  expect(await acquire(connection)).toEqual(['held', 'me:1', expect.any(Number)]);
});

test('an error inside a script names the operation', async () => {
  const connection = await settled((await start()).port);
  await connection.read('prepare', (client) => client.lpush(connection.keys.leaderEpoch('a'), 'not a number'));
  await expect(acquire(connection)).rejects.toThrow(/^acquire-lease: .*WRONGTYPE/);
  await expect(connection.script('no-such-act', [], [])).rejects.toThrow('no Lua script no-such-act');
});

test('a server that takes no writes any more is not taken for a good one', async () => {
  const server = await start();
  const connection = await settled(server.port);
  const admin = new Redis(server.url);
  onTestFinished(() => admin.disconnect());
  await admin.replicaof('127.0.0.1', await freePort());
  await expect(acquire(connection)).rejects.toThrow('READONLY');
  await down(connection);
  await admin.replicaof('NO', 'ONE');
  await up(connection);
  await acquire(connection);
});

test('messages wake a subscriber until its signal ends, also after the connection was cut', async () => {
  const server = await start();
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const connection = await settled(proxy.port);
  const ending = new AbortController();
  let heard = 0;
  connection.subscribe('channel', () => (heard += 1), ending.signal);
  connection.subscribe('channel', () => (heard += 1), AbortSignal.abort());
  const publish = (): Promise<number> => connection.read('publish', (client) => client.publish('channel', 'x'));
  await until('one is heard', async () => (await publish()) > 0 && heard > 0);
  proxy.cut();
  await down(connection);
  await up(connection);
  heard = 0;
  await until('one is heard again', async () => (await publish()) > 0 && heard > 0);
  ending.abort();
  await until('nobody listens', async () => (await publish()) === 0);
});

test('closing leaves no connection open, also while Redis hangs', async () => {
  const server = await start();
  const proxy = await startTcpProxy(server.port);
  onTestFinished(() => proxy.close());
  const connection = await settled(proxy.port);
  connection.queueClient('fail');
  connection.queueClient('wait');
  connection.subscribe('channel', () => {}, new AbortController().signal);
  await until('all are open', () => proxy.connections === 4);
  await proxy.set('black-hole');
  await connection.close();
  await proxy.set('pass');
  await until('all are closed', () => proxy.connections === 0);
  expect(connection.status()).toMatchObject({ state: 'down', reason: 'the connection is closed' });
  await expect(acquire(connection)).rejects.toThrow('the connection is closed');
});
