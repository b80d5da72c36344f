/** A master, a replica and one Sentinel on 127.0.0.1: enough for a real failover. All of it ends with the test. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import type { EmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { startLeashed } from '../../src/redis/embedded/leashed-process.ts';
import { startTestRedis, testRedisServer } from './redis.ts';
import { type Scope, thisTest } from './scope.ts';
import { until } from './until.ts';

const MASTER = 'agentsmith';

export interface SentinelSetup {
  /** For `REDIS_URL`. */
  readonly url: string;
  /** Of the Sentinel itself. */
  readonly port: number;
  readonly first: EmbeddedRedis;
  readonly second: EmbeddedRedis;
  /** Port of the server that Sentinel names as master. */
  masterPort(): Promise<number>;
  /** How many connections want to hear of a failover. */
  listeners(): Promise<number>;
  /** The second one hears nothing more of the first: what is written from now on is lost in a failover. */
  cutReplication(): Promise<void>;
  /** Makes the second one master although the first is well; resolves when that is known. */
  failOver(): Promise<void>;
}

/** Resolves when the replica is in step and the Sentinel knows it. A dead master is replaced after about three seconds. */
export async function startSentinel({ onTestFinished }: Scope = thisTest): Promise<SentinelSetup> {
  // By default a master waits five seconds for further replicas before it sends its data.
  const first = await startTestRedis({ settings: ['repl-diskless-sync-delay 0'] });
  onTestFinished(() => first.stop());
  const second = await startTestRedis({
    settings: [`replicaof 127.0.0.1 ${first.port}`, 'repl-diskless-sync-delay 0'],
  });
  onTestFinished(() => second.stop());

  const port = await freePort();
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-sentinel-'));
  const config = path.join(dir, 'sentinel.conf');
  await writeFile(
    config,
    [
      'bind 127.0.0.1',
      `port ${port}`,
      `sentinel monitor ${MASTER} 127.0.0.1 ${first.port} 1`,
      // Less, and a busy machine looks like a dead master: it is deposed before the test begins.
      `sentinel down-after-milliseconds ${MASTER} 2000`,
      `sentinel failover-timeout ${MASTER} 4000`,
    ].join('\n'),
  );
  const { program, env } = testRedisServer();
  const sentinel = startLeashed(program, [config, '--sentinel'], { cwd: dir, env, onLine: () => {} });
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  onTestFinished(async () => {
    client.disconnect();
    sentinel.signal('SIGKILL');
    await sentinel.ended;
    await rm(dir, { recursive: true, force: true });
  });
  const replica = new Redis(second.url);
  onTestFinished(() => replica.disconnect());
  await until('the replica is in step', async () =>
    (await replica.info('replication')).includes('master_link_status:up'),
  );
  await until('Sentinel knows the replica', async () => {
    const known = (await client.call('SENTINEL', 'REPLICAS', MASTER)) as readonly unknown[];
    return known.length === 1;
  });
  const masterPort = async (): Promise<number> => {
    const [, found] = (await client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
    return Number(found);
  };
  return {
    port,
    url: `redis+sentinel://127.0.0.1:${port}/${MASTER}`,
    first,
    second,
    masterPort,
    async listeners() {
      const list = (await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub')) as string;
      return list.split('\n').filter((line) => line !== '').length;
    },
    async cutReplication() {
      // A password that the master never asked for: it refuses every attempt to connect once more.
      await replica.config('SET', 'masterauth', 'not-asked-for');
      await replica.call('CLIENT', 'KILL', 'TYPE', 'master');
      await until('the line is cut', async () =>
        (await replica.info('replication')).includes('master_link_status:down'),
      );
    },
    async failOver() {
      await client.call('SENTINEL', 'FAILOVER', MASTER);
      await until('the second is master', async () => (await masterPort()) === second.port);
    },
  };
}
