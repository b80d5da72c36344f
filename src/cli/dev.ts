/** `agent-smith dev`: a server with a Redis of its own, for a first try. Its labels and records end with it. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../config/expand.ts';
import { type EmbeddedRedis, startEmbeddedRedis } from '../redis/embedded/embedded-redis.ts';
import { findRedisServer } from '../redis/embedded/redis-server.ts';
import { type ExitCode, openLog } from './process.ts';
import { serve } from './serve.ts';

/** Where a downloaded Redis server is kept: inside the checkout, shared with the tests. */
const CACHE_DIR = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../.cache');

/** A Redis server of our own, found or downloaded; what takes time is told on standard error. */
export async function openEmbeddedRedis(env: Environment, settings: readonly string[] = []): Promise<EmbeddedRedis> {
  const server = await findRedisServer({
    cacheDir: CACHE_DIR,
    mode: env.AGENTSMITH_REDIS,
    report: (message) => console.error(message),
  });
  return await startEmbeddedRedis({ server, log: openLog(env).log, settings });
}

export interface DevOptions {
  readonly file?: string | undefined;
  readonly port?: number | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

export async function dev(options: DevOptions): Promise<ExitCode> {
  const redis = await openEmbeddedRedis(options.env);
  try {
    return await serve({
      ...options,
      host: '127.0.0.1',
      env: { ...options.env, REDIS_URL: redis.url },
      freshRedis: true,
      // This Redis knows nothing of what production does with the same tickets.
      adoptOrphans: false,
      timeScale: 1,
    });
  } finally {
    await redis.stop();
  }
}
