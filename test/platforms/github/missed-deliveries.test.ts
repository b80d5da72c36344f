/** What GitHub could not deliver, asked of the emulator through the real client. */
import { expect, onTestFinished, test } from 'vitest';
import { createGitHubEmulator, type GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { TokenOptions } from '../../../src/emulators/github/tokens.ts';
import type { Credential } from '../../../src/platforms/descriptor.ts';
import { openGitHubMissedDeliveries } from '../../../src/platforms/github/missed-deliveries.ts';
import { githubWebhook } from '../../../src/platforms/github/webhook.ts';
import type { MissedAnswer, MissedQuestion } from '../../../src/platforms/missed-deliveries.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import type { WebhookMessage } from '../../../src/platforms/webhook.ts';
import { type WebhookReceiver, webhookReceiver } from '../../emulators/webhook-receiver.ts';
import { callOf } from '../conformance/calls.ts';
import { missedQuestion } from '../missed-question.ts';
import { APP_ID, startAppHub } from './app-hub.ts';
import { failure, TOKEN } from './connected.ts';

type Look = (more?: Partial<MissedQuestion>) => Promise<MissedAnswer>;

function asking(hub: GitHubEmulator, { url }: WebhookReceiver, credential: Credential): Look {
  const source = { platform: 'github', host: new URL(hub.url).host, container: 'org/repo', apiUrl: hub.url };
  const transport = createTransport({ credentialId: 'bot', origin: hub.url });
  const missed = openGitHubMissedDeliveries({ source, tickets: {}, credential, transport });
  const isOurs = (hookUrl: string): boolean => hookUrl === url;
  return (more = {}) => missed.look(missedQuestion(source, { isOurs, ...more }), callOf({ purpose: 'repair' }));
}

interface Hooked {
  readonly hub: GitHubEmulator;
  readonly receiver: WebhookReceiver;
  /** Id of the hook of `org/repo`. */
  readonly hook: string;
  readonly clock: { nowMs: number };
  readonly look: Look;
}

/** A repository whose hook sends to us, and has been pinged. */
async function hooked(token: Partial<TokenOptions> = {}): Promise<Hooked> {
  const clock = { nowMs: Date.now() };
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, ...token } },
    repositories: ['org/repo', 'org/other'],
    nowMs: () => clock.nowMs,
  });
  await hub.start();
  onTestFinished(() => hub.close());
  const receiver = await webhookReceiver();
  const hook = hub.addWebhook('org/repo', { url: receiver.url });
  await hub.webhooks.settled();
  receiver.received.length = 0;
  return { hub, receiver, hook, clock, look: asking(hub, receiver, { kind: 'token', token: TOKEN }) };
}

/** Opens issues while we answer with this status. @returns the guids of their deliveries */
async function openDuring({ hub, receiver }: Pick<Hooked, 'hub' | 'receiver'>, status: number, times = 1) {
  const before = receiver.received.length;
  receiver.status = status;
  for (let time = 0; time < times; time += 1) {
    hub.openIssue('org/repo');
    await hub.webhooks.settled();
  }
  receiver.status = 202;
  return arrived(receiver).slice(before);
}

const messages = ({ received }: WebhookReceiver): WebhookMessage[] =>
  received.map((request) => githubWebhook.read(request));
const arrived = (receiver: WebhookReceiver): (string | undefined)[] => messages(receiver).map(({ id }) => id);
const guids = ({ missed }: MissedAnswer): string[] => missed.map(({ id }) => id);

/** Has all of it sent once more. */
async function recover(hub: GitHubEmulator, { missed }: MissedAnswer): Promise<void> {
  for (const delivery of missed) expect(await delivery.again(callOf())).toBeUndefined();
  await hub.webhooks.settled();
}

test('what failed is found, the oldest first, and sent again under the same id; then it is no longer missed', async () => {
  const at = await hooked();
  await openDuring(at, 202);
  const failed = await openDuring(at, 503, 3);
  const answer = await at.look();
  expect(guids(answer)).toEqual(failed);
  expect(answer).toMatchObject({ truncated: false, hooks: [{ id: at.hook, state: 'active' }] });
  expect(answer.hooks[0]?.detail).toContain('503');
  expect(answer.missed.map(({ hook }) => hook)).toEqual([at.hook, at.hook, at.hook]);

  at.receiver.received.length = 0;
  await recover(at.hub, answer);
  expect(messages(at.receiver).map(({ id, hook, news }) => ({ id, hook, news }))).toMatchObject([
    { id: failed[0], hook: at.hook, news: { ticketIds: ['2'] } },
    { id: failed[1], hook: at.hook, news: { ticketIds: ['3'] } },
    { id: failed[2], hook: at.hook, news: { ticketIds: ['4'] } },
  ]);
  expect(guids(await at.look())).toEqual([]);
});

test('ids of deliveries beyond the safe integers keep every digit', async () => {
  const at = await hooked();
  await openDuring(at, 503);
  await recover(at.hub, await at.look());
  const { path = '' } = at.hub.ledger.requests().findLast(({ method }) => method === 'POST') ?? {};
  const [, id = ''] = /deliveries\/(\d+)\/attempts$/.exec(path) ?? [];
  expect(BigInt(id)).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
});

test('what failed again is still missed, at the time of its first attempt', async () => {
  const at = await hooked();
  const atMs = Math.floor(at.clock.nowMs / 1000) * 1000;
  const failed = await openDuring(at, 503);
  at.clock.nowMs += 60_000;
  at.receiver.status = 500;
  await recover(at.hub, await at.look());
  const answer = await at.look();
  expect(guids(answer)).toEqual(failed);
  expect(answer.missed[0]?.atMs).toBe(atMs);
});

test('a redirect that was not followed, and no answer at all, are failures too', async () => {
  const at = await hooked();
  const failed = await openDuring(at, 302);
  at.hub.webhooks.spoil('drop', 1);
  at.hub.openIssue('org/repo');
  await at.hub.webhooks.settled();
  const answer = await at.look();
  expect(guids(answer)[0]).toBe(failed[0]);
  expect(answer.missed).toHaveLength(2);
});

test('nothing older is asked for, no more is handed out than asked for, and that there is more is said', async () => {
  const at = await hooked();
  await openDuring(at, 503);
  at.clock.nowMs += 60_000;
  const failed = await openDuring(at, 503, 2);
  const sinceMs = at.clock.nowMs - 30_000;
  const answer = await at.look({ sinceMs, most: 1 });
  expect({ ids: guids(answer), truncated: answer.truncated }).toEqual({ ids: failed.slice(0, 1), truncated: true });
  expect(guids(await at.look({ sinceMs, most: 2 }))).toEqual(failed);
});

test('a long list is read page by page', async () => {
  const at = await hooked();
  at.hub.webhooks.spoil('drop');
  const { ticket } = at.hub.openIssue('org/repo');
  for (let count = 0; count < 249; count += 1) at.hub.comment(ticket, 'Hello');
  await at.hub.webhooks.settled();
  expect(new Set(guids(await at.look({ most: 1_000 }))).size).toBe(250);
  expect(at.hub.ledger.totals().byOperation.get('repos/list-webhook-deliveries')).toBe(3);
});

test('a hook that is switched off, or sends no issues, is told of, and without its address', async () => {
  const at = await hooked();
  at.hub.switchWebhook('org/repo', at.hook, false);
  const deaf = at.hub.addWebhook('org/repo', { url: at.receiver.url, events: ['push'] });
  await at.hub.webhooks.settled();
  const { hooks } = await at.look();
  expect(hooks).toMatchObject([
    { id: at.hook, state: 'disabled', detail: expect.stringContaining('Active') },
    { id: deaf, state: 'active', detail: expect.stringContaining('select it') },
  ]);
  expect(JSON.stringify(hooks)).not.toContain(at.receiver.url);
});

test.each([
  ['a classic token without a scope for webhooks', { scopes: ['public_repo'] }, 'not-found'],
  ['a classic token whose account does not own the repository', { scopes: ['repo'], webhooks: 'none' }, 'not-found'],
  ['a fine-grained token without the permission', { webhooks: 'none' }, 'auth'],
] as const)('%s may not look', async (_, token, kind) => {
  const { look } = await hooked(token);
  expect(await failure(look())).toMatchObject({ kind, effect: 'none' });
});

test('a hook that we refuse is failing and says so, until a delivery is taken; an outage of ours is no refusal', async () => {
  const at = await hooked();
  const stateAfter = async (status: number) => {
    await openDuring(at, status);
    return (await at.look()).hooks;
  };
  expect(await stateAfter(401)).toMatchObject([
    { state: 'failing', detail: expect.stringContaining('compare its secret') },
  ]);
  expect(await stateAfter(404)).toMatchObject([{ state: 'failing' }]);
  expect(await stateAfter(503)).toMatchObject([{ state: 'active' }]);
  expect(await stateAfter(202)).toMatchObject([{ state: 'active' }]);
});

test('who may only read webhooks can look, and have nothing sent again', async () => {
  const at = await hooked({ webhooks: 'read' });
  await openDuring(at, 503);
  const [missed] = (await at.look()).missed;
  expect(await failure(missed?.again(callOf()) ?? Promise.resolve())).toMatchObject({ kind: 'auth', status: 403 });
});

async function hookedApp(installation: Parameters<typeof startAppHub>[0] = {}) {
  const { hub, keyFile } = await startAppHub(installation);
  const receiver = await webhookReceiver();
  const credential = { kind: 'app', appId: String(APP_ID), installationId: '7', privateKeyFile: keyFile } as const;
  return { hub, receiver, look: asking(hub, receiver, credential) };
}

test('the hook of an App is asked with its own signature, for what happened in this repository alone', async () => {
  const { hub, receiver, look } = await hookedApp();
  const hook = hub.addAppWebhook('agent-smith', { url: receiver.url });
  expect(await look()).toMatchObject({ hooks: [{ state: 'active' }], missed: [] });
  receiver.status = 503;
  hub.openIssue('org/other');
  await hub.webhooks.settled();
  const [failed] = await openDuring({ hub, receiver }, 503);
  const answer = await look();
  expect(answer.hooks).toMatchObject([{ id: hook, state: 'active' }]);
  expect(answer.missed).toMatchObject([{ id: failed, hook }]);
  expect(messages(receiver).at(-1)).toMatchObject({ id: failed, hook });
  await recover(hub, answer);
  expect(arrived(receiver).at(-1)).toBe(failed);
  expect(await look()).toMatchObject({ missed: [] });
});

test('an App whose installation may look at webhooks sees those of the repository, too', async () => {
  const { hub, receiver, look } = await hookedApp({ webhooks: 'write' });
  hub.addAppWebhook('agent-smith', { url: receiver.url });
  const hook = hub.addWebhook('org/repo', { url: receiver.url });
  await openDuring({ hub, receiver }, 503);
  const { hooks, missed } = await look();
  expect(hooks).toHaveLength(2);
  expect(missed.map((one) => one.hook)).toContain(hook);
});

test('an App with no hook of its own that may not look at others says so', async () => {
  const { look } = await hookedApp();
  expect(await failure(look())).toMatchObject({ kind: 'auth', status: 403 });
});
