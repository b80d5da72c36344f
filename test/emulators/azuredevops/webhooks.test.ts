/** What the emulator's service hooks send, read by the dialect that reads the real ones; and what failures lead to. */
import { expect, onTestFinished, test } from 'vitest';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import {
  type AzureDevOpsEmulatorOptions,
  createAzureDevOpsEmulator,
} from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from '../../../src/emulators/azuredevops/azuredevops-project.ts';
import type { SubscriptionSettings } from '../../../src/emulators/azuredevops/service-hooks.ts';
import { connectAzureDevOps } from '../../../src/platforms/azuredevops/adapter.ts';
import { azureDevOpsWebhook } from '../../../src/platforms/azuredevops/webhook.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import type { WebhookMessage } from '../../../src/platforms/webhook.ts';
import { callOf } from '../../platforms/conformance/calls.ts';
import { startLoopbackServer } from '../../platforms/loopback-server.ts';
import { watch } from '../../support/watched-source.ts';

const SECRET = 'a-secret-of-the-hook';

/** An emulator, and a receiver that answers with these statuses one after the other, and with 202 from then on. */
async function sending(statuses: number[] = [], options: AzureDevOpsEmulatorOptions = {}) {
  const receiver = await startLoopbackServer((request, response) => {
    request.resume().on('end', () => response.writeHead(statuses.shift() ?? 202).end());
  });
  const server = createAzureDevOpsEmulator({
    tokens: { smith: { token: 'pat' } },
    collections: { org: ['Shop', 'Elsewhere'], 'tfs/Default Collection': ['Shop'] },
    webhooks: { retryScale: 1e-6 },
    ...options,
  });
  await server.start();
  onTestFinished(async () => {
    await server.close();
    await receiver[Symbol.asyncDispose]();
  });
  const url = `${receiver.origin}/webhook/azuredevops`;
  let read = 0;
  return {
    server,
    receiver,
    url,
    subscribe: (settings: Partial<SubscriptionSettings> = {}) =>
      server.subscribe('org', 'Shop', { url, secret: SECRET, eventType: 'workitem.updated', ...settings }),
    /** What was sent since it was last asked for. */
    async sent(): Promise<WebhookMessage[]> {
      await server.webhooks.settled();
      const fresh = server.webhooks.attempts().slice(read);
      read += fresh.length;
      return fresh
        .map(({ delivery: { headers, body } }) => azureDevOpsWebhook.read({ headers, body: Buffer.from(body) }))
        .toSorted((one, other) => one.event.localeCompare(other.event));
    },
  };
}

const newsOf = (messages: readonly WebhookMessage[]) => messages.map(({ event, news }) => ({ event, news }));

/** Of the first work item, which has the tag `keep`. */
const news = (more: Partial<TicketNews> = {}): TicketNews => ({
  ticketIds: ['1'],
  about: 'ticket',
  added: [],
  removed: [],
  labels: ['keep'],
  open: undefined,
  ...more,
});

test('everything that happens to work items is told, and told as it was', async () => {
  const { server, url, sent } = await sending();
  server.addWebhook('org', 'Shop', { url, secret: SECRET });
  const after = async (act: () => void) => {
    act();
    return newsOf(await sent());
  };
  expect(await after(() => void server.openWorkItem('org', 'Shop', { labels: ['keep'] }))).toEqual([
    { event: 'workitem.created', news: news({ added: ['keep'] }) },
  ]);
  expect(await after(() => server.addTag('org#1', 'fix'))).toEqual([
    { event: 'workitem.updated', news: news({ added: ['fix'], labels: ['keep', 'fix'] }) },
  ]);
  expect(await after(() => server.removeTag('org#1', 'fix'))).toEqual([
    { event: 'workitem.updated', news: news({ removed: ['fix'] }) },
  ]);
  expect(await after(() => server.comment('org#1', 'Please have a look'))).toEqual([
    { event: 'workitem.commented', news: news({ about: 'comment' }) },
    { event: 'workitem.updated', news: news() },
  ]);
  expect(await after(() => server.setState('org#1', 'Closed'))).toEqual([{ event: 'workitem.updated', news: news() }]);
  expect(await after(() => server.setState('org#1', 'Active'))).toEqual([{ event: 'workitem.updated', news: news() }]);
  expect(await after(() => server.deleteWorkItem('org#1'))).toEqual([
    { event: 'workitem.deleted', news: news({ open: false }) },
  ]);
  expect(await after(() => server.restoreWorkItem('org#1'))).toEqual([{ event: 'workitem.restored', news: news() }]);
});

test.each(['org', 'tfs/Default Collection'])('the place is that of the source that watches it: %s', async (path) => {
  const { server, url, sent } = await sending();
  const project = azureDevOpsProject(server, { organization: path, project: 'Shop' }, 'pat');
  project.addWebhook?.({ url, secret: SECRET });
  project.openTicket();
  const { host, container, scope } = watch(project).source;
  expect((await sent()).map(({ place }) => place)).toMatchObject([{ host, container, scope }]);
});

test('our own writes come back to us, and are known by what they say', async () => {
  const { server, url, sent } = await sending();
  const project = azureDevOpsProject(server, { organization: 'org', project: 'Shop' }, 'pat');
  project.addWebhook?.({ url });
  project.openTicket({ labels: ['keep'] });
  await sent();
  const { source, tickets } = watch(project);
  const transport = createTransport({ credentialId: 'smith', origin: server.url });
  const azure = connectAzureDevOps({ source, tickets, credential: { kind: 'token', token: 'pat' }, transport });
  const ticket = await azure.readTicket('1', callOf());
  await azure.moveLifecycle(ticket, 'enqueued', callOf());
  expect(newsOf(await sent())).toMatchObject([
    { event: 'workitem.updated', news: { added: ['agent-smith:enqueued'] } },
  ]);
  await azure.comment('1', { markdown: 'Done.', marker: '<!-- agent-smith run=01J -->' }, callOf());
  expect(newsOf(await sent())).toMatchObject([
    { event: 'workitem.commented', news: { ownComment: true } },
    { event: 'workitem.updated', news: { ownComment: true } },
  ]);
});

test('each kind of event has a subscription of its own, each project too, and none is told of another', async () => {
  const { server, subscribe, sent } = await sending();
  const updates = subscribe();
  const again = subscribe();
  subscribe({ eventType: 'workitem.deleted' });
  server.openWorkItem('org', 'Shop');
  server.openWorkItem('org', 'Elsewhere');
  server.addTag('org#2', 'fix');
  server.addTag('org#1', 'fix');
  const messages = await sent();
  expect(new Set(messages.map(({ hook }) => hook))).toEqual(new Set([updates, again]));
  // One event, whoever sends it.
  expect(new Set(messages.map(({ id }) => id)).size).toBe(1);
});

test('the secret goes along as a password or as a header, and where there is none nothing proves anything', async () => {
  const { server, receiver, url, subscribe, sent } = await sending();
  const proofs = new Map([
    [subscribe(), 'authorization'],
    [subscribe({ secretAs: 'header' }), 'x-agentsmith-secret'],
    [server.subscribe('org', 'Shop', { url, eventType: 'workitem.updated' }), undefined],
  ]);
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'fix');
  expect(await sent()).toHaveLength(3);
  for (const { headers } of receiver.requests) {
    const proof = proofs.get(String(headers['x-vss-subscriptionid']));
    expect(Object.keys(headers).filter((name) => [...proofs.values()].includes(name))).toEqual(proof ? [proof] : []);
    const proves = (secret: string) => azureDevOpsWebhook.provesSecret({ headers, body: Buffer.alloc(0) }, secret);
    expect([proves(SECRET), proves('another')]).toEqual([proof !== undefined, false]);
  }
});

test('with minimal details there is an id, with none no ticket', async () => {
  const { server, subscribe, sent } = await sending();
  subscribe({ details: 'minimal', eventType: 'workitem.updated' });
  server.openWorkItem('org', 'Shop');
  server.openWorkItem('org', 'Shop');
  server.addTag('org#2', 'fix');
  expect(newsOf(await sent())).toEqual([
    { event: 'workitem.updated', news: news({ ticketIds: ['2'], labels: undefined }) },
  ]);
  subscribe({ details: 'none', eventType: 'workitem.deleted' });
  server.deleteWorkItem('org#2');
  expect(newsOf(await sent())).toEqual([{ event: 'workitem.deleted', news: 'no-ticket' }]);
});

test('what is busy is tried eight times more, and the same each time', async () => {
  const { server, subscribe, sent } = await sending([503, 502, 504, 408, 503, 503, 503, 503]);
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'fix');
  const messages = await sent();
  expect(messages).toHaveLength(9);
  expect(new Set(messages.map((message) => JSON.stringify(message))).size).toBe(1);
  expect(server.hooks.subscription(id)).toMatchObject({
    status: 'enabled',
    notifications: [{ result: 'succeeded', attempts: 9, status: 202 }],
  });
});

test('so is a road that swallows it; what never arrives has failed, and puts the subscription on probation', async () => {
  const { server, subscribe, sent } = await sending();
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.webhooks.spoil('drop', 2);
  server.addTag('org#1', 'a');
  expect(await sent()).toHaveLength(3);
  server.webhooks.spoil('drop');
  server.addTag('org#1', 'b');
  expect(await sent()).toHaveLength(9);
  expect(server.hooks.subscription(id)).toMatchObject({
    status: 'onProbation',
    notifications: [{}, { result: 'failed' }],
  });
});

test('any other error puts it on probation at once, in which events are lost, until a try succeeds', async () => {
  const { server, subscribe, sent } = await sending([500, 429, 200]);
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'a');
  expect(await sent()).toHaveLength(1);
  server.addTag('org#1', 'lost');
  expect(await sent()).toEqual([]);
  server.hooks.probe(id);
  expect(await sent()).toMatchObject([{ news: { added: ['a'] } }]);
  expect(server.hooks.subscription(id)).toMatchObject({ status: 'onProbation', probationRetries: 1 });
  server.hooks.probe(id);
  await sent();
  expect(server.hooks.subscription(id)).toMatchObject({ status: 'enabled', probationRetries: 0 });
  server.addTag('org#1', 'b');
  expect(await sent()).toMatchObject([{ news: { added: ['b'] } }]);
});

test('410 disables it, and so do seven failed tries on probation, until somebody enables it', async () => {
  const { server, subscribe, sent } = await sending([410, 401, 401, 401, 401, 401, 401, 401, 401]);
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'a');
  await sent();
  expect(server.hooks.subscription(id).status).toBe('disabledBySystem');
  server.hooks.enable(id);
  server.addTag('org#1', 'b');
  await sent();
  expect(server.hooks.subscription(id).status).toBe('onProbation');
  for (let tries = 0; tries < 7; tries += 1) {
    server.hooks.probe(id);
    await sent();
  }
  expect(server.hooks.subscription(id).status).toBe('disabledBySystem');
  server.addTag('org#1', 'c');
  expect(await sent()).toEqual([]);
});

test('closing the server gives up what waits to be tried again: it has failed', async () => {
  const { server, subscribe, receiver } = await sending([503], { webhooks: { retryScale: 60 } });
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'a');
  while (server.webhooks.attempts().length === 0) await new Promise((resolve) => setImmediate(resolve));
  await server.close();
  expect(server.hooks.subscription(id).notifications).toMatchObject([{ result: 'failed', attempts: 1 }]);
  expect(receiver.requests).toHaveLength(1);
});
