/** How the benches connect to their Redis, what they say of it, and the log they hand to what they measure. */
import os from 'node:os';
import { Writable } from 'node:stream';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import { createLog, type Log } from '../src/foundation/log.ts';
import { createRedactor } from '../src/foundation/redactor.ts';
import { parseRedisUrl } from '../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../src/redis/connection.ts';
import type { Machine } from './report.ts';

/** Resolves when it is up. The server is taken for fresh: nothing waits for workers that might have survived. */
export async function connect(url: string, namespace: string): Promise<RedisConnection> {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace,
    timing: DEFAULT_TIMING,
    blockMs: 5_000,
    freshServer: true,
    log: unreadLog(),
  });
  if (await redis.whenUp(AbortSignal.timeout(DEFAULT_TIMING.redisSocketMs))) return redis;
  const { reason } = redis.status();
  await redis.close();
  throw new Error(`redis cannot be reached: ${reason}`);
}

/** The machine and the server: what numbers of one run are compared by. */
export async function lookAround(redisUrl: string): Promise<Machine> {
  const redis = await connect(redisUrl, 'bench');
  const info = await redis.read('read redis version', (client) => client.info('server'));
  await redis.close();
  return {
    cores: os.availableParallelism(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    platform: `${os.platform()} ${os.arch()}`,
    node: process.versions.node,
    redis: /^redis_version:(\S+)/m.exec(info)?.[1] ?? 'unknown',
  };
}

/** Level `info` as in production, so that writing the lines is measured; nobody reads them. */
export function unreadLog(): Log {
  const destination = new Writable({ write: (_line, _encoding, done) => done() });
  return createLog({ level: 'info', redactor: createRedactor(), destination });
}
