/** A later turn is a job of its own, whatever has become of the job of an earlier one. */
import { expect, onTestFinished, test } from 'vitest';
import { createRunQueue } from '../../src/queue/run-queue.ts';
import { openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();

test('the next turn of a run is added while the job of the turn before is still there', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const queue = createRunQueue({ redis: house.redis, log: silentLog });
  onTestFinished(() => queue.close());
  await queue.add({ run: 'run', turn: 1 }, { delayMs: 60_000 });
  await queue.add({ run: 'run', turn: 2 });
  expect(await queue.depth()).toBe(2);
  expect(await queue.isQueued({ run: 'run', turn: 2 })).toBe(true);
  expect(await queue.isQueued({ run: 'run', turn: 3 })).toBe(false);
});
