/** The short form of `npm run model`: random sequences of the protocol's steps on real Redis, against the model. */
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { useRedis } from '../support/redis.ts';
import { connect } from './connect.ts';
import { LENGTH, report, runLanes } from './lanes.ts';

/** Some seconds of work, and the machine may be busy with other tests. */
const ENOUGH_MS = 90_000;

const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connect(redis.url);
});
afterAll(() => connection.close());

/** Answers what is broken, in words: the steps, what happened, and the command that plays them again. */
async function broken(seed: number, sequences: number): Promise<string> {
  process.stdout.write(`model: seed ${seed}\n`);
  const outcome = await runLanes(connection, { seed, sequences, length: LENGTH, lanes: 4 });
  const played = outcome.broken.map((one) => report(one, LENGTH)).join('\n\n');
  // Each sequence does something, and leaves nothing of itself behind.
  expect(outcome.steps).toBeGreaterThan(outcome.sequences);
  if (played === '') expect(await redis.client.keys('model-*')).toEqual([]);
  return played;
}

test('whatever happens in whatever order, Redis knows and answers what the protocol says, and every run comes to its end', {
  timeout: ENOUGH_MS,
}, async () => {
  expect(await broken(20_261_120, 120)).toBe('');
});

test('the same for sequences that nobody has seen before', { timeout: ENOUGH_MS }, async () => {
  expect(await broken(randomInt(2 ** 31 - 8), 80)).toBe('');
});
