/**
 * A term that is not trusted any more while its signal does not say so yet, as after a long pause: the signal only wakes
 * sleepers, the clock decides. Nothing is repaired in it.
 */
import { expect, test } from 'vitest';
import { type Term, TermLost } from '../../src/coordination/leader.ts';
import { createHousekeeping } from '../../src/repair/housekeeping.ts';
import { createProjection } from '../../src/repair/projection.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { runningRun } from '../worker/worker-room.ts';
import { openPlatformPass } from './platform-passes.ts';

const redis = useRedis();

/** `asked` counts how often somebody asked whether it is trusted; so many times at first it is. */
function lostTerm(trustedFor = 0): { readonly term: Term; readonly asked: () => number; readonly end: () => void } {
  const over = new AbortController();
  let asked = 0;
  const trusted = (): boolean => {
    asked += 1;
    return asked <= trustedFor;
  };
  const assertTrusted = (): void => {
    if (!trusted()) throw new TermLost('housekeeping', 1);
  };
  const term = { role: 'housekeeping', epoch: 1, signal: over.signal, trusted, assertTrusted };
  return { term, asked: () => asked, end: () => over.abort() };
}

const writesTo = (house: House): readonly string[] =>
  house.hub.ledger.requests().flatMap(({ method, path }) => (method === 'GET' ? [] : [`${method} ${path}`]));

test('no pass is begun', async () => {
  const passes: string[] = [];
  const pass = (name: string) => async () => void passes.push(name);
  const housekeeping = createHousekeeping(
    {
      staleJobs: pass('stale jobs'),
      admissionLists: pass('admission lists'),
      enqueued: pass('enqueued'),
      deadClaims: pass('dead claims'),
      projection: pass('projection'),
      platformPass: pass('platform pass'),
      retention: pass('retention'),
      leftoverJobs: pass('leftover jobs'),
      unheardServices: pass('unheard services'),
      recoveringMs: () => 0,
      log: silentLog,
    },
    { staleScanMs: 5, reconcileScanMs: 5, projectionScanMs: 5, retentionScanMs: 5 },
  );
  const { term, asked, end } = lostTerm();
  const over = housekeeping(term);
  await until('every loop has asked twice', () => asked() > 16);
  end();
  await over;
  expect(passes).toEqual([]);
});

test('no label without a record is adopted or reset', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  for (const label of ['enqueued', 'in-progress'])
    house.hub.openIssue(REPOSITORY, { labels: ['agent-smith', `agent-smith:${label}`] });
  const pass = openPlatformPass(
    {
      ...house,
      catalog: () => house.catalog,
      recoveringMs: () => 0,
      mayAdopt: () => true,
      log: silentLog,
      onRepair: async () => undefined,
    },
    { ...house.timing, secondReadMs: 1 },
  );
  const { term, asked } = lostTerm();
  await pass(term);
  expect(asked()).toBeGreaterThan(0);
  expect(writesTo(house)).toEqual([]);
  expect(await house.runs.ofTicket(house.keyOf(1))).toBeUndefined();
});

test('no label is written in a term whose trust ends before the write could', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  await redis.client.zadd(house.redis.keys.unconfirmed, 0, run.id);
  const before = writesTo(house);
  const asked: number[] = [];
  const trusted = (forMs = 0): boolean => {
    asked.push(forMs);
    return forMs < house.timing.claimCallMs;
  };
  const term: Term = { ...lostTerm().term, trusted };
  await createProjection({ ...house, records: house.labelRecords, credentialOf: () => 'bot' }, house.timing)(term);
  await until('it has asked', () => asked.length > 0);
  await house.labels.idle();
  expect(writesTo(house)).toEqual(before);
});

test.each([0, 1])('no label that is due is written, when trust ends after %d looks', async (looks) => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await runningRun(house);
  await redis.client.zadd(house.redis.keys.unconfirmed, 0, run.id);
  const before = writesTo(house);
  const { term, asked } = lostTerm(looks);
  await createProjection({ ...house, records: house.labelRecords, credentialOf: () => 'bot' }, house.timing)(term);
  await until('it has asked', () => asked() > looks);
  await house.labels.idle();
  expect(writesTo(house)).toEqual(before);
  expect(house.labelsOf(1)).toContain('agent-smith:enqueued');
});
