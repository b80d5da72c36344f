/** Fences of a ticket only grow, by the record and by the clock: whichever of the two is lost, the other one holds. */
import { expect, test } from 'vitest';
import { openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, queuedRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();

test('the clock of Redis went back: a fence is larger than the last one all the same, of claim, attempt and hand-back', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const anHourAhead = (await house.redis.timeMs()) + 3_600_000;
  await redis.client.hset(house.redis.keys.ticket(house.keyOf(1)), 'fence', anHourAhead);
  const run = await queuedRun(house);
  expect(run.fence).toBe(anHourAhead + 1);
  const started = await house.attemptRecords.start(run, 'worker-1');
  expect(started).toMatchObject({ kind: 'started', run: { attemptFence: anHourAhead + 2 } });
  const name = attemptOf(await runOf(house, run.id));
  await house.attemptRecords.handBack(name, { onlyIfDead: false, interrupted: true, reason: 'drained' });
  expect(await runOf(house, run.id)).toMatchObject({ attemptFence: anHourAhead + 3 });
});

test('the record of a ticket was lost: its next fence is larger than every earlier one all the same', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await queuedRun(house);
  const started = await house.attemptRecords.start(run, 'worker-1');
  if (started.kind !== 'started') throw new Error(started.kind);
  const { attemptFence } = started.run;
  await redis.client.del(house.redis.keys.ticket(run.ticket));
  // Fences go by Redis' milliseconds, and no record is lost and claimed again within one.
  await until('a millisecond has passed', async () => (await house.redis.timeMs()) > attemptFence);
  const reply = await house.claimRecords.begin({
    ticket: run.ticket,
    platform: run.platform,
    ticketId: run.ticketId,
    project: run.project,
    trigger: 'reconcile',
    insist: false,
    newRun: 'another',
    token: 'token',
  });
  expect(reply).toMatchObject({ kind: 'begun', hold: { fence: expect.any(Number) } });
  if ('hold' in reply) expect(reply.hold.fence).toBeGreaterThan(attemptFence);
});
