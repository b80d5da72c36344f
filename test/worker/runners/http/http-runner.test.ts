/** The http runner against a real service that behaves, misbehaves, and is cut off. */
import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { elapsedMs, now } from '../../../../src/foundation/clock.ts';
import { createRedactor } from '../../../../src/foundation/redactor.ts';
import { freePort } from '../../../../src/redis/embedded/free-port.ts';
import { createHttpRunner } from '../../../../src/worker/runners/http/http-runner.ts';
import type { HttpRequest, HttpSpec } from '../../../../src/worker/runners/http/message.ts';
import type { RunnerHandle, StopReason } from '../../../../src/worker/runners/runner.ts';
import { type HttpService, SERVICE_SECRET, startHttpService } from '../../../support/http-service.ts';
import { until } from '../../../support/until.ts';
import { requestFor, toldOf } from '../requests.ts';

/** Pauses of a service that is asked again are short here; nothing of what is tested waits for one of the long times. */
const TIMES = { heartbeatMs: 20, httpRetryMs: 5, httpRetryMaxMs: 20, httpNoticeMs: 2_000, trustTermMs: 20_000 };
const NO_CALLBACKS = {
  open: () => Promise.reject(new Error('no callback was asked for')),
  onTold: () => undefined,
};

interface Started {
  readonly handle: RunnerHandle;
  readonly request: HttpRequest;
}

function start(
  service: Pick<HttpService, 'url'>,
  more: Partial<HttpSpec> = {},
  { trustTermMs = TIMES.trustTermMs, ...times }: { timeoutMs?: number; trustTermMs?: number } = {},
): Started {
  const runner = createHttpRunner(
    { callbacks: NO_CALLBACKS, redactor: createRedactor(['secret-of-the-config']), log: pino({ level: 'silent' }) },
    { ...TIMES, trustTermMs },
  );
  const { command: _, ...request } = requestFor({ ...times });
  const http: HttpSpec = {
    url: service.url,
    headers: {},
    secrets: [SERVICE_SECRET],
    result: 'answer',
    allowAddresses: ['127.0.0.1'],
    ...more,
  };
  const whole = { ...request, http };
  const handle = runner.start(whole);
  onTestFinished(async () => {
    handle.stop('drained');
    await handle.ended;
  });
  return { handle, request: whole };
}

/** Nothing happens that could be waited for: what must not happen has had its time when this has passed. */
const passed = (ms: number, { trustedSince }: Pick<HttpRequest, 'trustedSince'>): Promise<unknown> =>
  until(`${ms} ms have passed`, () => elapsedMs(trustedSince) >= ms);

test('a service gets the ticket, signed, with the run as its key, and what it answers is the end of the run', async () => {
  const service = await startHttpService();
  const links = [{ title: 'Pull request', url: 'https://example.com/pr/1' }];
  service.behave(({ json }) => json(200, { state: 'done', reason: 'all\nwell', summary: 'Fixed.', links }));
  const { handle, request } = start(service, { headers: { Authorization: 'Bearer of-the-service\n' } });

  expect(await handle.ended).toEqual({
    kind: 'reported',
    done: true,
    reason: 'the service says done: all well',
    result: { summary: 'Fixed.', links },
    outputTail: expect.stringMatching(/^\S+Z POST to 127\.0\.0\.1:\d+\n\S+Z answered 200$/),
  });
  expect(service.unproven()).toBe(0);
  const [asked] = service.requests;
  expect(asked?.headers).toMatchObject({
    authorization: 'Bearer of-the-service',
    'content-type': 'application/json; charset=utf-8',
    'idempotency-key': request.run,
    'webhook-id': `${request.run}-2`,
  });
  expect(asked?.body).toEqual({
    type: 'agentsmith.run.requested',
    timestamp: expect.stringMatching(/Z$/),
    ...toldOf(request),
  });
});

test('while a secret is changed, a service that knows one of the two takes the request', async () => {
  const service = await startHttpService();
  const newer = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const { handle } = start(service, { secrets: [newer, SERVICE_SECRET] });
  expect(await handle.ended).toMatchObject({ kind: 'reported', done: true });
  const other = start(service, { secrets: [newer] });
  expect(await other.handle.ended).toMatchObject({ done: false, reason: 'The service refused the run: status 401.' });
});

test('a service that is cut off before or after it did the work is asked again under the same key, and does it once', async () => {
  const service = await startHttpService();
  const done = new Set<string>();
  let worked = 0;
  service.behave(({ headers, cut, json }, count) => {
    const key = String(headers['idempotency-key']);
    if (count === 1) return cut();
    if (!done.has(key)) {
      done.add(key);
      worked += 1;
      return cut();
    }
    return json(200, { state: 'done' });
  });
  const { handle } = start(service);
  expect(await handle.ended).toMatchObject({ kind: 'reported', done: true });
  expect({ worked, asked: service.requests.length }).toEqual({ worked: 1, asked: 3 });
  expect(new Set(service.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(new Set(service.requests.map(({ body }) => body['timestamp'])).size).toBe(1);
});

test.each([
  ['is at work under this key', (e) => e.json(409, {})],
  ['has too much to do, and says for how long', (e) => e.json(429, {}, { 'retry-after': '0' })],
  ['has too much to do, until a date', (e) => e.json(503, {}, { 'retry-after': new Date(0).toUTCString() })],
  ['fails', (e) => e.text(500, '<h1>oops</h1>')],
  ['is behind a gateway that gives up', (e) => e.text(504, '')],
  ['has accepted it, and tells the result only when asked again', (e) => e.json(202, { id: 5 })],
  ['says that it is still at work', (e) => e.json(200, { state: 'running' })],
  [
    'sends half an answer, shorter than it said',
    (e) => {
      e.response.writeHead(200, { 'content-length': '100' });
      e.response.write('{"state":');
      setImmediate(e.cut);
    },
  ],
  [
    'sends half an answer that has no length',
    (e) => {
      e.response.useChunkedEncodingByDefault = false;
      e.response.writeHead(200, { connection: 'close' });
      e.response.end('{"state":');
    },
  ],
] satisfies readonly (readonly [string, Parameters<HttpService['behave']>[0]])[])(
  'a service that %s is asked again',
  async (_name, behaviour) => {
    const service = await startHttpService();
    service.behave((exchanged, count) => (count <= 2 ? behaviour(exchanged) : exchanged.json(200, { state: 'done' })));
    expect(await start(service).handle.ended).toMatchObject({ kind: 'reported', done: true });
    expect(service.requests).toHaveLength(3);
  },
);

test('Retry-After is waited for', async () => {
  const service = await startHttpService();
  const arrivals: number[] = [];
  service.behave(({ json }, count) => {
    arrivals.push(performance.now());
    if (count === 1) json(429, {}, { 'retry-after': '1' });
    else json(200, { state: 'done' });
  });
  expect(await start(service).handle.ended).toMatchObject({ done: true });
  expect((arrivals[1] ?? 0) - (arrivals[0] ?? 0)).toBeGreaterThan(990);
});

test.each([
  [
    'says that it failed',
    (e) => e.json(200, { state: 'failed', reason: 'no such branch' }),
    'the service says failed: no such branch',
  ],
  ['refuses', (e) => e.text(422, 'unknown\n pipeline'), 'The service refused the run: status 422, unknown pipeline.'],
  ['refuses with a page', (e) => e.text(403, '<html>'), 'The service refused the run: status 403.'],
  [
    'sends elsewhere',
    (e) => e.text(307, '', { location: '/other' }),
    'The service answered 307: redirects are not followed.',
  ],
  [
    'answers a page',
    (e) => e.text(200, '\n<!doctype html>'),
    'The service answered a page instead of JSON, so its URL may lead elsewhere.',
  ],
  ['answers no JSON', (e) => e.text(200, 'OK', { 'content-length': '2' }), 'The service answered no JSON.'],
  [
    'answers no result',
    (e) => e.json(200, { ok: true }),
    'The service answered JSON that tells no result: its state is neither "done" nor "failed".',
  ],
  ['answers a list', (e) => e.json(200, []), 'The service answered JSON that tells no result: it is no JSON object.'],
  ['answers too much', (e) => e.text(200, `"${'x'.repeat(1024 * 1024)}"`), 'The service answered more than 1 MiB.'],
] satisfies readonly (readonly [string, Parameters<HttpService['behave']>[0], string])[])(
  'a service that %s has failed, in words',
  async (_name, behaviour, reason) => {
    const service = await startHttpService();
    service.behave(behaviour);
    expect(await start(service).handle.ended).toMatchObject({ kind: 'reported', done: false, reason });
    expect(service.requests).toHaveLength(1);
  },
);

test.each([
  ['nothing', (e) => e.text(204, '')],
  ['nothing, with 200', (e) => e.text(200, ' \n')],
  [
    'a result with a link that cannot be shown',
    (e) => e.json(200, { state: 'done', links: [{ url: 'javascript:x' }] }),
  ],
] satisfies readonly (readonly [string, Parameters<HttpService['behave']>[0]])[])(
  'a service that answers 2xx and %s has done the work',
  async (_name, behaviour) => {
    const service = await startHttpService();
    service.behave(behaviour);
    expect(await start(service).handle.ended).toMatchObject({ kind: 'reported', done: true });
  },
);

test('a service that is not there yet is asked until it is', async () => {
  const port = await freePort();
  const { handle } = start({ url: `http://127.0.0.1:${port}/runs` }, {}, { timeoutMs: 1_000 });
  const end = await handle.ended;
  expect(end).toMatchObject({ kind: 'timed-out', timeoutMs: 1_000 });
  expect(end.outputTail).toMatch(/no result \(connect ECONNREFUSED .*\), asked again in 1 s/);
});

test('a silent service has the whole timeout, and is then told once that the run has ended', async () => {
  const service = await startHttpService();
  service.behave(() => undefined);
  const { handle, request } = start(service, {}, { timeoutMs: 1_000 });
  expect(await handle.ended).toMatchObject({ kind: 'timed-out', timeoutMs: 1_000 });
  expect(service.requests).toHaveLength(1);
  expect(service.cancellations.map(({ body }) => body)).toEqual([
    expect.objectContaining({ type: 'agentsmith.run.cancelled', reason: 'timed-out', run: request.run, id: '7' }),
  ]);
  expect(service.cancellations[0]?.headers).toMatchObject({
    'idempotency-key': request.run,
    'webhook-id': `${request.run}-2-cancelled`,
  });
  await until('no connection is left', () => service.connections() === 0);
});

test('people cancel: the service is told, and the connection ends', async () => {
  const service = await startHttpService();
  service.behave(() => undefined);
  const { handle } = start(service);
  await until('it is asked', () => service.requests.length === 1);
  handle.stop('cancelled');
  handle.stop('drained');
  expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'cancelled' });
  expect(service.cancellations.map(({ body }) => body['reason'])).toEqual(['cancelled']);
});

test.each<StopReason>(['drained', 'superseded', 'trust-lost'])(
  '%s: the service is let go of, and told nothing',
  async (reason) => {
    const service = await startHttpService();
    service.behave(() => undefined);
    const { handle } = start(service);
    await until('it is asked', () => service.requests.length === 1);
    handle.stop(reason);
    expect(await handle.ended).toMatchObject({ kind: 'stopped', reason });
    await until('the connection is gone', () => service.connections() === 0);
    expect(service.cancellations).toEqual([]);
  },
);

test('a stop ends a pause, too', async () => {
  const service = await startHttpService();
  service.behave(({ json }) => json(503, {}, { 'retry-after': '3600' }));
  const { handle } = start(service);
  await until('it is asked', () => service.requests.length === 1);
  handle.stop('drained');
  expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'drained' });
});

test.each([
  ['an address', 'http://127.0.0.1:1/', '127.0.0.1 may not be asked: loopback.'],
  ['another spelling of it', 'http://0x7f.1:1/', '127.0.0.1 may not be asked: loopback.'],
  ['an IPv6 address', 'http://[::1]:1/', '::1 may not be asked: loopback.'],
  ['a mapped one', 'http://[::ffff:169.254.169.254]/', '::ffff:a9fe:a9fe may not be asked: a metadata service.'],
  ['a name that leads there', 'http://localhost:1/', /^localhost may not be asked: (::1|127\.0\.0\.1) is loopback/],
] as const)('%s that is not allowed is never connected to', async (_name, url, reason) => {
  const { handle } = start({ url }, { allowAddresses: [] });
  const end = await handle.ended;
  expect(end).toMatchObject({ kind: 'reported', done: false });
  const said = 'reason' in end ? end.reason : '';
  if (typeof reason === 'string') expect(said).toContain(reason);
  else expect(said).toMatch(reason);
});

test('a name is judged by what it leads to at that moment: of its addresses only the allowed ones are used', async () => {
  const service = await startHttpService();
  const { handle } = start({ url: service.url.replace('127.0.0.1', 'localhost') }, { allowAddresses: ['127.0.0.0/8'] });
  expect(await handle.ended).toMatchObject({ kind: 'reported', done: true });
});

test('what a service says carries no secret into the output, and no end of lines', async () => {
  const service = await startHttpService();
  service.behave(({ json, cut }, count) => (count < 130 ? cut() : json(400, { got: 'secret-of-the-config' })));
  const runner = createHttpRunner(
    { callbacks: NO_CALLBACKS, redactor: createRedactor(['secret-of-the-config']), log: pino({ level: 'silent' }) },
    { ...TIMES, httpRetryMs: 0, httpRetryMaxMs: 0 },
  );
  const { command: _, ...request } = requestFor();
  const http = {
    url: service.url,
    headers: {},
    secrets: [SERVICE_SECRET],
    result: 'answer' as const,
    allowAddresses: ['127.0.0.1'],
  };
  const { outputTail } = await runner.start({ ...request, http }).ended;
  expect(outputTail).not.toContain('secret-of-the-config');
  expect(outputTail.split('\n')).toHaveLength(101);
  expect(outputTail).toMatch(/\n\.\.\. \d+ more lines \.\.\.\n/);
});

test('whoever cannot say any more that the run is its own asks nothing and ends nothing, also when the time is up', async () => {
  const service = await startHttpService();
  service.behave(({ json }) => json(202, {}));
  const { handle, request } = start(service, {}, { timeoutMs: 200, trustTermMs: 60 });
  await passed(150, request);
  const asked = service.requests.length;
  expect(asked).toBeGreaterThan(0);
  await passed(350, request);
  expect(service.requests).toHaveLength(asked);
  handle.stop('superseded');
  expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'superseded' });
  expect(service.requests).toHaveLength(asked);
  expect(service.cancellations).toEqual([]);
});

test('with a heartbeat that is accepted again it goes on where it was, and its time is up', async () => {
  const service = await startHttpService();
  service.behave(({ json }) => json(202, {}));
  const { handle, request } = start(service, {}, { timeoutMs: 100, trustTermMs: 30 });
  await passed(200, request);
  expect(service.cancellations).toEqual([]);
  handle.beat(now());
  expect(await handle.ended).toMatchObject({ kind: 'timed-out', timeoutMs: 100 });
  expect(service.cancellations).toHaveLength(1);
});

test('a pause that is longer than a timer can be is a long one', async () => {
  const service = await startHttpService();
  service.behave(({ json }) => json(503, {}, { 'retry-after': '99999999999' }));
  const { handle } = start(service);
  await until('it has asked', () => service.requests.length === 1);
  // So many go there and back in the time in which nothing may come from the runner.
  for (let i = 0; i < 50; i += 1) await fetch(service.url, { method: 'POST' });
  expect(service.unproven()).toBe(50);
  expect(service.requests).toHaveLength(1);
  handle.stop('drained');
  await handle.ended;
});

test('a secret is not known any more once it is cut: it is looked for before', async () => {
  const service = await startHttpService();
  const secret = 'secret-of-the-config';
  service.behave(({ text }) => text(400, `${'x'.repeat(190)}${secret}`));
  const refused = await start(service).handle.ended;
  expect(refused).toMatchObject({ reason: expect.not.stringContaining('secret-of') });
  service.behave(({ json }) =>
    json(200, { state: 'done', reason: `${'x'.repeat(490)}${secret}`, summary: `${'x'.repeat(3_990)}${secret}` }),
  );
  expect(JSON.stringify(await start(service).handle.ended)).not.toContain('secret-of');
});
