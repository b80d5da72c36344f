/** What is learnt of a label counts for the state in which it was learnt, and only as far as that goes (PROTOCOL 5). */
import { expect, test } from 'vitest';
import type { Fault } from '../../src/emulators/faults.ts';
import { createLabelWriter } from '../../src/labels/label-writer.ts';
import { heldFor } from '../support/held-answer.ts';
import { openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();

test('a settlement of an attempt that was handed back confirms nothing of the next one, though both are running', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const first = await runningRun(house);
  await house.attemptRecords.handBack(attemptOf(first), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  const second = await house.attemptRecords.start(await runOf(house, first.id), 'worker-2');
  if (second.kind !== 'started') throw new Error(second.kind);
  // Whatever the clock says: the two states were entered at different times.
  const earlier = { ...first, sinceMs: second.run.sinceMs - 1 };
  expect(await house.labelRecords.settle(earlier, { kind: 'confirmed' })).toEqual({ kind: 'moved-on' });
  expect(await runOf(house, first.id)).toMatchObject({ state: 'running', labelState: 'unconfirmed' });
  expect(await house.labelRecords.settle(second.run, { kind: 'confirmed' })).toMatchObject({ kind: 'settled' });
});

test.each<[string, Fault]>([
  ['hidden', { kind: 'answer', status: 404 }],
  ['said to be deleted', { kind: 'answer', status: 410 }],
])('a live run whose ticket is %s keeps its label due: that may pass, and it is written then', async (_, fault) => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  const hidden = house.hub.faults.inject({ method: 'GET' }, fault);
  const permission = { mayWrite: () => true, signal: new AbortController().signal };
  await house.labels.project(run.id, permission);
  expect(await runOf(house, run.id)).toMatchObject({ labelState: 'unconfirmed' });
  expect(await redis.client.zscore(house.redis.keys.unconfirmed, run.id)).not.toBeNull();
  hidden.remove();
  await house.labels.project(run.id, permission);
  expect(house.labelsOf(1)).toContain('agent-smith:in-progress');
  expect(await runOf(house, run.id)).toMatchObject({ labelState: 'confirmed' });
});

test('a label that another writer replaced in the same moment is not taken for written', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  const shown = ['agent-smith', 'agent-smith:in-progress', 'agent-smith:failed'].map((name) => ({ name }));
  // It was added and answered, and is gone by the time that the others are removed.
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 200, body: shown });
  const permission = { mayWrite: () => true, signal: new AbortController().signal };
  await house.labels.project(run.id, permission);
  expect(house.labelsOf(1)).not.toContain('agent-smith:in-progress');
  expect(await runOf(house, run.id)).toMatchObject({ labelState: 'unconfirmed' });
  await house.labels.project(run.id, permission);
  expect(house.labelsOf(1)).toContain('agent-smith:in-progress');
  expect(await runOf(house, run.id)).toMatchObject({ labelState: 'confirmed' });
});

test('a record that was read too long ago is not believed: nothing is written that was right before a pause', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  const claimCallMs = 100;
  // As after a pause between the record and the write: a call alone cannot take that long.
  const platform = { ...house.platform, readTicket: heldFor(3 * claimCallMs, house.platform.readTicket) };
  const options = { ...house.timing, claimCallMs };
  const writer = createLabelWriter(
    { ...house, catalog: () => house.catalog, platformOf: () => platform, records: house.labelRecords, log: silentLog },
    options,
  );
  await writer.project(run.id, { mayWrite: () => true, signal: new AbortController().signal });
  expect(house.labelsOf(1)).toContain('agent-smith:enqueued');
  expect(await runOf(house, run.id)).toMatchObject({ labelState: 'unconfirmed' });
});
