/** What is known of labels: settled only for the state that was projected, counted once, due by the clock of Redis. */
import { expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const never = new AbortController().signal;

async function queuedRun(): Promise<{ house: House; run: Run }> {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  const run = await house.runs.ofTicket(house.keyOf(1));
  if (run === undefined) throw new Error('the ticket has no run');
  return { house, run };
}

const isDue = async (house: House, run: Run): Promise<boolean> =>
  (await redis.client.zscore(house.redis.keys.unconfirmed, run.id)) !== null;

test('a run is on the list of unconfirmed labels exactly while its label is unconfirmed', async () => {
  const { house, run } = await queuedRun();
  expect([run.labelState, await isDue(house, run)]).toEqual(['unconfirmed', true]);
  for (const [settlement, labelState] of [
    [{ kind: 'confirmed' }, 'confirmed'],
    [{ kind: 'doubt' }, 'unconfirmed'],
    [{ kind: 'unwritable', reason: 'gone' }, 'unwritable'],
    [{ kind: 'refused', reason: 'no' }, 'unconfirmed'],
    [{ kind: 'confirmed' }, 'confirmed'],
  ] as const) {
    expect(await house.labelRecords.settle(run, settlement)).toMatchObject({ kind: 'settled', labelState });
    expect((await house.runs.get(run.id))?.labelState).toBe(labelState);
    expect(await isDue(house, run)).toBe(labelState === 'unconfirmed');
  }
});

test('a settlement of a state that has passed changes nothing', async () => {
  const { house, run } = await queuedRun();
  await house.attemptRecords.start(run, 'worker');
  const before = await redis.client.hgetall(house.redis.keys.run(run.id));
  for (const settlement of [{ kind: 'confirmed' }, { kind: 'doubt' }, { kind: 'refused', reason: 'no' }] as const) {
    expect(await house.labelRecords.settle(run, settlement)).toEqual({ kind: 'moved-on' });
    // Two changes within one millisecond are two states all the same.
    const sameMoment = { ...run, sinceMs: Number(before.sinceMs) };
    expect(await house.labelRecords.settle(sameMoment, settlement)).toEqual({ kind: 'moved-on' });
  }
  expect(await redis.client.hgetall(house.redis.keys.run(run.id))).toEqual(before);
});

test('two who see the same contradiction count it once', async () => {
  const { house, run } = await queuedRun();
  await house.labelRecords.settle(run, { kind: 'confirmed' });
  const seen = await Promise.all([1, 2].map(() => house.labelRecords.settle(run, { kind: 'doubt' })));
  expect(seen).toMatchObject([{ doubts: 1 }, { doubts: 1 }]);
  await house.labelRecords.settle(run, { kind: 'confirmed' });
  expect(await house.labelRecords.settle(run, { kind: 'doubt' })).toMatchObject({ doubts: 2 });
});

test('what is due is listed oldest first, and what is not due yet is not', async () => {
  const { house, run } = await queuedRun();
  const nowMs = await house.redis.timeMs();
  await redis.client.zadd(
    house.redis.keys.unconfirmed,
    nowMs - 10,
    run.id,
    nowMs - 20,
    'older',
    nowMs + 60_000,
    'later',
  );
  expect(await house.labelRecords.due(9)).toEqual(['older', run.id]);
  expect(await house.labelRecords.due(1)).toEqual(['older']);
  await house.labelRecords.forget('older');
  expect(await house.labelRecords.due(9)).toEqual([run.id]);
});
