/** The retention pass: what it puts right is told, and a leader whose term is over does nothing. */
import { beforeEach, expect, test } from 'vitest';
import { TermLost } from '../../src/coordination/leader.ts';
import { createEnqueuedReconciler } from '../../src/repair/enqueued-reconciler.ts';
import { createRetention } from '../../src/repair/retention.ts';
import { createRetentionRecords } from '../../src/runs/retention.ts';
import { type House, openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { queuedRun, runOf } from '../worker/worker-room.ts';
import { repairs, termOf } from './terms.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

function retention() {
  const { told, onRepair } = repairs();
  const strays: string[] = [];
  const pass = createRetention({
    records: createRetentionRecords(house.redis, house.timing),
    runs: house.runs,
    log: silentLog,
    onRepair,
    onStrays: (list, count) => strays.push(`${list} ${count}`),
  });
  return { told, strays, pass };
}

test('a run that no worker could ever start is given a job for the last time: it is ended, and told', async () => {
  const run = await queuedRun(house);
  await redis.client.hset(house.redis.keys.ticket(run.ticket), 'run', 'newer', 'fence', String(Date.now() + 1_000));
  // As it was: a job again and again, which every worker drops.
  expect(await house.attemptRecords.start(run, 'worker')).toEqual({ kind: 'dropped', state: 'superseded' });
  const { told, pass } = retention();
  await pass(termOf());
  expect(await runOf(house, run.id)).toMatchObject({ state: 'cancelled' });
  expect(told).toEqual([
    {
      kind: 'superseded-run',
      outcome: 'ended',
      run: run.id,
      ticket: run.ticket,
      project: 'api',
      detail: 'superseded by run newer',
    },
  ]);
  const reconciled = repairs();
  await redis.client.del(...(await redis.client.keys('agentsmith:queue:*')));
  const reconcile = createEnqueuedReconciler(
    { ...house, log: silentLog, onRepair: reconciled.onRepair },
    { reconcileGraceMs: 0 },
  );
  await reconcile(termOf());
  expect(reconciled.told).toEqual([]);
});

test('entries that lead nowhere are told by their list, and once', async () => {
  await redis.client.zadd(house.redis.keys.runs('queued'), 1, 'gone', 2, 'gone too');
  await redis.client.zadd(house.redis.keys.unconfirmed, 1, 'gone');
  const { strays, told, pass } = retention();
  await pass(termOf());
  expect(strays).toEqual(['queued 2', 'unconfirmed 1']);
  await pass(termOf());
  expect([strays.length, told]).toEqual([2, []]);
});

test('a leader whose term is over forgets nothing', async () => {
  await redis.client.zadd(house.redis.keys.runs('queued'), 1, 'gone');
  const { pass } = retention();
  const term = termOf();
  term.lose();
  await expect(pass(term)).rejects.toThrow(TermLost);
  expect(await redis.client.zcard(house.redis.keys.runs('queued'))).toBe(1);
});
