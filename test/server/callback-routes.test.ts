/** `POST /callback/RUN/ATTEMPT`: who may tell, what is understood, and what an answer promises. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { OperationError } from '../../src/foundation/errors.ts';
import type { CallbackRecords } from '../../src/runs/callback-records.ts';
import { type CallbackResult, callbackRoutes } from '../../src/server/callback-routes.ts';
import { createHttpApp } from '../../src/server/http-app.ts';
import { type House, openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, runningRun } from '../worker/worker-room.ts';

const redis = useRedis();
const TOKEN = 'token-of-the-attempt';

let house: House;
let run: Run;
let records: Pick<CallbackRecords, 'proves' | 'recovering' | 'keep'> | undefined;
let counted: CallbackResult[];
beforeEach(async () => {
  counted = [];
  house = await openHouse({ redisUrl: redis.url });
  run = await runningRun(house);
  await house.callbackRecords.open(attemptOf(run), { token: TOKEN, timeoutMs: 60_000 });
  records = house.callbackRecords;
});

function routes() {
  const app = createHttpApp();
  callbackRoutes({ records: () => records, log: silentLog, onAnswered: (result) => counted.push(result) })(app);
  onTestFinished(() => app.close());
  return app;
}

interface Asked {
  readonly path?: string;
  readonly token?: string | undefined;
  readonly payload?: string;
  readonly type?: string;
}

async function post({ path, token = TOKEN, payload = '{"state":"done"}', type = 'application/json' }: Asked = {}) {
  const { statusCode, body, headers } = await routes().inject({
    method: 'POST',
    url: path ?? `/callback/${run.id}/1`,
    headers: { 'content-type': type, ...(token !== '' && { authorization: `Bearer ${token}` }) },
    payload,
  });
  return { status: statusCode, json: JSON.parse(body) as Record<string, unknown>, headers };
}

const keptText = (): Promise<string | null> => redis.client.hget(house.redis.keys.callback(run.id), 'told');

test('200 means that it is kept; the same again is 200, another result 409', async () => {
  expect(await post({ payload: '{"state":"done","more":1}' })).toMatchObject({ status: 200, json: { state: 'kept' } });
  expect(await keptText()).toBe('{"state":"done"}');
  expect(await post()).toMatchObject({ status: 200 });
  expect(await post({ payload: '{"state":"failed"}' })).toMatchObject({
    status: 409,
    json: { error: 'conflict', detail: 'another result was told before' },
  });
});

test('a result that cannot be shown is told so, and that the work is done counts', async () => {
  expect(await post({ payload: '{"state":"done","summary":5}' })).toMatchObject({
    status: 200,
    json: { state: 'kept', ignored: 'The result that the pipeline wrote has a summary that is no text.' },
  });
});

test.each([
  ['no token', () => ({ token: '' })],
  ['another token', () => ({ token: 'another' })],
  ['another attempt', () => ({ path: `/callback/${run.id}/2` })],
  ['an unknown run', () => ({ path: '/callback/01UNKNOWN/1' })],
  ['an unknown run and no token', () => ({ path: '/callback/01UNKNOWN/1', token: '' })],
  ['names that are none', () => ({ path: '/callback/%2e%2e%2f/%00' })],
  ['no token, and a body that is no JSON', () => ({ token: '', payload: '{' })],
  ['another token, and a body that is too large', () => ({ token: 'another', payload: 'x'.repeat(2 * 1024 * 1024) })],
] as const)('%s: 401, the same for all', async (_name, asked) => {
  const { status, json, headers } = await post(asked());
  expect({ status, json }).toEqual({ status: 401, json: { error: 'unauthorized' } });
  expect(headers['www-authenticate']).toBe('Bearer');
  expect(await keptText()).toBeNull();
});

test.each([
  ['no JSON', { payload: '{' }, 'send JSON, with the header content-type: application/json'],
  ['nothing', { payload: '' }, 'send JSON, with the header content-type: application/json'],
  [
    'a form',
    { type: 'application/x-www-form-urlencoded' },
    'send JSON, with the header content-type: application/json',
  ],
  ['plain text', { type: 'text/plain' }, 'it is no JSON object'],
  ['a list', { payload: '[]' }, 'it is no JSON object'],
  ['no state', { payload: '{}' }, 'its state is neither "done" nor "failed"'],
  ['a state on the way', { payload: '{"state":"running"}' }, 'its state is neither "done" nor "failed"'],
] as const)('%s: 400, and nothing is kept', async (_name, asked, detail) => {
  expect(await post(asked)).toMatchObject({ status: 400, json: { error: 'bad request', detail } });
  expect(await keptText()).toBeNull();
});

test('a body of more than 1 MiB: 413', async () => {
  expect(await post({ payload: `{"state":"done","summary":"${'x'.repeat(1024 * 1024)}"}` })).toMatchObject({
    status: 413,
  });
});

test('nothing else is answered here', async () => {
  expect(await post({ path: '/callback' })).toMatchObject({ status: 404 });
  expect(await post({ path: `/callback/${run.id}` })).toMatchObject({ status: 404 });
});

test.each<readonly [string, () => typeof records]>([
  ['Redis is not configured', () => undefined],
  [
    'Redis is away',
    () => ({ ...house.callbackRecords, proves: () => Promise.reject(new OperationError('look', 'away')) }),
  ],
  [
    'Redis goes away',
    () => ({ ...house.callbackRecords, keep: () => Promise.reject(new OperationError('keep', 'away')) }),
  ],
  ['something else goes wrong', () => ({ ...house.callbackRecords, keep: () => Promise.reject(new Error('a bug')) })],
])('%s: 503, to be sent again', async (_name, broken) => {
  records = broken();
  const { status, headers } = await post();
  expect({ status, again: headers['retry-after'] }).toEqual({ status: 503, again: '5' });
});

test('while Redis recovers from a loss, a token that is not known yet may come again', async () => {
  records = { ...house.callbackRecords, recovering: () => true };
  expect(await post({ token: 'not-known-yet' })).toMatchObject({ status: 503 });
  expect(await post()).toMatchObject({ status: 200 });
});

test('each answer is counted, a refusal by its reason', async () => {
  await post({ token: 'another' });
  await post({ payload: '{' });
  await post({ payload: '{}' });
  await post({ payload: `{"state":"done","summary":"${'x'.repeat(1024 * 1024)}"}` });
  await post();
  await post();
  await post({ payload: '{"state":"failed"}' });
  const end = { state: 'completed', reason: '', output: '', onlyIfDead: false } as const;
  await house.attemptRecords.finish(attemptOf(run), end);
  await post({ payload: '{"state":"failed"}' });
  records = undefined;
  await post();
  expect(counted).toEqual([
    'unproven',
    'malformed',
    'malformed',
    'too-large',
    'kept',
    'kept',
    'contradicted',
    'ended',
    'not-persisted',
  ]);
});
