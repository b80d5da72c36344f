/**
 * Webhook routes over HTTP (DESIGN 9, PROTOCOL 8.1 to 8.3): every answer, the bytes of a body whatever they are, the bounds on
 * memory, and what is odd about a request. What payloads say is in webhook-payloads.test.ts.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { DeliveryRequest, Reception } from '../../src/ingress/deliveries/delivery-receiver.ts';
import { githubWebhook } from '../../src/platforms/github/webhook.ts';
import type { WebhookDialect } from '../../src/platforms/webhook.ts';
import { SECRET, sentIssue } from '../ingress/deliveries/deliveries.ts';
import type { Rooms } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { doorTo, openStores, receiverOn } from './taken-deliveries.ts';
import { answersOn, type Door, openRoutes, type Post, type Receiver, rawPost, statusesIn } from './webhook-posts.ts';

const redis = useRedis();

const GITHUB = {
  dialect: githubWebhook,
  source: {
    platform: 'github',
    host: 'github.com',
    container: 'org/api',
    apiUrl: 'https://api.github.com',
  },
} as const;
const ACCEPTED: Reception = { kind: 'accepted', delivery: 'github:api.1:d1' };

/** Answers everything alike, and remembers what it was asked. */
function always(reception: Reception | (() => Promise<Reception>)): Receiver & { readonly asked: DeliveryRequest[] } {
  const asked: DeliveryRequest[] = [];
  return {
    asked,
    async receive(request) {
      asked.push(request);
      return typeof reception === 'function' ? await reception() : reception;
    },
  };
}

/** Receives, and answers nothing until it is told to. */
function holding(): Receiver & { held(): number; release(): void } {
  const waiting: (() => void)[] = [];
  return {
    held: () => waiting.length,
    release: () => {
      for (const go of waiting.splice(0)) go();
    },
    async receive() {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return ACCEPTED;
    },
  };
}

const inChunks = (...chunks: readonly (Buffer | string)[]): Readable =>
  Readable.from(chunks.map((chunk) => Buffer.from(chunk)));

/** A whole delivery as headers and body, for a client. */
function issue(sent: Parameters<typeof sentIssue>[0] = {}): Required<Pick<Post, 'headers'>> & { body: Buffer } {
  const { headers, body } = sentIssue(sent);
  return { headers: { ...headers } as Record<string, string>, body };
}

function signed(body: Buffer, headers: Readonly<Record<string, string>> = {}): Post {
  const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
  return { body, headers: { ...issue().headers, 'x-hub-signature-256': signature, ...headers } };
}

async function openReal(): Promise<Door & { readonly rooms: Rooms }> {
  const rooms = await openStores(redis.url);
  return { ...(await openRoutes(receiverOn(rooms, [doorTo(GITHUB, 'api', [SECRET])]))), rooms };
}

describe('the answer', () => {
  const table: readonly [Reception, number, object][] = [
    [ACCEPTED, 202, { delivery: 'github:api.1:d1', state: 'received' }],
    [
      { kind: 'ignored', delivery: 'github:api.1:d1', reason: 'ping' },
      200,
      { delivery: 'github:api.1:d1', state: 'ignored', reason: 'ping' },
    ],
    [
      { kind: 'duplicate', delivery: 'github:api.1:d1', state: 'processed' },
      200,
      { delivery: 'github:api.1:d1', state: 'processed', duplicate: true },
    ],
    [{ kind: 'no-route' }, 404, { error: 'webhooks are not enabled here' }],
    [{ kind: 'unproven' }, 401, { error: 'bad or missing signature' }],
    [{ kind: 'unreadable', problem: 'the body is no JSON' }, 400, { error: 'the body is no JSON' }],
    [{ kind: 'not-persisted', why: 'redis_unavailable' }, 503, { error: 'redis_unavailable' }],
    [{ kind: 'not-persisted', why: 'inbox_full' }, 503, { error: 'inbox_full' }],
  ];

  test.each(table)('to %j is %i', async (reception, status, json) => {
    const { post } = await openRoutes(always(reception));
    const retryAfter = status === 503 ? '5' : undefined;
    expect(await post('/webhook/github', { body: '{}' })).toEqual({ status, json, retryAfter });
  });

  test('without Redis in the configuration is 503: come again', async () => {
    const { post } = await openRoutes(undefined);
    const answer = { status: 503, json: { error: 'redis_unavailable' }, retryAfter: '5' };
    expect(await post('/webhook/github', { body: '{}' })).toEqual(answer);
  });

  test.each([
    ['an error', new Error('a text nobody may see')],
    ['an error with a status of its own', Object.assign(new Error('a text nobody may see'), { statusCode: 410 })],
    ['another one', Object.assign(new Error('a text nobody may see'), { statusCode: 429, status: 429 })],
    ['no error', 'a text nobody may see'],
    ['nothing', undefined],
  ])('when the receiver throws %s is 503 all the same, without its text', async (_, thrown) => {
    const { post } = await openRoutes(always(() => Promise.reject(thrown)));
    const answer = { status: 503, json: { error: 'internal' }, retryAfter: '5' };
    expect(await post('/webhook/github', { body: '{}' })).toEqual(answer);
  });
});

describe('on record before it is answered', () => {
  test('the record is there when the answer arrives, and the same again is known', async () => {
    const { post, rooms } = await openReal();
    const delivery = 'github:api.1:d1';
    const answer = await post('/webhook/github', issue({ id: 'd1' }));
    expect(await redis.client.exists(`agentsmith:delivery:${delivery}`)).toBe(1);
    expect(answer).toMatchObject({ status: 202, json: { delivery, state: 'received' } });
    expect(await post('/webhook/github', issue({ id: 'd1' }))).toMatchObject({
      status: 200,
      json: { delivery, state: 'received', duplicate: true },
    });
    expect(await rooms.deliveries.depth()).toBe(1);
  });

  test('proof, then the id, then the record, then the wake-up, then the answer; nothing while it is being written', async () => {
    const rooms = await openStores(redis.url);
    const order: string[] = [];
    const spied: WebhookDialect = {
      ...githubWebhook,
      provesSecret(request, secret) {
        order.push('proof');
        return githubWebhook.provesSecret(request, secret);
      },
      read(request) {
        order.push('id');
        return githubWebhook.read(request);
      },
    };
    let go = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { post } = await openRoutes(
      receiverOn(rooms, [doorTo({ ...GITHUB, dialect: spied }, 'api', [SECRET])], {
        records: {
          async accept(delivery) {
            order.push('writing');
            await gate;
            const acceptance = await rooms.deliveries.accept(delivery);
            order.push('written');
            return acceptance;
          },
        },
        onAccepted: () => order.push('woken'),
      }),
    );
    const answered = post('/webhook/github', issue()).then(() => order.push('answered'));
    await until('it is being written', () => order.includes('writing'));
    // An answer that does not wait would be there before that of a whole request after it.
    expect(await post('/webhook/gitlab', issue())).toMatchObject({ status: 404 });
    expect(order).toEqual(['proof', 'id', 'writing']);
    go();
    await answered;
    expect(order).toEqual(['proof', 'id', 'writing', 'written', 'woken', 'answered']);
  });

  test('a Redis that does not answer: 503, and nothing is claimed; afterwards the same delivery is taken', async () => {
    const rooms = await openStores(redis.url);
    const { post } = await openRoutes(receiverOn(rooms, [doorTo(GITHUB, 'api', [SECRET])], {}, 300));
    await redis.server.kill('SIGSTOP');
    const answer = { status: 503, json: { error: 'redis_unavailable' }, retryAfter: '5' };
    expect(await post('/webhook/github', issue({ id: 'd1' }))).toEqual(answer);
    await redis.server.kill('SIGCONT');
    await until('it is taken', async () => (await post('/webhook/github', issue({ id: 'd1' }))).status < 203);
  });

  test('a sender that closes right after sending has sent it', async () => {
    const { socket } = await openReal();
    const { headers, body } = issue({ id: 'd1' });
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
    const connection = await socket();
    connection.write(rawPost('/webhook/github', body, lines), () => connection.destroy());
    await until('it is on record', () => redis.client.exists('agentsmith:delivery:github:api.1:d1'));
  });
});

describe('the body', () => {
  test.each<[string, Post]>([
    ['no valid UTF-8', { body: Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0a]) }],
    ['of no content type', { body: '{}' }],
    ['of a type that is none', { body: '{}', headers: { 'content-type': 'anything goes' } }],
    ['of an empty type', { body: '{}', headers: { 'content-type': '' } }],
    ['of several types', { body: '{}', headers: { 'content-type': 'application/json, text/plain' } }],
    ['of a form', { body: 'payload=%7B%7D', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['in an unknown charset', { body: '{}', headers: { 'content-type': 'application/json; charset=utf-16le' } }],
    ['packed', { body: gzipSync('{}'), headers: { 'content-encoding': 'gzip', 'content-type': 'application/json' } }],
    ['that JSON parsers refuse', { body: '{"__proto__": {}}', headers: { 'content-type': 'application/json' } }],
    ['without a byte', { body: '' }],
    ['without a byte but with a type', { headers: { 'content-type': 'application/json' } }],
  ])('%s is handed on byte for byte, with its headers', async (_, request) => {
    const receiver = always(ACCEPTED);
    const { post } = await openRoutes(receiver);
    expect(await post('/webhook/github', request)).toMatchObject({ status: 202 });
    const [{ body, headers } = expect.fail('nothing was received')] = receiver.asked;
    expect(body).toEqual(Buffer.from((request.body as Buffer | string | undefined) ?? ''));
    expect(headers).toMatchObject(request.headers ?? {});
  });

  test('without a length, in whatever pieces, is put together', async () => {
    const receiver = always(ACCEPTED);
    const { post } = await openRoutes(receiver);
    const text = 'ü'.repeat(1_000);
    const pieces = [...Buffer.from(text)].map((byte) => Buffer.of(byte));
    expect(await post('/webhook/github', { body: inChunks(...pieces) })).toMatchObject({ status: 202 });
    expect(receiver.asked[0]?.body.toString()).toBe(text);
  });

  test('is signed as bytes: those that are no text are proven, and then refused as no JSON', async () => {
    const { post } = await openReal();
    const body = Buffer.from([0x7b, 0xff, 0xfe, 0xc3, 0x28, 0x7d]);
    expect(await post('/webhook/github', signed(body))).toMatchObject({ status: 400 });
    const asText = Buffer.from(body.toString());
    expect(await post('/webhook/github', { ...signed(body), body: asText })).toMatchObject({ status: 401 });
  });

  test('of GitHub may be a form, in chunks as well', async () => {
    const { post } = await openReal();
    const form = Buffer.from(new URLSearchParams({ payload: issue().body.toString() }).toString());
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(await post('/webhook/github', signed(form, type))).toMatchObject({ status: 202 });
    const chunked = { ...signed(form, { ...type, 'x-github-delivery': 'd2' }), body: inChunks(form) };
    expect(await post('/webhook/github', chunked)).toMatchObject({ status: 202 });
  });

  test('that is empty proves nothing, and when it is signed it is no JSON', async () => {
    const { post } = await openReal();
    const { 'x-hub-signature-256': _, ...unsigned } = issue().headers;
    expect(await post('/webhook/github', { headers: unsigned })).toMatchObject({ status: 401 });
    expect(await post('/webhook/github', signed(Buffer.alloc(0)))).toMatchObject({ status: 400 });
  });

  test('may have 25 MiB and not a byte more', async () => {
    const { post } = await openReal();
    const { body } = issue();
    const most = Buffer.alloc(25 * 1024 * 1024, ' ');
    body.copy(most);
    expect(await post('/webhook/github', signed(most))).toMatchObject({ status: 202 });
    const more = Buffer.concat([most, Buffer.from(' ')]);
    const refused = { status: 413, json: { error: 'the body is too large' } };
    expect(await post('/webhook/github', { body: more, headers: issue().headers })).toMatchObject(refused);
  });
});

describe('what is in flight', () => {
  const limits = { mostBytes: 1_000, mostBytesInFlight: 2_500 };
  const most = Buffer.alloc(1_000);
  const TOO_LARGE = { status: 413, json: { error: 'the body is too large' } };
  const OVERLOADED = { status: 503, json: { error: 'overloaded' }, retryAfter: '5' };

  /** Two bodies fit beside each other: so nothing else is held. */
  async function expectRoom(door: Door, receiver: ReturnType<typeof holding>): Promise<void> {
    const two = [door.post('/webhook/github', { body: most }), door.post('/webhook/github', { body: most })];
    await until('both are at work', () => receiver.held() === 2);
    receiver.release();
    expect((await Promise.all(two)).map(({ status }) => status)).toEqual([202, 202]);
  }

  test('is bounded, and counts until the answer', async () => {
    const receiver = holding();
    const door = await openRoutes(receiver, { limits });
    const two = [door.post('/webhook/github', { body: most }), door.post('/webhook/jira/x', { body: most })];
    await until('both are at work', () => receiver.held() === 2);
    expect(await door.post('/webhook/github', { body: most })).toEqual(OVERLOADED);
    expect(await door.post('/webhook/github', { body: inChunks(most) })).toEqual(OVERLOADED);
    const small = door.post('/webhook/github', { body: most.subarray(500) });
    await until('a small one is at work beside them', () => receiver.held() === 3);
    receiver.release();
    expect((await Promise.all([...two, small])).map(({ status }) => status)).toEqual([202, 202, 202]);
    await expectRoom(door, receiver);
  });

  test('does not include what was refused: with and without a length, too', async () => {
    const receiver = holding();
    const door = await openRoutes(receiver, { limits });
    const more = Buffer.alloc(1_001);
    for (const body of [more, inChunks(most, '.'), inChunks(most, most, most, most)]) {
      expect(await door.post('/webhook/github', { body })).toMatchObject(TOO_LARGE);
    }
    const exact = door.post('/webhook/github', { body: inChunks(most.subarray(1), '.') });
    await until('it is at work', () => receiver.held() === 1);
    receiver.release();
    expect(await exact).toMatchObject({ status: 202 });
    await expectRoom(door, receiver);
  });

  test('is given back when a sender goes away in the middle', async () => {
    const door = await openRoutes(always(ACCEPTED), { limits: { mostBytes: 1_000, mostBytesInFlight: 1_000 } });
    const statusIs = (status: number) => async () =>
      (await door.post('/webhook/github', { body: most })).status === status;
    const connection = await door.socket();
    connection.write(rawPost('/webhook/github', most).subarray(0, -1));
    await until('its bytes count', statusIs(503));
    connection.destroy();
    await until('they do not count any more', statusIs(202));
  });

  test('is not given back when a sender goes away whose body is at work: it is held all the same', async () => {
    const receiver = holding();
    const door = await openRoutes(receiver, { limits });
    const connections = await Promise.all([door.socket(), door.socket()]);
    for (const connection of connections) connection.write(rawPost('/webhook/github', most));
    await until('both are at work', () => receiver.held() === 2);
    for (const connection of connections) connection.destroy();
    expect(await door.post('/webhook/github', { body: most })).toEqual(OVERLOADED);
    receiver.release();
    await until('they are done with', async () => receiver.held() === 0);
    await expectRoom(door, receiver);
  });
});

describe('a request', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'] as const)('%s is no delivery', async (method) => {
    const receiver = always(ACCEPTED);
    const { post } = await openRoutes(receiver);
    for (const path of ['/webhook/github', '/webhook/github/api']) {
      expect(await post(path, { method })).toMatchObject({ status: 404 });
    }
    expect(receiver.asked).toEqual([]);
  });

  test.each([
    ['/webhook/github', 'github', undefined],
    ['/webhook/github/', 'github', undefined],
    ['/webhook/github/api', 'github', 'api'],
    ['/webhook/github/api/', 'github', 'api'],
    ['/webhook/github/api?x=1', 'github', 'api'],
    ['/webhook/github/my%20caf%C3%A9', 'github', 'my café'],
    ['/webhook/github/a%2Fb', 'github', 'a/b'],
    ['/webhook/github/..%2f..%2fhealth', 'github', '../../health'],
    ['/webhook/__proto__/constructor', '__proto__', 'constructor'],
    [`/webhook/github/${'x'.repeat(10_000)}`, 'github', 'x'.repeat(10_000)],
  ])('to %.40s names platform and project', async (path, platform, project) => {
    const receiver = always(ACCEPTED);
    const { post } = await openRoutes(receiver);
    expect(await post(path, { body: '{}' })).toMatchObject({ status: 202 });
    expect(receiver.asked).toMatchObject([{ platform, project }]);
  });

  test.each(['/webhook', '/webhook/github/api/more', '/Webhook/github', '//webhook/github', '/github'])(
    'to %s is 404',
    async (path) => {
      const receiver = always(ACCEPTED);
      const { post } = await openRoutes(receiver);
      const { status } = await post(path, { body: '{}' });
      expect([status, receiver.asked.length]).toEqual([404, 0]);
    },
  );

  test.each(['/', '/hooks/', '/a/b//'])('below a path of %s is found', async (path) => {
    const { post } = await openRoutes(always(ACCEPTED), { path });
    expect(await post(`${path.replace(/\/+$/, '')}/github`, { body: '{}' })).toMatchObject({ status: 202 });
  });

  test('to a platform or a project that takes no webhooks is 404 and leaves no trace, not even a series in the metrics', async () => {
    const counted = new Set<string>();
    const rooms = await openStores(redis.url);
    const receiver = receiverOn(rooms, [doorTo(GITHUB, 'api', [SECRET])], {
      onReception: ({ platform, result }) => counted.add(`${platform} ${result}`),
    });
    const { post } = await openRoutes(receiver);
    const nowhere = ['', 'gitlab', '__proto__', 'made-up', 'github/other', 'github/__proto__', 'github/api%20'];
    for (const path of nowhere) expect(await post(`/webhook/${path}`, issue())).toMatchObject({ status: 404 });
    expect(counted).toEqual(new Set(['unknown no-route']));
    expect(await redis.client.keys('agentsmith:delivery*')).toEqual([]);
  });

  test('that breaks the rules of HTTP is refused, and the next one is not', async () => {
    const receiver = always(ACCEPTED);
    const { socket, post } = await openRoutes(receiver);
    const broken = [
      rawPost('/webhook/github/%zz', '{}', ['Connection: close']),
      rawPost('/webhook/github', '{}', ['Content-Length: 3']),
      rawPost('/webhook/github', '{}', ['Transfer-Encoding: chunked']),
      rawPost('/webhook/github', '{}', ['X-Hub-Signature-256 : x']),
      rawPost('/webhook/github', '{}', [`X-Long: ${'x'.repeat(20_000)}`]),
      Buffer.from('POST /webhook/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'),
      Buffer.from('\x16\x03\x01 no HTTP at all'),
    ];
    for (const bytes of broken) {
      const connection = await socket();
      const said = answersOn(connection);
      connection.write(bytes);
      for (const status of statusesIn(await said)) expect([400, 431]).toContain(status);
    }
    expect(receiver.asked).toEqual([]);
    expect(await post('/webhook/github', { body: '{}' })).toMatchObject({ status: 202 });
  });

  test('with a header twice proves nothing by it, and is no other delivery by it', async () => {
    const { post } = await openReal();
    const { headers, body } = issue();
    const signature = String(headers['x-hub-signature-256']);
    const twice = { ...headers, 'x-hub-signature-256': [signature, signature] };
    expect(await post('/webhook/github', { headers: twice, body })).toMatchObject({ status: 401 });
    const ids = { ...headers, 'x-github-delivery': ['d1', 'd2'] };
    expect(await post('/webhook/github', { headers: ids, body })).toMatchObject({
      status: 202,
      json: { delivery: expect.stringMatching(/^github:api\.1:[0-9a-f]{64}$/) as string },
    });
  });

  test.each([
    ['of a key', 'd1:*:agentsmith:queue:{x}'],
    ['of another delivery', '../github:web.1:d1'],
    ['of a script', "\"} return redis.call('flushall') --"],
    ['that is no ASCII', Buffer.from('größe\u0001', 'latin1').toString('latin1').replaceAll('\u0001', '\t')],
    ['that is endless', 'x'.repeat(8_000)],
  ])('with an id %s names one plain delivery', async (_, id) => {
    const { post } = await openReal();
    const { headers, body } = issue();
    const answer = await post('/webhook/github', { headers: { ...headers, 'x-github-delivery': id }, body });
    expect(answer.status).toBe(202);
    expect(answer.json['delivery']).toMatch(/^github:api\.1:[A-Za-z0-9._:-]{1,200}$/);
    expect(await redis.client.keys('agentsmith:delivery:*')).toEqual([
      `agentsmith:delivery:${String(answer.json['delivery'])}`,
    ]);
  });

  test('after request on one connection, sent before the first is answered: each is answered, in order', async () => {
    const { socket, rooms } = await openReal();
    const bytesOf = (id: string, change: Readonly<Record<string, string>>, more: readonly string[] = []): Buffer => {
      const { headers, body } = issue({ id });
      const lines = Object.entries({ ...headers, ...change }).map(([name, value]) => `${name}: ${String(value)}`);
      return rawPost('/webhook/github', body, [...lines, ...more]);
    };
    const connection = await socket();
    const said = answersOn(connection);
    connection.write(
      Buffer.concat([
        bytesOf('d1', {}),
        bytesOf('d2', { 'x-hub-signature-256': 'sha256=00' }),
        bytesOf('d3', {}, ['Connection: close']),
      ]),
    );
    expect(statusesIn(await said)).toEqual([202, 401, 202]);
    expect(await rooms.deliveries.get('github:api.1:d2')).toBeUndefined();
  });

  test('that asks first whether it may send is told to go on', async () => {
    const { socket } = await openRoutes(always(ACCEPTED));
    const connection = await socket();
    const bytes = rawPost('/webhook/github', '{}', ['Expect: 100-continue', 'Connection: close']);
    connection.write(bytes.subarray(0, -2));
    const [first] = (await once(connection, 'data')) as [Buffer];
    expect(first.toString()).toMatch(/^HTTP\/1\.1 100 /);
    connection.write(bytes.subarray(-2));
    expect(statusesIn(await answersOn(connection))).toEqual([202]);
  });
});

test('a replica that leaves answers once more on each connection, and then it is over: no delivery meets a door that shuts', async () => {
  let leaving = false;
  const { socket } = await openRoutes(always(ACCEPTED), { leaving: () => leaving });
  const line = await socket();
  const said = answersOn(line);
  line.write(rawPost('/webhook/github', '{}'));
  await once(line, 'data');
  leaving = true;
  line.write(rawPost('/webhook/github', '{}'));
  expect(statusesIn(await said)).toEqual([202, 202]);
});
