/** Results by callback: the runner, the route and a real Redis between them. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../../../src/domain/run.ts';
import { createRedactor } from '../../../../src/foundation/redactor.ts';
import type { CallbackRecords } from '../../../../src/runs/callback-records.ts';
import { callbackRoutes } from '../../../../src/server/callback-routes.ts';
import { createHttpApp } from '../../../../src/server/http-app.ts';
import { createHttpRunner } from '../../../../src/worker/runners/http/http-runner.ts';
import type { RunnerHandle } from '../../../../src/worker/runners/runner.ts';
import { type House, openHouse, silentLog } from '../../../support/house.ts';
import {
  type Callback,
  callBack,
  callbackIn,
  type HttpService,
  SERVICE_SECRET,
  startHttpService,
} from '../../../support/http-service.ts';
import { useRedis } from '../../../support/redis.ts';
import { until } from '../../../support/until.ts';
import { attemptOf, runningRun, runOf } from '../../worker-room.ts';
import { requestFor } from '../requests.ts';

const redis = useRedis();
const TIMES = { heartbeatMs: 50, httpRetryMs: 5, httpRetryMaxMs: 20, httpNoticeMs: 2_000, trustTermMs: 20_000 };

let house: House;
let service: HttpService;
let callbackUrl: string;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
  service = await startHttpService();
  service.behave(({ json }) => json(202, { id: 'a-ticket-of-the-service' }));
  const app = createHttpApp();
  callbackRoutes({ records: () => house.callbackRecords, log: silentLog })(app);
  callbackUrl = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
});

interface Options {
  readonly timeoutMs?: number;
  readonly callbacks?: Partial<CallbackRecords>;
  readonly heartbeatMs?: number;
}

function startFor(run: Run, { timeoutMs = 60_000, callbacks, ...times }: Options = {}): RunnerHandle {
  const runner = createHttpRunner(
    { callbacks: { ...house.callbackRecords, ...callbacks }, redactor: createRedactor(), log: silentLog },
    { ...TIMES, ...times },
  );
  const { command: _, ...request } = requestFor({ timeoutMs });
  const handle = runner.start({
    ...request,
    run: run.id,
    attempt: run.attempt,
    fence: run.attemptFence,
    http: {
      url: service.url,
      headers: {},
      secrets: [SERVICE_SECRET],
      result: 'callback',
      callbackUrl,
      allowAddresses: ['127.0.0.1'],
    },
  });
  onTestFinished(async () => {
    handle.stop('drained');
    await handle.ended;
  });
  return handle;
}

async function nextAttempt(run: Run): Promise<Run> {
  const how = { onlyIfDead: false, interrupted: true, reason: 'drained' };
  await house.attemptRecords.handBack(attemptOf(run), how);
  const reply = await house.attemptRecords.start(await runOf(house, run.id), 'worker-2');
  if (reply.kind !== 'started') throw new Error(reply.kind);
  return reply.run;
}

/** The callback of the newest request. */
async function newestCallback(count = 1): Promise<Callback> {
  await until('it is asked', () => service.requests.length >= count);
  return callbackIn(service.requests.at(-1));
}

test('a service accepts, and calls back later: that is the end of the run, without a token in the output', async () => {
  const run = await runningRun(house);
  const handle = startFor(run);
  const callback = await newestCallback();
  expect(callback.url).toBe(`${callbackUrl}/callback/${run.id}/1`);
  const answer = await callBack(callback, { state: 'done', reason: `with ${callback.token}`, summary: 'Fixed.' });
  expect(answer).toMatchObject({ status: 200, json: { state: 'kept' } });
  const end = await handle.ended;
  expect(end).toMatchObject({
    kind: 'reported',
    done: true,
    reason: 'the service says done: with [redacted]',
    result: { summary: 'Fixed.', links: [] },
  });
  expect(JSON.stringify(end)).not.toContain(callback.token);
  expect(service.requests).toHaveLength(1);
});

test.each([
  ['in its answer at once', (e) => e.json(200, { state: 'done' })],
  [
    'by a call before it answers',
    async (e) => {
      const { callback } = e.body;
      if (callback !== undefined) await callBack(callback, { state: 'done' });
    },
  ],
] satisfies readonly (readonly [string, Parameters<HttpService['behave']>[0]])[])(
  'a service may tell %s',
  async (_name, behaviour) => {
    service.behave(behaviour);
    expect(await startFor(await runningRun(house)).ended).toMatchObject({ kind: 'reported', done: true });
  },
);

test.each([
  ['nothing', (e) => e.text(200, '')],
  ['no state', (e) => e.json(201, { id: 5 })],
  ['that it is at work', (e) => e.json(200, { state: 'running' })],
] satisfies readonly (readonly [string, Parameters<HttpService['behave']>[0]])[])(
  'a service that answers 2xx and %s has accepted the run',
  async (_name, behaviour) => {
    service.behave(behaviour);
    const handle = startFor(await runningRun(house));
    await callBack(await newestCallback(), { state: 'failed', reason: 'no tests' });
    expect(await handle.ended).toMatchObject({ done: false, reason: 'the service says failed: no tests' });
  },
);

test('what was told while nobody was at work on the run is found before the service is asked again', async () => {
  const run = await runningRun(house);
  const first = startFor(run);
  const callback = await newestCallback();
  first.stop('drained');
  expect(await first.ended).toMatchObject({ kind: 'stopped' });
  expect((await callBack(callback, { state: 'done' })).status).toBe(200);
  expect(await startFor(await nextAttempt(run)).ended).toMatchObject({ kind: 'reported', done: true });
  expect(service.requests).toHaveLength(1);
});

test('the next attempt asks again, and a service that keeps to the key may tell by the token of the first', async () => {
  const run = await runningRun(house);
  const first = startFor(run);
  const callback = await newestCallback();
  first.stop('trust-lost');
  await first.ended;
  const second = startFor(await nextAttempt(run));
  expect((await newestCallback(2)).token).not.toBe(callback.token);
  expect(service.requests.map(({ headers }) => headers['idempotency-key'])).toEqual([run.id, run.id]);
  expect((await callBack(callback, { state: 'done' })).status).toBe(200);
  expect(await second.ended).toMatchObject({ kind: 'reported', done: true });
});

test('a message that is lost is made up for at the next heartbeat', async () => {
  const handle = startFor(await runningRun(house), { callbacks: { onTold: () => undefined } });
  await callBack(await newestCallback(), { state: 'done' });
  expect(await handle.ended).toMatchObject({ done: true });
});

test('a message is enough: nobody waits for a heartbeat', async () => {
  const handle = startFor(await runningRun(house), { heartbeatMs: 3_600_000 });
  const callback = await newestCallback();
  await until('it listens', async () =>
    (await redis.client.pubsub('CHANNELS', '*')).includes(house.redis.keys.callbackTold),
  );
  await callBack(callback, { state: 'done' });
  expect(await handle.ended).toMatchObject({ done: true });
});

test('nothing is posted before the token is known, however long Redis is away', async () => {
  const run = await runningRun(house);
  let refusals = 0;
  const open: CallbackRecords['open'] = async (...args) => {
    if ((refusals += 1) < 5) throw new Error('redis is unreachable');
    return await house.callbackRecords.open(...args);
  };
  startFor(run, { callbacks: { open }, heartbeatMs: 5 });
  const callback = await newestCallback();
  expect(refusals).toBeGreaterThanOrEqual(5);
  expect(await house.callbackRecords.proves(run.id, '1', callback.token)).toBe(true);
});

test('Redis loses everything, a result among it: the token is known again, and the service is asked once more', async () => {
  const run = await runningRun(house);
  let isDeaf = true;
  // The result is lost before this worker has heard of it.
  const open: CallbackRecords['open'] = async (...args) => {
    const reply = await house.callbackRecords.open(...args);
    return isDeaf && reply.kind === 'open' ? { ...reply, told: undefined } : reply;
  };
  const handle = startFor(run, { callbacks: { open } });
  const callback = await newestCallback();
  expect((await callBack(callback, { state: 'done' })).status).toBe(200);
  await redis.client.flushall();
  await until('the loss is noticed', () => house.redis.recoveringMs(60_000) > 0);
  expect(await callBack(callback, { state: 'done' })).toMatchObject({ status: 503 });
  isDeaf = false;
  expect(await house.attemptRecords.restore(run)).toBe(true);
  const again = await newestCallback(2);
  expect(again).toEqual(callback);
  expect((await callBack(again, { state: 'done' })).status).toBe(200);
  expect(await handle.ended).toMatchObject({ kind: 'reported', done: true });
});

test.each([
  ['the time is up', 'timed-out'],
  ['people cancel', 'cancelled'],
] as const)('a result that is there when %s counts all the same', async (_name, because) => {
  const run = await runningRun(house);
  let looks = 0;
  // It arrives between the first look and the last one, and nobody hears of it.
  const open: CallbackRecords['open'] = async (...args) => {
    const reply = await house.callbackRecords.open(...args);
    return (looks += 1) > 1 && reply.kind === 'open' ? { ...reply, told: '{"state":"done"}' } : reply;
  };
  const only = { callbacks: { open, onTold: () => undefined }, heartbeatMs: 3_600_000 };
  const handle = startFor(run, { ...only, timeoutMs: because === 'timed-out' ? 50 : 60_000 });
  if (because === 'cancelled') {
    await newestCallback();
    handle.stop('cancelled');
  }
  expect(await handle.ended).toMatchObject({ kind: 'reported', done: true });
  expect(looks).toBe(2);
  expect(service.cancellations).toEqual([]);
});

test('a run whose time is up takes no callback any more once its end is on record', async () => {
  const run = await runningRun(house);
  const handle = startFor(run, { timeoutMs: 1_500 });
  const callback = await newestCallback();
  expect(await handle.ended).toMatchObject({ kind: 'timed-out' });
  expect(service.cancellations).toHaveLength(1);
  const end = { state: 'failed', reason: 'timed out', output: '', onlyIfDead: false } as const;
  await house.attemptRecords.finish(attemptOf(run), end);
  expect(await callBack(callback, { state: 'done' })).toMatchObject({
    status: 409,
    json: { error: 'conflict', detail: 'the run has ended' },
  });
});
