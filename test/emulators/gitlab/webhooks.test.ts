/** What is GitLab's own in the emulator's webhooks; that they tell what happens is shown by the conformance suite. */
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { GitLabEmulator } from '../../../src/emulators/gitlab/gitlab-emulator.ts';
import { gitlabWebhook } from '../../../src/platforms/gitlab/webhook.ts';
import type { WebhookMessage } from '../../../src/platforms/webhook.ts';
import { webhookReceiver } from '../webhook-receiver.ts';
import { ask, PROJECT, runningEmulator } from './running-emulator.ts';

const TICKET = `${PROJECT}#1`;

async function hooked(options = {}) {
  const receiver = await webhookReceiver();
  const gitlab = await runningEmulator(options);
  gitlab.addWebhook(PROJECT, { url: receiver.url, secret: 's' });
  return { receiver, gitlab, told: tellerOf(gitlab, receiver.received) };
}

/** What was told by what `act` does. */
function tellerOf(gitlab: GitLabEmulator, received: Parameters<typeof gitlabWebhook.read>[0][]) {
  return async (act: () => unknown): Promise<WebhookMessage[]> => {
    received.length = 0;
    await act();
    await gitlab.webhooks.settled();
    return received.map(gitlabWebhook.read);
  };
}

test('of an issue that moves is told that it is closed here, and opened there', async () => {
  const { gitlab, receiver, told } = await hooked();
  gitlab.addWebhook('group/other', { url: receiver.url });
  await told(() => gitlab.openIssue(PROJECT, { labels: ['fix'] }));
  const moved = await told(() => gitlab.moveIssue(TICKET, 'group/other'));
  expect(moved.toSorted((a, b) => String(a.action).localeCompare(String(b.action)))).toMatchObject([
    { action: 'close', place: { container: PROJECT }, news: { ticketIds: ['1'], open: false } },
    { action: 'open', place: { container: 'group/other' }, news: { ticketIds: ['1'], labels: ['fix'], open: true } },
  ]);
});

test('what changes nothing is not told, nor is that an issue was deleted', async () => {
  const { gitlab, told } = await hooked();
  await told(() => gitlab.openIssue(PROJECT, { labels: ['fix'] }));
  const nothing = await told(() => {
    gitlab.addLabel(TICKET, 'fix');
    gitlab.removeLabel(TICKET, 'other');
    gitlab.reopenIssue(TICKET);
    gitlab.deleteIssue(TICKET);
  });
  expect(nothing).toEqual([]);
});

test('what is written through the API is told too: labels in one event, for each project its own', async () => {
  const { gitlab, told } = await hooked();
  await told(() => gitlab.openIssue(PROJECT, { labels: ['fix', 'old'] }));
  const writer = ask(gitlab);
  const edit = { add_labels: 'agent-smith:enqueued', remove_labels: 'old' };
  const issues = `/projects/${encodeURIComponent(PROJECT)}/issues`;
  const messages = await told(() => writer(`${issues}/1`, { method: 'PUT', body: edit }));
  expect(messages).toMatchObject([
    { news: { added: ['agent-smith:enqueued'], removed: ['old'], labels: ['fix', 'agent-smith:enqueued'] } },
  ]);
  expect(await told(() => writer(`${issues}/1/notes`, { method: 'POST', body: { body: 'Hi' } }))).toHaveLength(1);
  expect(await told(() => writer(`${issues}/1`, { method: 'PUT', body: { title: 'Other' } }))).toMatchObject([
    { action: 'update' },
  ]);
  expect(await told(() => gitlab.openIssue('group/other'))).toEqual([]);
});

test('tasks and incidents are told as work items', async () => {
  const { gitlab, told } = await hooked();
  expect(await told(() => gitlab.openIssue(PROJECT, { type: 'task' }))).toMatchObject([
    { event: 'work_item', action: 'open', news: { ticketIds: ['1'] } },
  ]);
});

test('a plain secret is sent along, a signing token signs, and without a secret there is no proof', async () => {
  const receiver = await webhookReceiver();
  const gitlab = await runningEmulator();
  const signingToken = `whsec_${randomBytes(32).toString('base64')}`;
  for (const secret of ['plain', signingToken]) gitlab.addWebhook(PROJECT, { url: receiver.url, secret });
  gitlab.addWebhook(PROJECT, { url: receiver.url });
  gitlab.openIssue(PROJECT, { title: 'Größe' });
  await gitlab.webhooks.settled();
  const proofs = receiver.received.map((request) =>
    ['plain', signingToken].map((secret) => gitlabWebhook.provesSecret(request, secret)),
  );
  expect(proofs).toHaveLength(3);
  expect(proofs).toEqual(
    expect.arrayContaining([
      [false, false],
      [false, true],
      [true, false],
    ]),
  );
  const ids = receiver.received.map((request) => gitlabWebhook.read(request).id);
  expect(new Set(ids).size).toBe(3);
  expect(receiver.received[0]?.headers).toMatchObject({
    'content-type': 'application/json',
    'x-gitlab-event': 'Issue Hook',
    'x-gitlab-instance': gitlab.url.replace('/api/v4', ''),
  });
});

test('a hook is held back after the fourth failure, longer each time, and one success makes it good', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { gitlab, receiver, told } = await hooked({ nowMs: () => nowMs });
  const maintainer = ask(gitlab, 'maintainer-secret');
  const hook = async () => {
    const [shown] = (await (await maintainer(`/projects/${encodeURIComponent(PROJECT)}/hooks`)).json()) as object[];
    return shown;
  };
  const happen = () => told(() => gitlab.openIssue(PROJECT));
  receiver.status = 500;
  for (let n = 0; n < 4; n += 1) expect(await happen()).toHaveLength(1);
  expect(await hook()).toMatchObject({
    alert_status: 'temporarily_disabled',
    disabled_until: '2026-01-01T00:01:00.000Z',
  });
  expect(await happen()).toEqual([]);
  nowMs += 60_001;
  expect(await hook()).toMatchObject({ alert_status: 'executable' });
  expect(await happen()).toHaveLength(1);
  nowMs += 60_001;
  expect(await happen()).toEqual([]);
  nowMs += 60_001;
  receiver.status = 200;
  expect(await happen()).toHaveLength(1);
  receiver.status = 500;
  expect(await happen()).toHaveLength(1);
  expect(await hook()).toMatchObject({ alert_status: 'executable', disabled_until: null });
});

test('events are listed for maintainers, newest first, with tokens redacted and for a week', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { gitlab, told } = await hooked({ nowMs: () => nowMs });
  await told(() => gitlab.openIssue(PROJECT));
  nowMs += 1_000;
  await told(() => gitlab.comment(TICKET, 'Hi'));
  const events = `/projects/${encodeURIComponent(PROJECT)}/hooks/1/events`;
  const maintainer = ask(gitlab, 'maintainer-secret');
  const list = async () => (await maintainer(events)).json();
  expect(await list()).toMatchObject([
    { id: 2, trigger: 'note_hooks', response_status: '202', request_data: { object_kind: 'note' } },
    { id: 1, trigger: 'issue_hooks', request_headers: { 'X-Gitlab-Token': '[REDACTED]' } },
  ]);
  nowMs += 7 * 86_400_000 - 500;
  expect(await list()).toMatchObject([{ id: 2 }]);
  expect((await maintainer(`${events}?per_page=21`)).status).toBe(400);
  expect((await maintainer(events.replace('/1/', '/7/'))).status).toBe(404);
  expect((await maintainer(`${events}/7/resend`, { method: 'POST' })).status).toBe(404);
  expect((await ask(gitlab)(events)).status).toBe(403);
});

test('nothing is sent any more once the server is closed', async () => {
  const { gitlab, receiver } = await hooked();
  gitlab.webhooks.spoil('hold');
  gitlab.openIssue(PROJECT);
  await gitlab.close();
  gitlab.webhooks.mend();
  await gitlab.webhooks.settled();
  expect(receiver.received).toEqual([]);
  await gitlab.start();
  gitlab.openIssue(PROJECT);
  await gitlab.webhooks.settled();
  expect(receiver.received).toHaveLength(1);
});
