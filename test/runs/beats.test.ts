/** A beat is compared with the record: whose turn it is by now, and whose ticket. */
import { expect, test } from 'vitest';
import { type House, openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();

const heartbeatsOf = async (house: House, ticket: string): Promise<string | null> =>
  redis.client.get(house.redis.keys.heartbeat(ticket));

test('a beat of an attempt whose run has another attempt at work is superseded, and keeps nobody alive', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const first = await runningRun(house, 'worker-1');
  await house.attemptRecords.handBack(attemptOf(first), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  const second = await house.attemptRecords.start(await runOf(house, first.id), 'worker-2');
  expect(second).toMatchObject({ kind: 'started', run: { attempt: 2 } });
  await redis.client.del(house.redis.keys.heartbeat(first.ticket));
  expect(await house.attemptRecords.beat(attemptOf(first))).toEqual({ kind: 'superseded' });
  expect(await heartbeatsOf(house, first.ticket)).toBeNull();
  expect(await house.attemptRecords.beat(attemptOf(await runOf(house, first.id)))).toMatchObject({ kind: 'ok' });
});

test('a beat of an attempt whose ticket has another run by now is superseded, though its own record is untouched', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  await redis.client.hset(house.redis.keys.ticket(run.ticket), { run: 'another', fence: run.attemptFence + 1 });
  await redis.client.del(house.redis.keys.heartbeat(run.ticket));
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'superseded' });
  expect(await heartbeatsOf(house, run.ticket)).toBeNull();
});
