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
  // The claim has read its label back.
  expect([run.labelState, await isDue(house, run)]).toEqual(['confirmed', false]);
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

test('a claim that saw another lifecycle beside its own leaves the label to the projection', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:pending'] });
  // A person is as fast as our two writes.
  const body = ['agent-smith', 'agent-smith:enqueued', 'agent-smith:pending'].map((name) => ({ name }));
  house.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'answer', status: 200, body });
  await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  const run = await house.runs.ofTicket(house.keyOf(1));
  expect(run).toMatchObject({ state: 'queued', labelState: 'unconfirmed' });
  expect(await house.labelRecords.due(9)).toEqual([]);
  expect(await redis.client.zrange(house.redis.keys.unconfirmed, '0', '-1')).toEqual([run?.id]);
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

test('a settlement of a run that is not the current one any more makes the label of the current run due', async () => {
  const { house, run: earlier } = await queuedRun();
  await house.labelRecords.settle(earlier, { kind: 'confirmed' });
  await house.attemptRecords.endQueued(earlier, 'cancelled', 'by hand');
  const ended = await house.runs.get(earlier.id);
  if (ended === undefined) throw new Error('the run is gone');
  await house.labelRecords.settle(ended, { kind: 'confirmed' });
  house.hub.removeLabel(`${REPOSITORY}#1`, 'agent-smith:enqueued');
  await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'manual' }, never);
  const current = await house.runs.ofTicket(house.keyOf(1));
  if (current === undefined || current.id === earlier.id) throw new Error('the ticket has no other run');
  for (const settlement of [{ kind: 'confirmed' }, { kind: 'refused', reason: 'no' }] as const) {
    await house.labelRecords.settle(current, { kind: 'confirmed' });
    expect(await house.labelRecords.settle(ended, settlement)).toEqual({ kind: 'moved-on' });
    expect(await house.runs.get(current.id)).toMatchObject({ labelState: 'unconfirmed', labelDoubts: 0 });
    expect(await house.labelRecords.due(9)).toEqual([current.id]);
  }
});

test('a settlement of the run before a claim that is at work leaves that claim alone', async () => {
  const { house, run } = await queuedRun();
  await house.labelRecords.settle(run, { kind: 'doubt' });
  const ticket = house.redis.keys.ticket(run.ticket);
  await redis.client.hset(house.redis.keys.run('claimed-now'), { id: 'claimed-now', state: 'received' });
  await redis.client.hset(ticket, { run: 'claimed-now' });
  expect(await house.labelRecords.settle(run, { kind: 'confirmed' })).toEqual({ kind: 'moved-on' });
  await redis.client.hset(ticket, { run: 'expired' });
  expect(await house.labelRecords.settle(run, { kind: 'confirmed' })).toEqual({ kind: 'moved-on' });
  expect(await redis.client.zrange(house.redis.keys.unconfirmed, '0', '-1')).toEqual([run.id]);
  expect(await redis.client.exists(house.redis.keys.run('expired'))).toBe(0);
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

test("a run that is its ticket's and whose label is due is not forgotten, whoever has seen it otherwise before", async () => {
  const { house, run } = await queuedRun();
  await house.labelRecords.settle(run, { kind: 'doubt' });
  await house.labelRecords.forget(run.id);
  expect(await isDue(house, run)).toBe(true);
  await redis.client.hset(house.redis.keys.ticket(run.ticket), 'run', 'another');
  await house.labelRecords.forget(run.id);
  expect(await isDue(house, run)).toBe(false);
});
