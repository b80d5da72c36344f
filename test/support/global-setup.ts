/**
 * Finds (or downloads) the Redis server once, before the workers start, and hands it to them. Not finding one is told to
 * the files that need it, so that the others still run.
 */
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { messageOf } from '../../src/foundation/errors.ts';
import { findRedisServer, type RedisServer } from '../../src/redis/embedded/redis-server.ts';

/** The folder for downloads, in the clone and ignored by git: it goes away with the clone. */
const CACHE_DIR = fileURLToPath(new URL('../../.cache', import.meta.url));

declare module 'vitest' {
  interface ProvidedContext {
    redisServer: RedisServer | { readonly missing: string };
  }
}

export async function setup(project: TestProject): Promise<void> {
  project.provide('redisServer', await find());
}

async function find(): Promise<RedisServer | { readonly missing: string }> {
  try {
    return await findRedisServer({
      cacheDir: CACHE_DIR,
      mode: process.env['AGENTSMITH_REDIS'],
      report: (message) => process.stderr.write(`${message}\n`),
    });
  } catch (error) {
    return { missing: messageOf(error) };
  }
}
