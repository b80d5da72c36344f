import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { type Call, PlatformError } from '../../src/platforms/contract.ts';
import type { Dialect } from '../../src/platforms/error-kinds.ts';
import { githubDialect } from '../../src/platforms/github/errors.ts';
import { createRateLimits } from '../../src/platforms/rate-limits.ts';
import type { Fetch, RequestFacts } from '../../src/platforms/session.ts';
import { createTransport, type Transport, type TransportOptions } from '../../src/platforms/transport.ts';
import { json, startLoopbackServer } from '../support/loopback-server.ts';
import { movableClock } from '../support/movable-clock.ts';

const SECRET = 'token-that-nobody-may-see';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function start(handler: Handler, options: Partial<TransportOptions> = {}) {
  const server = await startLoopbackServer(handler);
  const facts: RequestFacts[] = [];
  const transport = createTransport({
    credentialId: 'test',
    origin: `${server.origin}/api/v3`,
    onRequest: (fact) => facts.push(fact),
    ...options,
  });
  return {
    ...server,
    transport,
    facts,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const callOf = (more: Partial<Call> = {}): Call => ({
  purpose: 'discovery',
  deadlineMs: 5_000,
  signal: new AbortController().signal,
  ...more,
});

/** One request in an operation of its own. */
function ask(transport: Transport, url: string, init: RequestInit = {}, call = callOf(), dialect: Dialect = {}) {
  const headers = { authorization: `token ${SECRET}` };
  return transport.run({ name: 'ask', call, dialect }, ({ fetch }) => fetch(url, { headers, ...init }));
}

async function failure(promise: Promise<unknown>): Promise<PlatformError> {
  const error = await promise.then(
    () => expect.fail('was expected to fail'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof PlatformError)) throw error;
  expect(`${error.message} ${String(error.cause)} ${error.stack}`).not.toContain(SECRET);
  return error;
}

test('hands over the answer with its body, and reports the request', async () => {
  await using http = await start((_, response) => json(response, 200, { ok: true }, { etag: '"1"' }));
  const response = await ask(http.transport, `${http.origin}/api/v3/x`);
  expect(response.headers.get('etag')).toBe('"1"');
  expect(await response.json()).toEqual({ ok: true });
  expect(http.facts).toEqual([
    { credentialId: 'test', purpose: 'discovery', status: 200, durationMs: expect.any(Number), notModified: false },
  ]);
});

test('decodes a compressed answer', async () => {
  const { gzipSync } = await import('node:zlib');
  await using http = await start((_, response) =>
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      .end(gzipSync(JSON.stringify({ text: 'x'.repeat(10_000) }))),
  );
  const response = await ask(http.transport, http.origin);
  expect(await response.json()).toEqual({ text: 'x'.repeat(10_000) });
});

test('aborts a hung request on the wire at the deadline', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  await using http = await start((_, response) => asked.resolve(response));
  const startedMs = performance.now();
  const refused = failure(ask(http.transport, http.origin, {}, callOf({ deadlineMs: 200.4 })));
  const closed = asked.promise.then((response) => once(response, 'close'));
  const error = await refused;
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(190);
  expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' });
  expect(error.message).toBe('ask: GET / had no answer within 200 ms');
  await closed;
  expect(http.facts).toMatchObject([{ kind: 'unavailable' }]);
});

test('aborts at the deadline while the body is still coming', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  await using http = await start((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('[1,');
    asked.resolve(response);
  });
  const refused = failure(ask(http.transport, http.origin, {}, callOf({ deadlineMs: 200 })));
  const closed = asked.promise.then((response) => once(response, 'close'));
  expect(await refused).toMatchObject({ kind: 'unavailable' });
  await closed;
});

test('all requests of an operation share one deadline', async () => {
  const hung = Promise.withResolvers<ServerResponse>();
  await using http = await start((request, response) => {
    if (request.url === '/1') setTimeout(() => json(response, 200, {}), 200);
    else hung.resolve(response);
  });
  let secondAtMs = 0;
  const refused = failure(
    http.transport.run({ name: 'two requests', call: callOf({ deadlineMs: 300 }) }, async ({ fetch }) => {
      await fetch(`${http.origin}/1`);
      secondAtMs = performance.now();
      await fetch(`${http.origin}/2`);
    }),
  );
  const closed = hung.promise.then((response) => once(response, 'close'));
  expect((await refused).message).toContain('GET /2 had no answer within 300 ms');
  // A deadline of its own would have left the second request its full 300 ms.
  expect(performance.now() - secondAtMs).toBeLessThan(290);
  await closed;
});

test('an aborted caller aborts the request on the wire', async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  await using http = await start((_, response) => asked.resolve(response));
  const caller = new AbortController();
  const refused = failure(ask(http.transport, http.origin, {}, callOf({ signal: caller.signal })));
  const response = await asked.promise;
  const closed = once(response, 'close');
  caller.abort(new Error('shutting down'));
  expect(await refused).toMatchObject({ kind: 'unavailable', message: 'ask: GET / was aborted' });
  await closed;
  expect(await failure(ask(http.transport, http.origin, {}, callOf({ signal: caller.signal })))).toMatchObject({
    kind: 'unavailable',
    effect: 'none',
  });
  expect(http.requests).toHaveLength(1);
});

test('a request that is left behind ends with its operation', async () => {
  const hung = Promise.withResolvers<ServerResponse>();
  await using http = await start((_, response) => hung.resolve(response));
  let left: Promise<PlatformError> | undefined;
  await http.transport.run({ name: 'leave', call: callOf() }, async ({ fetch }) => {
    left = failure(fetch(http.origin));
    await hung.promise;
  });
  expect(await left).toMatchObject({ kind: 'unavailable' });
});

test.each([
  [400, 'invalid-response'],
  [401, 'auth'],
  [403, 'auth'],
  [404, 'not-found'],
  [408, 'unavailable'],
  [409, 'conflict'],
  [410, 'not-found'],
  [412, 'conflict'],
  [422, 'invalid-response'],
  [429, 'rate-limited'],
  [500, 'unavailable'],
  [502, 'unavailable'],
  [503, 'unavailable'],
] as const)('status %i is %s', async (status, kind) => {
  await using http = await start((_, response) => json(response, status, { message: 'because\n of this' }));
  const error = await failure(ask(http.transport, `${http.origin}/path?secret=1`));
  expect(error).toMatchObject({ kind, status, effect: 'none' });
  expect(error.message).toBe(`ask: GET /path answered ${status} (because of this)`);
  expect(http.facts).toMatchObject([{ status, kind, notModified: false }]);
});

test('a 304 is an answer, reported apart', async () => {
  await using http = await start((_, response) => response.writeHead(304, { etag: '"1"' }).end());
  const response = await ask(http.transport, http.origin);
  expect(response.status).toBe(304);
  expect(response.headers.get('etag')).toBe('"1"');
  expect(http.facts).toMatchObject([{ status: 304, notModified: true }]);
});

test.each([
  ['cut before the answer', (response: ServerResponse): void => void response.destroy()],
  [
    'cut inside the body',
    (response: ServerResponse): void => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('[1', () => response.destroy());
    },
  ],
])('a connection that is %s is an outage, and is asked once', async (_, cut) => {
  await using http = await start((_, response) => cut(response));
  expect(await failure(ask(http.transport, http.origin))).toMatchObject({ kind: 'unavailable' });
  expect(await failure(ask(http.transport, http.origin, { method: 'POST', body: '{}' }))).toMatchObject({
    kind: 'unavailable',
    effect: 'unknown',
  });
  expect(http.requests.map(({ method }) => method)).toEqual(['GET', 'POST']);
});

test('a host that cannot be reached is an outage', async () => {
  const gone = await startLoopbackServer(() => {});
  await gone[Symbol.asyncDispose]();
  const transport = createTransport({ credentialId: 'test', origin: gone.origin });
  const error = await failure(ask(transport, gone.origin));
  expect(error.kind).toBe('unavailable');
  expect(error.message).toContain('ECONNREFUSED');
});

test.each([
  [200, 'text/html; charset=utf-8', 'Sign in', 'invalid-response'],
  [200, 'application/json', '\n<!doctype html><title>Sign in</title>', 'invalid-response'],
  [404, 'text/html', '<h1>no such host</h1>', 'invalid-response'],
  [404, 'text/plain', '404 page not found', 'invalid-response'],
  [403, 'text/html', '<h1>blocked by policy</h1>', 'invalid-response'],
  [401, 'text/html', '<h1>sign in</h1>', 'auth'],
  [502, 'text/html', '<h1>Bad gateway</h1>', 'unavailable'],
  [429, 'text/plain', 'Retry later', 'rate-limited'],
] as const)('a page with status %i (%s) is never taken for an answer of the API', async (status, type, body, kind) => {
  await using http = await start((_, response) => response.writeHead(status, { 'content-type': type }).end(body));
  expect(await failure(ask(http.transport, http.origin))).toMatchObject({ kind, status });
});

test('an answer without a body is an answer', async () => {
  await using http = await start((_, response) => response.writeHead(204).end());
  expect((await ask(http.transport, http.origin, { method: 'PUT' })).status).toBe(204);
});

test('a body beyond the bound is refused and not read on', async () => {
  const chunk = JSON.stringify('x'.repeat(1_000));
  const closed = Promise.withResolvers<void>();
  await using http = await start(
    (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.once('close', closed.resolve);
      const flood = (): void => void (response.destroyed || response.write(chunk, flood));
      flood();
    },
    { maxBodyBytes: 5_000 },
  );
  const error = await failure(ask(http.transport, http.origin));
  expect(error).toMatchObject({ kind: 'invalid-response' });
  expect(error.message).toContain('more than 5000 bytes');
  await closed.promise;
});

test.each([
  [200, '7', 'answered'],
  [304, '7', 'answered'],
  [404, '7', 'not-found'],
  [403, '7', 'rate-limited'],
  [429, '7', 'rate-limited'],
  [503, '7', 'unavailable'],
  [503, new Date(Date.parse('2026-11-20T10:00:07Z')).toUTCString(), 'unavailable'],
] as const)('Retry-After on a %i holds the credential back for that long (%s)', async (status, retryAfter, kind) => {
  const time = movableClock();
  const date = new Date(Date.parse('2026-11-20T10:00:00Z')).toUTCString();
  await using http = await start(
    (request, response) =>
      json(response, request.url === '/first' ? status : 200, {}, { 'retry-after': retryAfter, date }),
    { limits: createRateLimits(time.clock) },
  );
  const outcome = await ask(http.transport, `${http.origin}/first`).then(
    () => 'answered',
    (error: PlatformError) => `${error.kind} ${error.retryAfterMs}`,
  );
  expect(outcome).toBe(kind === 'answered' ? kind : `${kind} 7000`);

  time.pass(6_000);
  const held = await failure(ask(http.transport, http.origin, { method: 'POST', body: '{}' }));
  expect(held).toMatchObject({ kind: 'rate-limited', retryAfterMs: 1_000, effect: 'none' });
  expect(http.requests).toHaveLength(1);

  time.pass(1_000);
  await ask(http.transport, http.origin);
  expect(http.requests).toHaveLength(2);
});

test('Retry-After 0 asks for nothing, and a mistaken one is believed for an hour at most', async () => {
  await using http = await start((request, response) =>
    json(response, 200, {}, { 'retry-after': request.url === '/zero' ? '0' : '99999999' }),
  );
  await ask(http.transport, `${http.origin}/zero`);
  expect(http.transport.limits.budget().heldMs).toBe(0);
  await ask(http.transport, `${http.origin}/years`);
  expect(http.transport.limits.budget().heldMs).toBeGreaterThan(3_590_000);
  expect(http.transport.limits.budget().heldMs).toBeLessThanOrEqual(3_600_000);
});

test('a limit without a time holds for the unstated wait; a shorter wait does not end a longer one', async () => {
  const time = movableClock();
  await using http = await start((_, response) => json(response, 429, {}), { limits: createRateLimits(time.clock) });
  expect(await failure(ask(http.transport, http.origin))).toMatchObject({ retryAfterMs: 60_000 });
  await http.transport.limits.learn({ waitMs: 5_000 }, 'GET /');
  expect(http.transport.limits.budget().heldMs).toBe(60_000);
});

test("a platform's own words decide its kinds and its budget", async () => {
  const dialect: Dialect = {
    limit: (headers) => ({
      remaining: Number(headers.get('x-left')),
      windowMs: 60_000,
      waitMs: headers.get('x-left') === '0' ? 3_000 : 0,
    }),
    kind: (status, data) => (status === 400 && data !== undefined ? 'conflict' : undefined),
  };
  await using http = await start((request, response) =>
    json(response, request.url === '/400' ? 400 : 200, {}, { 'x-left': request.url === '/last' ? '0' : '9' }),
  );
  expect(await failure(ask(http.transport, `${http.origin}/400`, {}, callOf(), dialect))).toMatchObject({
    kind: 'conflict',
  });
  expect(http.transport.limits.budget().window?.remaining).toBe(9);
  await ask(http.transport, `${http.origin}/last`, {}, callOf(), dialect);
  expect(http.transport.limits.budget().window?.remaining).toBe(0);
  expect(await failure(ask(http.transport, http.origin))).toMatchObject({ kind: 'rate-limited' });
});

test.each([
  ['a limit of nothing', '0', '0', '3600'],
  ['numbers beyond all numbers', '9'.repeat(400), '9'.repeat(400), '9'.repeat(400)],
  ['words', 'many', 'enough', 'soon'],
  ['a window that is over', '5000', '0', '-60'],
])('headers that say %s hold nobody back', async (_, limit, remaining, resetIn) => {
  const reset = /^-?\d{1,5}$/.test(resetIn) ? String(Math.floor(Date.now() / 1000) + Number(resetIn)) : resetIn;
  const headers = { 'x-ratelimit-limit': limit, 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset };
  await using http = await start((_request, response) => json(response, 200, {}, headers));
  for (let request = 1; request <= 3; request += 1) {
    await ask(http.transport, http.origin, {}, callOf({ purpose: 'discovery' }), githubDialect);
  }
  expect(http.requests).toHaveLength(3);
});

test('what is left at the end of a budget is kept for work on tickets', async () => {
  const time = movableClock();
  const dialect: Dialect = {
    limit: () => ({ limit: 100, remaining: 10, resetMs: 30_000, windowMs: 60_000 }),
  };
  await using http = await start((_, response) => json(response, 200, {}), { limits: createRateLimits(time.clock) });
  await ask(http.transport, http.origin, {}, callOf(), dialect);
  const held = await failure(ask(http.transport, http.origin, {}, callOf(), dialect));
  expect(held).toMatchObject({ kind: 'rate-limited', status: undefined, retryAfterMs: 30_000, effect: 'none' });
  expect(held.message).toContain('kept for claims and labels');
  for (const purpose of ['claim', 'label'] as const) {
    await ask(http.transport, http.origin, {}, callOf({ purpose }), dialect);
  }
  expect(http.requests).toHaveLength(3);
  time.pass(30_000);
  await ask(http.transport, http.origin, {}, callOf(), dialect);
});

test('a limit of one path lets the others through', async () => {
  const dialect: Dialect = { limit: () => ({ only: 'path', waitMs: 30_000 }) };
  await using http = await start((request, response) => json(response, request.url === '/issue/7' ? 429 : 200, {}));
  const put = (path: string) => ask(http.transport, `${http.origin}${path}`, { method: 'PUT' }, callOf(), dialect);
  expect(await failure(put('/issue/7'))).toMatchObject({ status: 429, retryAfterMs: 30_000 });
  expect(await failure(put('/issue/7'))).toMatchObject({ kind: 'rate-limited', status: undefined, effect: 'none' });
  await put('/issue/8');
  await ask(http.transport, `${http.origin}/other`);
  expect(http.requests.map(({ url }) => url)).toEqual(['/issue/7', '/issue/8', '/other']);
});

test('whoever makes a call hears of each request of it', async () => {
  await using http = await start((request, response) =>
    request.url === '/old' ? response.writeHead(307, { location: '/new' }).end() : json(response, 500, {}),
  );
  let requests = 0;
  const call = callOf({
    onRequest: () => {
      requests += 1;
    },
  });
  await failure(ask(http.transport, `${http.origin}/old`, {}, call));
  expect(requests).toBe(2);
});

test('a 403 that asks to wait is a limit, one that does not is a lack of rights', async () => {
  await using http = await start((request, response) =>
    json(response, 403, {}, request.url === '/limit' ? { 'retry-after': '1' } : {}),
  );
  expect((await failure(ask(http.transport, `${http.origin}/rights`))).kind).toBe('auth');
  expect((await failure(ask(http.transport, `${http.origin}/limit`))).kind).toBe('rate-limited');
});

test('reads follow redirects on the same origin, with their headers', async () => {
  await using http = await start((request, response) => {
    if (request.url === '/old')
      response.writeHead(301, { location: '/new', 'content-type': 'text/html' }).end('<p>moved');
    else json(response, 200, { at: request.url });
  });
  const response = await ask(http.transport, `${http.origin}/old`);
  expect(await response.json()).toEqual({ at: '/new' });
  expect(http.requests[1]?.headers.authorization).toBe(`token ${SECRET}`);
});

test('a circle of redirects ends', async () => {
  await using http = await start((_, response) => response.writeHead(302, { location: '/again' }).end());
  const error = await failure(ask(http.transport, http.origin));
  expect(error).toMatchObject({ kind: 'invalid-response' });
  expect(http.requests).toHaveLength(6);
});

test.each(['GET', 'POST'])('%s never follows a redirect to another origin', async (method) => {
  await using other = await startLoopbackServer((_, response) => json(response, 200, {}));
  await using http = await start((_, response) => response.writeHead(307, { location: `${other.origin}/x` }).end());
  const error = await failure(ask(http.transport, http.origin, { method }));
  expect(error).toMatchObject({ kind: 'invalid-response', status: 307 });
  expect(error.message).toContain('redirected to another origin');
  expect(other.requests).toEqual([]);
});

test('another origin is not even asked', async () => {
  await using other = await startLoopbackServer((_, response) => json(response, 200, {}));
  await using http = await start((_, response) => json(response, 200, {}));
  expect(await failure(ask(http.transport, other.origin))).toMatchObject({ kind: 'invalid-response', effect: 'none' });
  expect(other.requests).toEqual([]);
});

test('a write is repeated only by 307 and 308, with its body, and never turned into a read', async () => {
  await using http = await start((request, response) => {
    const [, status] = /^\/(30\d)$/.exec(request.url ?? '') ?? [];
    if (status !== undefined) response.writeHead(Number(status), { location: '/there' }).end();
    else request.pipe(response.writeHead(200, { 'content-type': 'application/json' }));
  });
  for (const status of [301, 302, 303]) {
    const error = await failure(ask(http.transport, `${http.origin}/${status}`, { method: 'POST', body: '{}' }));
    expect(error).toMatchObject({ kind: 'invalid-response', status, effect: 'unknown' });
  }
  expect(http.requests).toHaveLength(3);
  for (const status of [307, 308]) {
    const response = await ask(http.transport, `${http.origin}/${status}`, { method: 'POST', body: '{"a":1}' });
    expect(await response.json()).toEqual({ a: 1 });
  }
  expect(http.requests.at(-1)).toMatchObject({ method: 'POST', url: '/there' });
});

test('a redirect that leads nowhere is no answer', async () => {
  await using http = await start((_, response) => response.writeHead(302).end());
  expect(await failure(ask(http.transport, http.origin))).toMatchObject({ kind: 'invalid-response', status: 302 });
});

test('effect is none while nothing was written, or when the first write was refused', async () => {
  await using http = await start((request, response) => json(response, Number(request.url?.slice(1)), {}));
  const effectOf = async (...requests: [string, number][]): Promise<string> => {
    const error = await failure(
      http.transport.run({ name: 'steps', call: callOf() }, async ({ fetch }) => {
        for (const [method, status] of requests) await fetch(`${http.origin}/${status}`, { method });
      }),
    );
    return error.effect;
  };
  expect(await effectOf(['GET', 500])).toBe('none');
  expect(await effectOf(['GET', 200], ['POST', 403])).toBe('none');
  expect(await effectOf(['POST', 408])).toBe('unknown');
  expect(await effectOf(['POST', 502])).toBe('unknown');
  expect(await effectOf(['POST', 200], ['DELETE', 403])).toBe('unknown');
  expect(await effectOf(['POST', 200], ['GET', 404])).toBe('unknown');
});

test('a credential that is no header value is named as the fault and not shown', async () => {
  await using http = await start((_, response) => json(response, 200, {}));
  const headers = { authorization: `token ${SECRET}\nrest` };
  const error = await failure(ask(http.transport, http.origin, { headers }));
  expect(error).toMatchObject({ kind: 'auth', effect: 'none' });
  expect(error.cause).toBeUndefined();
});

test('a long refusal is cut between words: never in the middle of a token that it quotes', async () => {
  const token = 'ghp_the-token-that-was-sent';
  await using http = await start((_, response) =>
    json(response, 400, { message: `${'no '.repeat(62)}Bearer ${token}` }),
  );
  const { message } = await failure(ask(http.transport, http.origin));
  expect(message).toContain('no no no Bearer ...');
  expect(message).not.toContain('ghp_');
});

test('an error that a client library wraps comes out unwrapped', async () => {
  await using http = await start((_, response) => json(response, 401, {}));
  const wrapping = (fetch: Fetch) =>
    fetch(http.origin).catch((cause: unknown) => {
      throw new Error(`library failed with ${SECRET}`, { cause: new Error('inner', { cause }) });
    });
  const error = await failure(http.transport.run({ name: 'ask', call: callOf() }, ({ fetch }) => wrapping(fetch)));
  expect(error.kind).toBe('auth');
  const own = new TypeError('a programming error');
  await expect(http.transport.run({ name: 'ask', call: callOf() }, () => Promise.reject(own))).rejects.toBe(own);
});

test('what adapters share is made once per transport', () => {
  const create = (): Map<string, string> => new Map();
  const options = { credentialId: 'test', origin: 'http://127.0.0.1' };
  const transport = createTransport(options);
  expect(transport.shared(create)).toBe(transport.shared(create));
  expect(transport.shared(create)).not.toBe(createTransport(options).shared(create));
});
