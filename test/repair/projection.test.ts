/** Labels that are due: written side by side, and none of them held up by another credential's platform. */
import { beforeEach, expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import type { LabelWriter } from '../../src/labels/label-writer.ts';
import { createProjection } from '../../src/repair/projection.ts';
import { type House, openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { queuedRun, runningRun, runOf } from '../worker/worker-room.ts';
import { termOf } from './terms.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

const makeDue = async (...runs: readonly Run[]): Promise<void> => {
  for (const run of runs) {
    await redis.client.hset(house.redis.keys.run(run.id), 'labelState', 'unconfirmed');
    await redis.client.zadd(house.redis.keys.unconfirmed, 1, run.id);
  }
};

test('a label that is due is written and confirmed, and is due no more', async () => {
  const run = await runningRun(house);
  await makeDue(run);
  await createProjection({ ...house, records: house.labelRecords, credentialOf: () => 'bot' }, house.timing)(termOf());
  await until('it is confirmed', async () => (await runOf(house, run.id)).labelState === 'confirmed');
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:in-progress']);
  expect(await house.labelRecords.due(9)).toEqual([]);
});

test('a platform that hangs holds up its own labels, neither the pass nor those of another credential', async () => {
  const hanging = [await queuedRun(house), await queuedRun(house)];
  const other = await queuedRun(house);
  await makeDue(...hanging, other);
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const labels: Pick<LabelWriter, 'project'> = {
    async project(run, permission) {
      asked.push(run);
      if (run !== other.id) await released;
      await house.labels.project(run, permission);
    },
  };
  const pass = createProjection(
    {
      runs: house.runs,
      records: house.labelRecords,
      labels,
      credentialOf: ({ id }) => (id === other.id ? 'quick' : 'slow'),
    },
    house.timing,
  );
  await pass(termOf());
  await until('the other is confirmed', async () => (await runOf(house, other.id)).labelState === 'confirmed');
  // Those that are being written are not written twice.
  await pass(termOf());
  expect(asked.toSorted()).toEqual([...hanging, other].map(({ id }) => id).toSorted());
  release();
  for (const run of hanging)
    await until('it is confirmed', async () => (await runOf(house, run.id)).labelState === 'confirmed');
});

test('a run that is gone is forgotten, and does not stay due for ever', async () => {
  await redis.client.zadd(house.redis.keys.unconfirmed, 1, 'gone');
  await createProjection({ ...house, records: house.labelRecords, credentialOf: () => 'bot' }, house.timing)(termOf());
  await until('it is forgotten', async () => (await house.labelRecords.due(9)).length === 0);
});
