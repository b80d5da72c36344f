/** The emulated trackers side by side, and what people do there over HTTP, on every platform alike. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { startControlServer } from '../../src/emulators/control-server.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../src/emulators/sites.ts';
import { json, type LoopbackServer, startLoopbackServer } from '../support/loopback-server.ts';

async function open(platforms: readonly string[]): Promise<{ sites: readonly Site[]; call: Call }> {
  const sites = await openSites(platforms);
  const control = await startControlServer(sites, 0);
  onTestFinished(async () => {
    await Promise.all([control.close(), ...sites.map((site) => site.close())]);
  });
  return {
    sites,
    call: async (method, path, body) => {
      const headers = { connection: 'close', 'content-type': 'application/json' };
      const answer = await fetch(control.url + path, {
        method,
        ...(body === undefined ? { headers: { connection: 'close' } } : { headers, body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    },
  };
}

type Call = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown }>;

const ticketView = z.object({
  ticket: z.string(),
  id: z.string(),
  labels: z.array(z.string()).transform((labels) => labels.toSorted()),
  open: z.boolean(),
});

test('there is a site for each platform, and each knows its own', async () => {
  const { sites } = await open(EMULATED_PLATFORMS);
  expect(sites.map(({ platform }) => platform)).toEqual(['github', 'gitlab', 'azuredevops', 'jira']);
  for (const { platform, project } of sites) {
    expect(project.platform).toBe(platform);
    expect(Object.keys(project.environment)).not.toEqual([]);
  }
});

test('a platform without an emulator is refused, and what was opened before it is closed', async () => {
  await expect(openSites(['github', 'bugzilla'])).rejects.toThrow('no emulator of bugzilla: there are github,');
});

test('a port that is taken is an error with its code, and what was opened before it is closed', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const opening = openSites(['github', 'gitlab'], (platform) => (platform === 'gitlab' ? { port } : {}));
  await expect(opening).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

describe.each(EMULATED_PLATFORMS)('people on %s', (platform) => {
  test('open, label, comment on, close and delete tickets, and it is in the ledger', async () => {
    const { sites, call } = await open([platform]);
    const project = sites[0]?.project;
    const opened = await call('POST', `/${platform}/tickets`, { title: 'One', labels: ['bug'], by: 'mia' });
    expect(opened).toMatchObject({ status: 201, body: { title: 'One', labels: ['bug'], open: true } });
    const { ticket, id } = ticketView.parse(opened.body);
    const at = `/${platform}/tickets/${encodeURIComponent(ticket)}`;

    const labelled = await call('POST', `${at}/labels`, { labels: ['agent-smith', 'agent-smith:pending'] });
    expect(ticketView.parse(labelled.body).labels).toEqual(['agent-smith', 'agent-smith:pending', 'bug']);
    const unlabelled = await call('DELETE', `${at}/labels/agent-smith%3Apending?by=mia`);
    expect(ticketView.parse(unlabelled.body).labels).toEqual(['agent-smith', 'bug']);
    expect((await call('POST', `${at}/comments`, { body: 'Hello', by: 'mia' })).body).toMatchObject({
      comments: [{ login: 'mia', body: expect.stringContaining('Hello') }],
    });
    expect((await call('POST', `${at}/close`)).body).toMatchObject({ open: false });
    expect((await call('POST', `${at}/reopen`, { by: 'mia' })).body).toMatchObject({ open: true });
    expect((await call('GET', `/${platform}/tickets/${id}`)).body).toMatchObject({ ticket });
    expect((await call('GET', `/${platform}/tickets`)).body).toHaveLength(1);

    const { body: changes } = await call('GET', `/${platform}/ledger?kind=label&last=2`);
    expect(changes).toMatchObject([{ added: ['agent-smith:pending'] }, { removed: ['agent-smith:pending'] }]);
    expect(project?.ledger.comments(ticket)).toHaveLength(1);

    expect(await call('DELETE', at)).toMatchObject({ status: 204 });
    expect(await call('GET', at)).toMatchObject({ status: 404, body: { error: expect.stringContaining(ticket) } });
  });
});

/** Somebody who takes every webhook. */
async function listen(): Promise<LoopbackServer> {
  const server = await startLoopbackServer((request, response) => {
    request.resume().on('end', () => json(response, 202, { state: 'received' }));
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

const attemptView = z.object({
  hook: z.string(),
  id: z.string(),
  event: z.string(),
  attempt: z.number(),
  status: z.number().nullable(),
  at: z.iso.datetime(),
  answer: z.string(),
});

test.each(EMULATED_PLATFORMS)(
  'a webhook registered at %s is sent what people do, and shows its answers',
  async (platform) => {
    const { sites, call } = await open([platform]);
    const listener = await listen();
    const hook = { url: `${listener.origin}/hook`, secret: 'a secret' };
    expect(await call('POST', `/${platform}/webhooks`, hook)).toMatchObject({
      status: 201,
      body: { hook: expect.any(String) },
    });
    await call('POST', `/${platform}/tickets`, { title: 'One' });
    await sites[0]?.project.webhooks.settled();

    const { body } = await call('GET', `/${platform}/webhooks/attempts`);
    const attempts = z.array(attemptView).parse(body);
    expect(attempts.at(-1)).toMatchObject({ attempt: 1, status: 202, answer: '{"state":"received"}' });
    expect(listener.requests).toHaveLength(attempts.length);
    expect((await call('GET', `/${platform}/webhooks/attempts?last=1`)).body).toEqual(attempts.slice(-1));
  },
);

test('the road of webhooks loses, doubles and keeps back deliveries until it is mended', async () => {
  const { sites, call } = await open(['gitlab']);
  const listener = await listen();
  await call('POST', '/gitlab/webhooks', { url: listener.origin });
  const openOne = async (): Promise<unknown> => {
    await call('POST', '/gitlab/tickets', { title: 'One' });
    await sites[0]?.project.webhooks.settled();
    return (await call('GET', '/gitlab/webhooks/attempts')).body;
  };

  const lossOfOne = { fault: 'drop', times: 1 };
  expect((await call('PUT', '/gitlab/webhooks/road', lossOfOne)).body).toEqual(lossOfOne);
  expect(await openOne()).toMatchObject([{ status: null }]);
  expect(await openOne()).toMatchObject([{ status: null }, { status: 202 }]);
  await call('PUT', '/gitlab/webhooks/road', { fault: 'double' });
  expect(await openOne()).toHaveLength(4);
  await call('PUT', '/gitlab/webhooks/road', { fault: 'hold' });
  expect(await openOne()).toHaveLength(4);
  await call('PUT', '/gitlab/webhooks/road', { fault: 'none' });
  expect(await openOne()).toHaveLength(6);
  expect(listener.requests).toHaveLength(5);
});

test('faults are injected, counted and cleared; the control server itself is never hit', async () => {
  const { sites, call } = await open(['github']);
  const url = sites[0]?.server.url ?? '';
  const ask = async (): Promise<number> => (await fetch(`${url}/user`, { headers: { connection: 'close' } })).status;
  const fault = { match: { path: '/user$', times: 2 }, fault: { kind: 'answer', status: 503, body: 'down' } };
  expect((await call('POST', '/github/faults', fault)).status).toBe(201);
  expect(await ask()).toBe(503);
  expect((await call('GET', '/github/faults')).body).toEqual([{ ...fault, hits: 1 }]);
  expect((await call('DELETE', '/github/faults')).status).toBe(204);
  expect(await ask()).toBe(401);
  expect((await call('GET', '/github/ledger?kind=request')).body).toMatchObject([
    { status: 503, fault: 'answer' },
    { status: 401, operation: 'users/get-authenticated' },
  ]);
});

test('a tracker goes down and comes back at its address with all that it held', async () => {
  const { sites, call } = await open(['github']);
  const url = sites[0]?.server.url ?? '';
  await call('POST', '/github/tickets', { title: 'One' });
  expect((await call('PUT', '/github/server', { up: false })).body).toEqual({ up: false });
  await expect(fetch(url)).rejects.toThrow('fetch failed');
  expect((await call('GET', '/github/tickets')).body).toHaveLength(1);
  await call('PUT', '/github/server', { up: false });
  await call('PUT', '/github/server', { up: true });
  expect((await fetch(url, { headers: { connection: 'close' } })).status).toBeGreaterThan(0);
});

test.each([
  ['POST', '/github/tickets', { titel: 'One' }, 400, 'titel'],
  ['POST', '/github/faults', { fault: { kind: 'explode' } }, 400, 'kind'],
  ['POST', '/github/faults', { match: { path: '(' }, fault: { kind: 'cut' } }, 400, 'match.path'],
  ['GET', '/github/ledger?kind=rumour', undefined, 400, 'kind'],
  ['POST', '/github/webhooks', { url: 'localhost:8081/webhook/github' }, 400, 'url'],
  ['GET', '/github/webhooks/attempts?last=0', undefined, 400, 'last'],
  ['PUT', '/github/webhooks/road', { fault: 'none', times: 1 }, 400, 'times'],
  ['PUT', '/github/webhooks/road', { fault: 'dropp' }, 400, 'fault'],
  ['GET', '/github/tickets/4711', undefined, 404, 'no ticket 4711'],
  ['GET', '/gitlab/tickets', undefined, 404, 'GET / says what there is'],
])('%s %s with a mistake says what is wrong', async (method, path, body, status, words) => {
  const { call } = await open(['github']);
  expect(await call(method, path, body)).toMatchObject({ status, body: { error: expect.stringContaining(words) } });
});
