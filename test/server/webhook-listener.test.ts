/**
 * The listener for webhooks alone, by itself and in a replica (rows E3, E4, E12): what is on it and what is not, a port that is
 * taken, senders that never finish, and where deliveries are taken under each event engine.
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import type { App } from '../../src/app.ts';
import { createLog, type Log } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { createHttpApp } from '../../src/server/http-app.ts';
import { createWebhookListener, type WebhookListener } from '../../src/server/webhook-listener.ts';
import { webhookRoutes } from '../../src/server/webhook-routes.ts';
import { openDir, runCli } from '../cli/run-cli.ts';
import { load } from '../config/load-text.ts';
import { SECRET, sentIssue } from '../ingress/deliveries/deliveries.ts';
import { startApp } from '../support/app.ts';
import { FAST, markFresh, REPOSITORY, silentLog, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { answersOn, type Door, doorOf, type Post, type Receiver, rawPost, statusesIn } from './webhook-posts.ts';

const redis = useRedis();
const NEVER = new AbortController().signal;
const accepting: Receiver = { receive: async () => ({ kind: 'accepted', delivery: 'github:api:d1' }) };

/** A receiver that takes everything, once it is told to. */
function openGate(): { readonly receiver: Receiver; begun(): boolean; open(): void } {
  let begun = false;
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    begun: () => begun,
    open,
    receiver: {
      async receive(request) {
        begun = true;
        await opened;
        return await accepting.receive(request);
      },
    },
  };
}

function listenerOn(
  port: number,
  {
    receiver = accepting,
    requestTimeoutMs,
    log = silentLog,
  }: { receiver?: Receiver; requestTimeoutMs?: number; log?: Log } = {},
): WebhookListener {
  const mount = webhookRoutes({ receiver: () => receiver, log: silentLog }, { path: '/webhook' });
  const options = { host: '127.0.0.1', port, retryMs: 10, ...(requestTimeoutMs && { requestTimeoutMs }) };
  const listener = createWebhookListener(mount, options, log);
  onTestFinished(listener.close);
  return listener;
}

async function occupy(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return server;
}

async function leave(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

const isTaken = (port: number): Promise<boolean> =>
  doorOf(port)
    .socket()
    .then(
      () => true,
      () => false,
    );

test('takes deliveries, and there is nothing else on it', async () => {
  const port = await freePort();
  const listener = listenerOn(port);
  expect(listener.state()).toEqual({ problem: 'not started' });
  await listener.start();
  expect(listener.state()).toBe('up');
  const { post } = doorOf(port);
  expect(await post('/webhook/github', { body: '{}' })).toMatchObject({ status: 202 });
  expect(await post(`/webhook/github/${'x'.repeat(5_000)}`, { body: '{}' })).toMatchObject({ status: 202 });
  for (const path of ['/', '/health', '/health/ready', '/metrics', '/api/deliveries', '/webhook']) {
    const notFound = { status: 404, json: { error: 'not found' } };
    expect(await post(path, { method: 'GET' })).toMatchObject(notFound);
    expect(await post(path, { body: '{}', headers: { 'content-type': 'application/json' } })).toMatchObject(notFound);
  }
});

test('a port that is taken is told of in words, without the address', async () => {
  const port = await freePort();
  await occupy(port);
  const listener = listenerOn(port);
  await expect(listener.start()).rejects.toThrow(`listen for webhooks on port ${port} (webhooks.listen_port): `);
  expect(listener.state()).toEqual({ problem: `port ${port} cannot be listened on (EADDRINUSE)` });
});

test('tries until the port is free, and warns once', async () => {
  const port = await freePort();
  const other = await occupy(port);
  const lines = new PassThrough();
  const log = createLog({ level: 'debug', redactor: createRedactor(), destination: lines });
  const listener = listenerOn(port, { log });
  const trying = listener.keepTrying(NEVER);
  let text = '';
  const told = (level: number) => text.split(`"level":${level}`).length - 1;
  await until('it has failed twice', () => {
    text += String(lines.read() ?? '');
    return told(20) > 0;
  });
  await leave(other);
  await trying;
  expect(told(40)).toBe(1);
  expect(listener.state()).toBe('up');
  expect(await doorOf(port).post('/webhook/github', { body: '{}' })).toMatchObject({ status: 202 });
});

test.each(['its signal', 'closing it'])('stops trying by %s, and leaves the port alone', async (by) => {
  const port = await freePort();
  const other = await occupy(port);
  const listener = listenerOn(port);
  const stopping = new AbortController();
  const trying = listener.keepTrying(stopping.signal);
  await until('it has failed', () => JSON.stringify(listener.state()).includes('EADDRINUSE'));
  if (by === 'its signal') stopping.abort();
  else await listener.close();
  await trying;
  await leave(other);
  expect(await isTaken(port)).toBe(false);
});

test('closed while it opens: the port is free afterwards', async () => {
  const port = await freePort();
  const listener = listenerOn(port);
  const trying = listener.keepTrying(NEVER);
  await listener.close();
  await trying;
  expect(listener.state()).toEqual({ problem: 'closed' });
  expect(await isTaken(port)).toBe(false);
});

test('two of them on one port: the second one takes over when the first is closed', async () => {
  const port = await freePort();
  const [first, second] = [listenerOn(port), listenerOn(port)];
  await first.start();
  const trying = second.keepTrying(NEVER);
  await until('the second has failed', () => JSON.stringify(second.state()).includes('EADDRINUSE'));
  expect(first.state()).toBe('up');
  await first.close();
  await trying;
  expect([first.state(), second.state()]).toEqual([{ problem: 'closed' }, 'up']);
});

test('closing answers what has begun', async () => {
  const gate = openGate();
  const port = await freePort();
  const listener = listenerOn(port, { receiver: gate.receiver });
  await listener.start();
  const answer = doorOf(port).post('/webhook/github', { body: '{}' });
  await until('it has begun', () => gate.begun());
  const closing = listener.close();
  gate.open();
  expect(await answer).toMatchObject({ status: 202 });
  await closing;
});

test('a sender that never finishes is cut off, one that waits for its answer is not', async () => {
  const gate = openGate();
  const port = await freePort();
  const listener = listenerOn(port, { requestTimeoutMs: 200, receiver: gate.receiver });
  await listener.start();
  const door = doorOf(port);
  const patient = door.post('/webhook/github', { body: '{}' });
  await until('it has begun', () => gate.begun());
  const whole = rawPost('/webhook/github', 'x'.repeat(100));
  const slow = [whole.subarray(0, -1), whole.subarray(0, 20), Buffer.of()].map(async (bytes) => {
    const connection = await door.socket();
    connection.write(bytes);
    return statusesIn(await answersOn(connection));
  });
  // Told why, unless what it had sent was still on the way.
  for (const told of await Promise.all(slow)) expect([[408], []]).toContainEqual(told);
  gate.open();
  expect(await patient).toMatchObject({ status: 202 });
});

test('senders that never finish are cut off on either listener, after half a minute', () => {
  const { server } = createHttpApp();
  expect([server.requestTimeout, server.headersTimeout]).toEqual([30_000, 30_000]);
});

/** A replica in this process, with one project on an emulated GitHub. */
async function openReplica(
  yaml: string,
): Promise<{ readonly app: App; readonly main: Door; reload(more: string): Promise<void> }> {
  const hub = await startHub();
  await markFresh(redis.url);
  const url = hub.pageUrl(REPOSITORY);
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url, PATH: process.env['PATH'] ?? '' };
  const configOf = (text: string, secret = SECRET) =>
    load(
      `projects:
  api:
    tickets: { type: GitHub, url: "${url}", auth: token }
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }
    webhook: { secret: ${secret} }
pipelines: { fix-bug: { command: ['true'] } }
${text}`,
      env,
    );
  const { app, port } = await startApp(await configOf(yaml), {
    timing: { ...FAST, listenAgainMs: 20, lingerMs: 1, deliveryWriteMs: 10_000 },
  });
  const main = doorOf(port);
  await until('Redis is there', () => webhooksOf(app).reason !== 'waits for redis');
  return { app, main, reload: async (secret) => app.reload(await configOf(yaml, secret)) };
}

const webhooksOf = (app: App) =>
  app.health().subsystems.find(({ name }) => name === 'webhooks') ?? expect.fail('no webhooks in /health');

function delivery(secret = SECRET): Required<Pick<Post, 'headers'>> & { readonly body: Buffer } {
  const { headers, body } = sentIssue({ repository: REPOSITORY, secret });
  return { headers: { ...headers } as Record<string, string>, body };
}

test('with a listener of its own in the configuration, deliveries are taken there and nowhere else; a reload does not touch it', async () => {
  const port = await freePort();
  const { app, main, reload } = await openReplica(`webhooks: { listen_port: ${port}, webhook_path: /hooks }`);
  const own = doorOf(port);
  expect((await own.post('/hooks/github', delivery())).status).toBe(200);
  for (const path of ['/webhook/github', '/hooks/github']) expect((await main.post(path, delivery())).status).toBe(404);
  expect((await own.post('/webhook/github', delivery())).status).toBe(404);
  expect((await own.post('/health', { method: 'GET' })).status).toBe(404);
  expect((await main.post('/health', { method: 'GET' })).status).toBe(200);

  const connection = await own.socket();
  const { headers, body } = delivery('another-secret');
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`);
  const bytes = rawPost('/hooks/github', body, [...lines, 'Connection: close']);
  connection.write(bytes.subarray(0, 50));
  await reload('another-secret');
  const said = answersOn(connection);
  connection.write(bytes.subarray(50));
  expect(statusesIn(await said)).toEqual([200]);
  expect((await own.post('/hooks/github', delivery())).status).toBe(401);
  expect(webhooksOf(app)).toMatchObject({ state: 'up' });
});

test('event_engine polling: 404 with the reason, nothing stored, and the second port is not opened', async () => {
  const port = await freePort();
  const { app, main } = await openReplica(`event_engine: polling\nwebhooks: { listen_port: ${port} }`);
  const answer = await main.post('/webhook/github', delivery());
  expect(answer).toMatchObject({ status: 404, json: { error: 'webhooks are not enabled here' } });
  expect(await main.post('/webhook/github/api', delivery())).toEqual(answer);
  expect(await isTaken(port)).toBe(false);
  expect(await redis.client.keys('agentsmith:delivery*')).toEqual([]);
  expect(webhooksOf(app)).toMatchObject({ state: 'disabled' });
});

test('event_engine auto: a port that is taken is told of in /health while the replica polls, and it comes back', async () => {
  const port = await freePort();
  const other = await occupy(port);
  const { app, main } = await openReplica(`event_engine: auto\nwebhooks: { listen_port: ${port} }`);
  expect((await main.post('/health', { method: 'GET' })).status).toBe(200);
  const problem = `port ${port} cannot be listened on (EADDRINUSE)`;
  await until('/health says so', () => webhooksOf(app).reason.includes(problem));
  expect(webhooksOf(app)).toMatchObject({ state: 'degraded' });
  await until('it polls', () => app.health().findings.some(({ code }) => code === 'event-engine-fallback'));
  expect(app.health().projects).toMatchObject([{ engine: { effective: 'polling', reason: 'listener-down' } }]);
  await leave(other);
  await until('it listens', () => webhooksOf(app).state === 'up');
  expect((await doorOf(port).post('/webhook/github', delivery())).status).toBe(200);
  await until('it streams', () => !app.health().findings.some(({ code }) => code === 'event-engine-fallback'));
});

test('event_engine streaming: a port that is taken ends agent-smith server with exit 2 and the setting in words', async () => {
  const port = await freePort();
  await occupy(port);
  const hub = await startHub();
  const dir = await openDir(`projects:
  api:
    tickets: { type: GitHub, url: "${hub.pageUrl(REPOSITORY)}", auth: token }
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    webhook: { secret: ${SECRET} }
pipelines: { fix-bug: { command: ['true'] } }
event_engine: streaming
webhooks: { listen_port: ${port} }
`);
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url };
  const args = ['server', '--host', '127.0.0.1', '--port', String(await freePort())];
  const { code, stderr } = await runCli(args, { dir, env });
  expect(stderr).toContain(`port ${port} (webhooks.listen_port): listen EADDRINUSE`);
  expect(stderr).not.toMatch(/--port|^ {4}at /m);
  expect(code).toBe(2);
});
