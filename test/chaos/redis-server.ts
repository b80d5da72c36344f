/** The Redis server that chaos runs are played on: the one of this machine, else one that is downloaded. */
import { fileURLToPath } from 'node:url';
import { findRedisServer, type RedisServer } from '../../src/redis/embedded/redis-server.ts';

/** The folder for downloads, in the clone and ignored by git. */
const CACHE_DIR = fileURLToPath(new URL('../../.cache', import.meta.url));

export function findServer(report: (message: string) => void): Promise<RedisServer> {
  return findRedisServer({ cacheDir: CACHE_DIR, mode: process.env['AGENTSMITH_REDIS'], report });
}
