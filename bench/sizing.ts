/** What to size a deployment by: each part on a Redis of its own, because the memory of the whole server is measured. */
import { openEmbeddedRedis } from '../src/cli/dev.ts';
import { benchIdleReplicas } from './idle-replica.ts';
import { lookAround } from './redis.ts';
import { benchRedisMemory } from './redis-memory.ts';
import type { SizingResult } from './sizing-report.ts';

export interface SizingOptions {
  readonly quick: boolean;
  /** For the replicas. */
  readonly nodeOptions: string;
}

const SIZES = {
  normal: { tickets: 10_000, windowSeconds: 60 },
  quick: { tickets: 500, windowSeconds: 2 },
};

export async function benchSizing({ quick, nodeOptions }: SizingOptions): Promise<SizingResult> {
  const { tickets, windowSeconds } = quick ? SIZES.quick : SIZES.normal;
  const memory = await onItsOwn((redisUrl) => benchRedisMemory({ redisUrl, tickets }));
  return await onItsOwn(async (redisUrl) => ({
    machine: await lookAround(redisUrl),
    memory,
    idle: await benchIdleReplicas({ redisUrl, windowSeconds, nodeOptions }),
    nodeOptions,
  }));
}

async function onItsOwn<T>(measure: (redisUrl: string) => Promise<T>): Promise<T> {
  const redis = await openEmbeddedRedis(process.env);
  try {
    return await measure(redis.url);
  } finally {
    await redis.stop();
  }
}
