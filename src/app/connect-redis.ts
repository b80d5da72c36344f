/** The connection that the configuration asks for. */
import type { Config } from '../config/config.ts';
import { parseRedisUrl } from '../redis/address.ts';
import { createRedisConnection, type RedisConnection, type RedisConnectionOptions } from '../redis/connection.ts';

/** Undefined without `REDIS_URL`. Connects in the background; throws when the URL itself is wrong. */
export function connectRedis(
  config: Config,
  options: Omit<RedisConnectionOptions, 'address' | 'namespace' | 'durability'>,
): RedisConnection | undefined {
  const url = config.secrets.redisUrl();
  if (url === undefined) return undefined;
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  return createRedisConnection({ ...config.redis, ...options, address: address.options });
}
