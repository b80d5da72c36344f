/** A run ends while no worker is on it: its service is told, however often that takes, and nobody else is. */
import { beforeEach, expect, test } from 'vitest';
import { listUnheardServices } from '../../src/app/unheard-services.ts';
import type { OpenedPipeline } from '../../src/config/pipelines.ts';
import type { Run } from '../../src/domain/run.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { createLeftoverWork } from '../../src/repair/leftover-work.ts';
import { createUnheardEnds, type UnheardEnds } from '../../src/runs/unheard-ends.ts';
import { load } from '../config/load-text.ts';
import { repairs, termOf } from '../repair/terms.ts';
import { startApp } from '../support/app.ts';
import { FAST, type House, openHouse, silentLog } from '../support/house.ts';
import { type HttpService, SERVICE_SECRET, startHttpService } from '../support/http-service.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
const POLICY = '{"http":{"url":"${SERVICE_URL}","secret":"${SECRET}","allow_addresses":["127.0.0.1"]}}';

let house: House;
let service: HttpService;
let unheard: UnheardEnds;
let run: Run;
let openPipeline: (policy: string) => OpenedPipeline;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url, policy: POLICY });
  service = await startHttpService();
  unheard = createUnheardEnds(house.redis);
  run = await runningRun(house);
  await useEnvironment({ SERVICE_URL: service.url, SECRET: SERVICE_SECRET });
});

async function useEnvironment(env: Readonly<Record<string, string>>): Promise<void> {
  ({ openPipeline } = await load('projects: {}', env));
}

/** Its worker leaves, and somebody cancels it before there is another. */
async function cancelBetweenAttempts(): Promise<void> {
  await house.attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  await house.canceller.cancel(run, 'alice');
  run = await runOf(house, run.id);
}

const owed = (): Promise<string[]> => redis.client.zrange(house.redis.keys.unheard, '0', '-1');

/** One pass of the leader; answers what it tells of it. */
async function pass(timeMs: () => Promise<number> = house.redis.timeMs): Promise<readonly unknown[]> {
  const { told, onRepair } = repairs();
  const { runs } = house;
  const list = listUnheardServices({ config: () => ({ openPipeline }), unheard, runs, timeMs }, DEFAULT_TIMING);
  await createLeftoverWork({ list, runs, log: silentLog, onRepair, onRefused: () => {} })(termOf());
  return told;
}

test('cancelled between two attempts: told once, signed, by what the record says and the secrets of today', async () => {
  await cancelBetweenAttempts();
  expect(await pass()).toMatchObject([{ kind: 'leftover-work', run: run.id, detail: 'the run is cancelled' }]);
  expect(await pass()).toEqual([]);
  expect(service.unproven()).toBe(0);
  expect(service.cancellations.map(({ body }) => body)).toEqual([
    {
      type: 'agentsmith.run.cancelled',
      timestamp: new Date(run.endedAtMs ?? 0).toISOString(),
      reason: 'cancelled',
      key: run.ticket,
      id: '1',
      url: run.url,
      project: 'api',
      pipeline: 'fix-bug',
      platform: 'github',
      run: run.id,
      attempt: 1,
      fence: run.attemptFence,
    },
  ]);
  expect(service.cancellations[0]?.headers).toMatchObject({
    'idempotency-key': run.id,
    'webhook-id': `${run.id}-1-cancelled`,
  });
  expect(await owed()).toEqual([]);
});

test('a replica that leads does so by itself', async () => {
  await cancelBetweenAttempts();
  const env = { REDIS_URL: redis.url, SERVICE_URL: service.url, SECRET: SERVICE_SECRET };
  await startApp(await load('projects: {}', env), { timing: { ...FAST, reconcileScanMs: 50 } });
  await until('the service is told', () => service.cancellations.length > 0);
  await until('it is off the list', async () => (await owed()).length === 0);
});

test.each(['cancelled', 'failed'] as const)('its worker died and repair ends it as %s: told', async (state) => {
  await redis.client.del(house.redis.keys.heartbeat(run.ticket));
  const end = { state, reason: 'its worker died', output: '', onlyIfDead: true, interrupted: true };
  expect(await house.attemptRecords.finish(attemptOf(run), end)).toBe('finished');
  await pass();
  const reasons = service.cancellations.map(({ body }) => body['reason']);
  expect(reasons).toEqual([state === 'cancelled' ? 'cancelled' : 'given-up']);
});

test('a service that is not there is told when it is, after a pause', async () => {
  await cancelBetweenAttempts();
  await useEnvironment({ SERVICE_URL: 'http://127.0.0.1:1/', SECRET: SERVICE_SECRET });
  expect(await pass()).toEqual([]);
  expect([await owed(), await unheard.due(10)]).toEqual([[run.id], []]);
  await useEnvironment({ SERVICE_URL: service.url, SECRET: SERVICE_SECRET });
  await unheard.later(run.id, 0);
  expect(await pass()).toHaveLength(1);
  expect(service.cancellations).toHaveLength(1);
});

test('a policy that cannot be opened today waits for an environment in which it can', async () => {
  await cancelBetweenAttempts();
  await useEnvironment({});
  expect(await pass()).toEqual([]);
  expect(await owed()).toEqual([run.id]);
});

test('after a day nobody is told any more', async () => {
  await cancelBetweenAttempts();
  expect(await pass(async () => (run.endedAtMs ?? 0) + DEFAULT_TIMING.httpEndGiveUpMs + 1)).toEqual([]);
  expect([await owed(), service.cancellations.length]).toEqual([[], 0]);
});

test('who has heard of it is not told: an attempt came to its end, or the service has said so itself', async () => {
  const end = { state: 'cancelled', reason: 'cancelled by alice', output: '', onlyIfDead: false } as const;
  await house.attemptRecords.finish(attemptOf(run), end);
  const told = await runningRun(house);
  await house.attemptRecords.handBack(attemptOf(told), { onlyIfDead: false, interrupted: true, reason: 'drained' });
  await house.callbackRecords.keep(told.id, '{"state":"failed"}');
  await house.canceller.cancel(told, 'alice');
  expect((await runOf(house, told.id)).state).toBe('failed');
  expect(await owed()).toEqual([]);
});

test('a run that no service works on is nobody to tell of, and one that was lost is forgotten', async () => {
  await cancelBetweenAttempts();
  await redis.client.hset(house.redis.keys.run(run.id), 'policy', '{"command":["true"]}');
  await redis.client.zadd(house.redis.keys.unheard, '0', 'lost');
  expect(await pass()).toEqual([]);
  expect(await owed()).toEqual([]);
});
