/** What is Azure DevOps' own in the emulator's webhooks: subscriptions, their details, and what failures lead to. */
import { expect, onTestFinished, test } from 'vitest';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import {
  type AzureDevOpsEmulatorOptions,
  createAzureDevOpsEmulator,
} from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from '../../../src/emulators/azuredevops/azuredevops-project.ts';
import type { SubscriptionSettings } from '../../../src/emulators/azuredevops/webhooks.ts';
import { azureDevOpsWebhook } from '../../../src/platforms/azuredevops/webhook.ts';
import type { WebhookMessage } from '../../../src/platforms/webhook.ts';
import { watch } from '../../support/watched-source.ts';
import { webhookReceiver } from '../webhook-receiver.ts';

const SECRET = 'a-secret-of-the-hook';

/** An emulator, and a receiver that answers with these statuses one after the other, and with 202 from then on. */
async function hooked(statuses: number[] = [], options: AzureDevOpsEmulatorOptions = {}) {
  const receiver = await webhookReceiver();
  receiver.statuses.push(...statuses);
  const server = createAzureDevOpsEmulator({
    tokens: { smith: { token: 'pat' } },
    collections: { org: ['Shop', 'Elsewhere'], 'tfs/Default Collection': ['Shop'] },
    webhooks: { pauseScale: 0 },
    ...options,
  });
  await server.start();
  onTestFinished(() => server.close());
  const { url } = receiver;
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
  ownComment: false,
  ...more,
});

test('a work item that comes out of the recycle bin is told of as it is then', async () => {
  const { server, url, sent } = await hooked();
  server.openWorkItem('org', 'Shop', { labels: ['keep'] });
  server.deleteWorkItem('org#1');
  server.addWebhook('org', 'Shop', { url, secret: SECRET });
  server.restoreWorkItem('org#1');
  expect(newsOf(await sent())).toEqual([{ event: 'workitem.restored', news: news() }]);
});

test('the place on a server of one’s own is that of the source that watches it', async () => {
  const { server, url, sent } = await hooked();
  const place = { organization: 'tfs/Default Collection', project: 'Shop' };
  const project = azureDevOpsProject(server, place, 'pat');
  project.addWebhook({ url, secret: SECRET });
  project.openTicket();
  const { host, container, scope } = watch(project).source;
  expect((await sent()).map((message) => message.place)).toMatchObject([{ host, container, scope }]);
});

test('each kind of event has a subscription of its own, each project too, and none is told of another', async () => {
  const { server, subscribe, sent } = await hooked();
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
  const { server, receiver, url, subscribe, sent } = await hooked();
  const proofs = new Map([
    [subscribe(), 'authorization'],
    [subscribe({ secretAs: 'header' }), 'x-agentsmith-secret'],
    [server.subscribe('org', 'Shop', { url, eventType: 'workitem.updated' }), undefined],
  ]);
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'fix');
  expect(await sent()).toHaveLength(3);
  for (const { headers } of receiver.received) {
    const proof = proofs.get(String(headers['x-vss-subscriptionid']));
    expect(Object.keys(headers).filter((name) => [...proofs.values()].includes(name))).toEqual(proof ? [proof] : []);
    const proves = (secret: string) => azureDevOpsWebhook.provesSecret({ headers, body: Buffer.alloc(0) }, secret);
    expect([proves(SECRET), proves('another')]).toEqual([proof !== undefined, false]);
  }
});

test('with minimal details there is an id, with none no ticket', async () => {
  const { server, subscribe, sent } = await hooked();
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
  const { server, subscribe, sent } = await hooked([503, 502, 504, 408, 503, 503, 503, 503]);
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'fix');
  const messages = await sent();
  expect(messages).toHaveLength(9);
  expect(new Set(messages.map((message) => JSON.stringify(message))).size).toBe(1);
  expect(server.subscription(id)).toMatchObject({
    status: 'enabled',
    notifications: [{ result: 'succeeded', attempts: 9, status: 202 }],
  });
});

test('so is a road that swallows it; what never arrives has failed, and puts the subscription on probation', async () => {
  const { server, subscribe, sent } = await hooked();
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.webhooks.spoil('drop', 2);
  server.addTag('org#1', 'a');
  expect(await sent()).toHaveLength(3);
  server.webhooks.spoil('drop');
  server.addTag('org#1', 'b');
  expect(await sent()).toHaveLength(9);
  expect(server.subscription(id)).toMatchObject({
    status: 'onProbation',
    notifications: [{}, { result: 'failed' }],
  });
});

test('any other error puts it on probation at once, in which events are lost, until a try succeeds', async () => {
  const { server, subscribe, sent } = await hooked([500, 429, 200]);
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'a');
  expect(await sent()).toHaveLength(1);
  server.addTag('org#1', 'lost');
  expect(await sent()).toEqual([]);
  server.probeSubscription(id);
  expect(await sent()).toMatchObject([{ news: { added: ['a'] } }]);
  expect(server.subscription(id)).toMatchObject({ status: 'onProbation', probationRetries: 1 });
  server.probeSubscription(id);
  await sent();
  expect(server.subscription(id)).toMatchObject({ status: 'enabled', probationRetries: 0 });
  server.addTag('org#1', 'b');
  expect(await sent()).toMatchObject([{ news: { added: ['b'] } }]);
});

test('410 disables it, and so do seven failed tries on probation, until somebody enables it', async () => {
  const { server, subscribe, sent } = await hooked([410, 401, 401, 401, 401, 401, 401, 401, 401]);
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'a');
  await sent();
  expect(server.subscription(id).status).toBe('disabledBySystem');
  server.enableSubscription(id);
  server.addTag('org#1', 'b');
  await sent();
  expect(server.subscription(id).status).toBe('onProbation');
  for (let tries = 0; tries < 7; tries += 1) {
    server.probeSubscription(id);
    await sent();
  }
  expect(server.subscription(id).status).toBe('disabledBySystem');
  server.addTag('org#1', 'c');
  expect(await sent()).toEqual([]);
});

test('closing the server gives up what waits to be tried again: it has failed', async () => {
  const { server, subscribe, receiver } = await hooked([503], { webhooks: { pauseScale: 60 } });
  const id = subscribe();
  server.openWorkItem('org', 'Shop');
  server.addTag('org#1', 'a');
  while (server.webhooks.attempts().length === 0) await new Promise((resolve) => setImmediate(resolve));
  await server.close();
  expect(server.subscription(id).notifications).toMatchObject([{ result: 'failed', attempts: 1 }]);
  expect(receiver.received).toHaveLength(1);
});
