/** `agent-smith dev`: a server with a Redis of its own, for a first try. Its labels and records end with it. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../config/expand.ts';
import { type EmbeddedRedis, type EmbeddedRedisOptions, startEmbeddedRedis } from '../redis/embedded/embedded-redis.ts';
import { openLeashedFolder } from '../redis/embedded/leashed-folder.ts';
import { findRedisServer } from '../redis/embedded/redis-server.ts';
import { type ExitCode, openLog, untilDismissed } from './process.ts';
import { serve } from './serve.ts';

/** Where a downloaded Redis server is kept: inside the checkout, shared with the tests. */
const CACHE_DIR = path.join(path.dirname(fileURLToPath(import.meta.url)), '../../.cache');

/**
 * A Redis server of our own, found or downloaded; what takes time is told on standard error.
 * @param place `dir`: where it keeps its data, if not in a temporary folder of its own.
 */
export async function openEmbeddedRedis(
  env: Environment,
  place: Pick<EmbeddedRedisOptions, 'dir'> = {},
): Promise<EmbeddedRedis> {
  const server = await findRedisServer({
    cacheDir: CACHE_DIR,
    mode: env.AGENTSMITH_REDIS,
    report: (message) => console.error(message),
  });
  return await startEmbeddedRedis({ server, log: openLog(env).log, ...place });
}

export interface DevOptions {
  readonly file?: string | undefined;
  readonly port?: number | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

export async function dev(options: DevOptions): Promise<ExitCode> {
  const asked = untilDismissed(options.env);
  // Holds what Redis writes and the working folders of the commands, so that nothing is left however we end.
  const folder = await openLeashedFolder('agentsmith-dev-');
  try {
    const redis = await openEmbeddedRedis(options.env, { dir: folder.path });
    try {
      console.error(`for explain, plan and claim in another terminal: export REDIS_URL=${redis.url}`);
      return await serve({
        ...options,
        host: '127.0.0.1',
        env: { ...options.env, REDIS_URL: redis.url, TMPDIR: folder.path },
        freshRedis: true,
        // This Redis knows nothing of what production does with the same tickets.
        adoptOrphans: false,
        timeScale: 1,
        asked,
      });
    } finally {
      await redis.stop();
    }
  } finally {
    await folder.remove();
  }
}
