/** Between the two reads of a ticket without a record its worker reports: from then on the record has the word. */
import { expect, test } from 'vitest';
import { openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { runningRun, runOf } from '../worker/worker-room.ts';
import { openPlatformPass } from './platform-passes.ts';
import { repairs, termOf } from './terms.ts';

const redis = useRedis();

test('a label that contradicts the record which has come back is left to its worker and the projection', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  // At work, and its label still that of the claim.
  const run = await runningRun(house);
  await redis.client.flushall();
  let reads = 0;
  const platform = {
    ...house.platform,
    readTicket: async (...args: Parameters<typeof house.platform.readTicket>) => {
      reads += 1;
      const ticket = await house.platform.readTicket(...args);
      if (reads === 1) await house.attemptRecords.restore(run);
      return ticket;
    },
  };
  const { told, onRepair } = repairs();
  const pass = openPlatformPass(
    {
      ...house,
      catalog: () => house.catalog,
      platformOf: () => platform,
      recoveringMs: () => 0,
      mayAdopt: () => true,
      log: silentLog,
      onRepair,
    },
    { ...house.timing, secondReadMs: 1 },
  );
  await pass(termOf());
  expect(reads).toBe(2);
  expect(told).toEqual([]);
  expect(house.labelsOf(1)).toContain('agent-smith:enqueued');
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', labelState: 'unconfirmed' });
});
