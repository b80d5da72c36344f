/**
 * A real Redis server for a test file: started before its first test, emptied before each, ended after its last.
 *
 *   const redis = useRedis();
 *   test('...', async () => { createSomething({ url: redis.url }); await redis.client.get('...'); });
 *
 * A test may kill, stop or restart `redis.server`: before the next one it is brought back.
 */
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, inject } from 'vitest';
import { createLog, type Log } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import {
  type EmbeddedRedis,
  type EmbeddedRedisOptions,
  startEmbeddedRedis,
} from '../../src/redis/embedded/embedded-redis.ts';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';

const RECONNECT_MS = 20;

/** Usable from `beforeAll` on, not while the file loads. */
export interface TestRedis {
  readonly url: string;
  readonly port: number;
  readonly server: EmbeddedRedis;
  /** A plain connection for looking and preparing; closed by itself. */
  readonly client: Redis;
}

export type TestRedisOptions = Partial<Omit<EmbeddedRedisOptions, 'server'>>;

/** Call at the top level of a file. */
export function useRedis(options: TestRedisOptions = {}): TestRedis {
  let started: { server: EmbeddedRedis; client: Redis } | undefined;
  const current = (): { server: EmbeddedRedis; client: Redis } => {
    if (started === undefined) throw new Error('Redis is not started yet: use it in hooks and tests only');
    return started;
  };
  beforeAll(async () => {
    const server = await startTestRedis(options);
    started = { server, client: connect(server.url) };
  });
  beforeEach(async () => {
    const { server, client } = current();
    await server.kill('SIGCONT');
    if (!server.running) await server.restart();
    await client.flushall();
  });
  afterAll(async () => {
    started?.client.disconnect();
    await started?.server.stop();
  });
  return {
    get url() {
      return current().server.url;
    },
    get port() {
      return current().server.port;
    },
    get server() {
      return current().server;
    },
    get client() {
      return current().client;
    },
  };
}

/** A further server for one test, DEBUG allowed. Whoever starts it stops it. */
export function startTestRedis(options: TestRedisOptions = {}): Promise<EmbeddedRedis> {
  return startEmbeddedRedis({ debugCommand: true, log: silentLog(), ...options, server: testRedisServer() });
}

/** The program that the run found. */
export function testRedisServer(): RedisServer {
  const found = inject('redisServer');
  if ('missing' in found) throw new Error(found.missing);
  return found;
}

/**
 * Everything that a server holds, as it would be restored, and until when: equal dumps mean that nothing was written.
 */
export async function dumpOf(client: Redis): Promise<ReadonlyMap<string, string>> {
  const keys = (await client.keys('*')).toSorted();
  const texts = keys.map(async (key): Promise<[string, string]> => {
    const [value, until] = await Promise.all([client.dumpBuffer(key), client.call('PEXPIRETIME', key)]);
    return [key, `${value?.toString('hex')} until ${String(until)}`];
  });
  return new Map(await Promise.all(texts));
}

function connect(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => RECONNECT_MS });
  // Tests take the server away on purpose; a command that is waiting goes on when it is back.
  client.on('error', () => undefined);
  return client;
}

function silentLog(): Log {
  return createLog({ level: 'silent', redactor: createRedactor() });
}
