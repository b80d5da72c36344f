/** What a failover has put back: an older record of a run that is at work, has ended, or is not its ticket's any more. */
import { expect, test } from 'vitest';
import { openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
const DONE = { state: 'completed', reason: 'exit code 0', output: '', onlyIfDead: false } as const;

test('while Redis recovers no run is ended in the queue: its worker may be about to report', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await queuedRun(house);
  await redis.client.hset(house.redis.keys.incarnation, 'since', await house.redis.timeMs());
  await house.attemptRecords.endQueued(run, 'cancelled', 'the ticket is gone').catch(() => undefined);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'queued' });
});

test('a run that has ended is not set back to work by an attempt that has not heard of it', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), DONE);
  expect(await house.attemptRecords.restore(run)).toBe(false);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'completed' });
});

test.each(['ends', 'is handed back'])(
  'an earlier run that %s takes no heartbeat from the one that has the ticket by now',
  async (how) => {
    const house = await openHouse({ redisUrl: redis.url });
    const run = await runningRun(house);
    const heartbeat = house.redis.keys.heartbeat(run.ticket);
    await redis.client.set(heartbeat, 'another-run:1:99');
    if (how === 'ends') await house.attemptRecords.finish(attemptOf(run), DONE);
    else
      await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
    expect((await runOf(house, run.id)).state).toBe(how === 'ends' ? 'completed' : 'queued');
    expect(await redis.client.get(heartbeat)).toBe('another-run:1:99');
  },
);
