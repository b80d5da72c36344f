/** A real server that is up and takes no writes, for each of its reasons (`redis-refuses-writes`). */
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { createFindings } from '../../src/foundation/findings.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection } from '../../src/redis/connection.ts';
import { watchWrites } from '../../src/redis/write-watch.ts';
import { FAST, silentLog } from '../support/house.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

test('a server that refuses writes is a finding that says why, until it takes them; nothing is ever written', async () => {
  const server = await startTestRedis();
  onTestFinished(() => server.stop());
  const address = parseRedisUrl(server.url);
  if (!address.ok) throw new Error(address.problem);
  const timing = { ...FAST, redisCommandMs: 2_000, redisSocketMs: 8_000, redisProbeMs: 10 };
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing,
    blockMs: 200,
    log: silentLog,
  });
  onTestFinished(() => redis.close());
  const findings = createFindings();
  const over = new AbortController();
  const watching = watchWrites(redis, { findings, log: silentLog }, timing, over.signal);
  onTestFinished(async () => {
    over.abort();
    await watching;
  });
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  await until('it is up', () => redis.status().state === 'up');
  await client.set('something', 'of somebody else');
  const keys = (await client.keys('*')).toSorted();

  const refusing = (words: string): Promise<unknown> =>
    until(`it says: ${words}`, () =>
      findings.all().some(({ code, text }) => code === 'redis-refuses-writes' && text.includes(words)),
    );
  const taking = (): Promise<unknown> => until('it says nothing', () => findings.all().length === 0);
  await client.config('SET', 'maxmemory', 1);
  await refusing('its memory is full');
  await client.config('SET', 'maxmemory', 0);
  await taking();
  await client.config('SET', 'min-replicas-to-write', 1);
  await refusing('too few replicas');
  // Away is something else, which says nothing of writes: it stays as it was.
  await server.kill('SIGKILL');
  await until('it is away', () => redis.status().state === 'down');
  expect(findings.all()).toHaveLength(1);
  await server.restart();
  await taking();
  await until('it is noted whose data this is', async () => (await client.keys('*')).length === 1);
  expect(keys.filter((key) => key.includes('never-there'))).toEqual([]);
});
