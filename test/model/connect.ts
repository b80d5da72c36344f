/** The connection that all worlds share: as patient as their protocol, however busy the machine is. */
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { silentLog } from '../support/house.ts';
import { TIMING } from './world.ts';

/** Resolves when it is up. Whoever opens it closes it. */
export async function connect(url: string): Promise<RedisConnection> {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'model',
    timing: TIMING,
    blockMs: 5_000,
    freshServer: true,
    log: silentLog,
  });
  if (await redis.whenUp(AbortSignal.timeout(30_000))) return redis;
  await redis.close();
  throw new Error('redis cannot be reached');
}
