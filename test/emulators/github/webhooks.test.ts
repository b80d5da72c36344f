/** The emulator's deliveries against the official description of webhooks, and what becomes of them. */
import { expect, test } from 'vitest';
import type { GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { WebhookRequest } from '../../../src/platforms/webhook.ts';
import { webhookReceiver } from '../webhook-receiver.ts';
import { loadWebhookJudge } from './official-webhooks.ts';
import { octokit, runningEmulator } from './running-emulator.ts';

const judge = loadWebhookJudge();
const repo = { owner: 'org', repo: 'api' };

interface Delivered {
  /** As the description calls it: `issues/labeled`, `ping`. */
  readonly name: string;
  readonly headers: WebhookRequest['headers'];
  readonly payload: Record<string, unknown>;
}

function delivered({ headers, body }: WebhookRequest): Delivered {
  const payload = JSON.parse(body.toString()) as Record<string, unknown>;
  const event = String(headers['x-github-event']).replaceAll('_', '-');
  return { name: typeof payload.action === 'string' ? `${event}/${payload.action}` : event, headers, payload };
}

/** Everything that happens to tickets, by people. */
function everything(github: GitHubEmulator): void {
  github.addRepository('org/elsewhere');
  const { ticket } = github.openIssue('org/api', { body: 'Text', labels: ['bug'] });
  github.removeLabel(ticket, 'bug');
  github.editIssue(ticket, { title: 'Other', body: 'Other' });
  github.comment(ticket, 'Hello');
  github.closeIssue(ticket);
  github.reopenIssue(ticket);
  github.transferIssue(ticket, 'org/elsewhere');
  github.transferIssue(github.openIssue('org/elsewhere').ticket, 'org/api');
  github.deleteIssue(github.openIssue('org/api').ticket);
  const pull = github.openIssue('org/api', { isPullRequest: true, body: 'Fixes #1', labels: ['bug'] }).ticket;
  github.comment(pull, 'Hello');
  github.removeLabel(pull, 'bug');
  github.editIssue(pull, { title: 'Other' });
  github.closeIssue(pull);
  github.reopenIssue(pull);
}

test('every delivery is as the official description says, headers included', async () => {
  const github = await runningEmulator();
  const receiver = await webhookReceiver();
  github.addWebhook('org/api', { url: receiver.url, secret: 'sesame' });
  github.addAppWebhook('agent-smith', { url: receiver.url, secret: 'sesame' });
  everything(github);
  await github.webhooks.settled();
  const all = receiver.received.map(delivered);
  expect([...new Set(all.map(({ name }) => name))].toSorted()).toEqual([
    'issue-comment/created',
    'issues/closed',
    'issues/deleted',
    'issues/edited',
    'issues/labeled',
    'issues/opened',
    'issues/reopened',
    'issues/transferred',
    'issues/unlabeled',
    'ping',
    'pull-request/closed',
    'pull-request/edited',
    'pull-request/labeled',
    'pull-request/opened',
    'pull-request/reopened',
    'pull-request/unlabeled',
  ]);
  for (const { name, headers, payload } of all) {
    expect(`${name}: ${judge.problems(name, payload)}`).toBe(`${name}: `);
    expect(judge.headers(name).filter((header) => !(header in headers))).toEqual([]);
  }
  const apps = all.filter(({ headers }) => headers['x-github-hook-installation-target-type'] === 'integration');
  expect(apps.length).toBeGreaterThan(20);
  expect(apps.filter(({ payload }) => payload.installation === undefined)).toEqual([]);
});

test('the judge rejects a missing and an invented field', () => {
  expect(judge.problems('issues/labeled', { action: 'labeled' })).toContain('required property');
  expect(judge.problems('ping', { zen: 'x', hook_id: 7, koan: 'y' })).toContain('additional properties');
});

test('what a token changes is told of as well, label by label', async () => {
  const github = await runningEmulator();
  const receiver = await webhookReceiver();
  github.openIssue('org/api');
  github.addWebhook('org/api', { url: receiver.url, events: ['issues', 'issue_comment'] });
  const { issues } = octokit(github).rest;
  await issues.addLabels({ ...repo, issue_number: 1, labels: ['a', 'b'] });
  await issues.removeLabel({ ...repo, issue_number: 1, name: 'a' });
  await issues.createComment({ ...repo, issue_number: 1, body: 'Hi' });
  await github.webhooks.settled();
  const told = receiver.received.map(delivered);
  expect(told.map(({ name }) => name).toSorted()).toEqual([
    'issue-comment/created',
    'issues/labeled',
    'issues/labeled',
    'issues/unlabeled',
    'ping',
  ]);
  expect(told.every(({ payload }) => name(payload.sender) === 'smith' || payload.zen !== undefined)).toBe(true);
});

const name = (sender: unknown): unknown => (sender as { readonly login?: unknown } | undefined)?.login;

test('only the events that a hook asks for, of its own repository', async () => {
  const github = await runningEmulator();
  const receiver = await webhookReceiver();
  github.addRepository('org/elsewhere');
  github.addWebhook('org/api', { url: receiver.url, events: ['issue_comment'] });
  for (const where of ['org/api', 'org/elsewhere']) github.comment(github.openIssue(where).ticket, 'Hello');
  await github.webhooks.settled();
  expect(receiver.received.map((request) => delivered(request).name).toSorted()).toEqual([
    'issue-comment/created',
    'ping',
  ]);
});

test('two hooks are told of one event under the same id', async () => {
  const github = await runningEmulator();
  const receiver = await webhookReceiver();
  const hooks = [1, 2].map(() => github.addWebhook('org/api', { url: receiver.url, events: ['issues'] }));
  github.openIssue('org/api');
  await github.webhooks.settled();
  const opened = receiver.received.map(delivered).filter((one) => one.name === 'issues/opened');
  expect(new Set(opened.map(({ headers }) => headers['x-github-hook-id']))).toEqual(new Set(hooks));
  expect(new Set(opened.map(({ headers }) => headers['x-github-delivery'])).size).toBe(1);
});

test('a delivery that fails is not sent again by itself, only by request, and listed twice then', async () => {
  const github = await runningEmulator();
  const receiver = await webhookReceiver();
  const hook = { ...repo, hook_id: Number(github.addWebhook('org/api', { url: receiver.url, events: ['issues'] })) };
  await github.webhooks.settled();
  receiver.status = 503;
  github.openIssue('org/api');
  await github.webhooks.settled();
  expect(receiver.received).toHaveLength(2);

  const { rest, request } = octokit(github);
  const [failed] = (await rest.repos.listWebhookDeliveries({ ...hook, status: 'failure' })).data;
  expect(failed).toMatchObject({ status_code: 503, redelivery: false, event: 'issues', action: 'opened' });
  receiver.status = 200;
  const url = `/repos/org/api/hooks/${hook.hook_id}/deliveries/${failed?.id}/attempts`;
  expect((await request({ method: 'POST', url })).status).toBe(202);
  await github.webhooks.settled();
  expect(receiver.received).toHaveLength(3);
  expect(receiver.received[2]).toEqual(receiver.received[1]);
  const listed = (await rest.repos.listWebhookDeliveries(hook)).data;
  expect(listed.map(({ guid, status, redelivery }) => [guid === failed?.guid, status, redelivery])).toEqual([
    [true, 'OK', true],
    [true, 'Invalid HTTP Response: 503', false],
    [false, 'OK', false],
  ]);
});

test('nobody answers in time: the attempt is listed without a status', async () => {
  const github = await runningEmulator({ webhooks: { timeoutMs: 20 } });
  github.faults.inject({ path: /hang/ }, { kind: 'hang' });
  const hook_id = Number(github.addWebhook('org/api', { url: `${github.url}/hang` }));
  await github.webhooks.settled();
  const { data } = await octokit(github).rest.repos.listWebhookDeliveries({ ...repo, hook_id });
  expect(data).toMatchObject([{ event: 'ping', status_code: 0 }]);
});

test('deliveries are forgotten after three days', async () => {
  let nowMs = Date.now();
  const github = await runningEmulator({ nowMs: () => nowMs });
  const receiver = await webhookReceiver();
  const hook_id = Number(github.addWebhook('org/api', { url: receiver.url }));
  await github.webhooks.settled();
  const count = async () => (await octokit(github).rest.repos.listWebhookDeliveries({ ...repo, hook_id })).data.length;
  expect(await count()).toBe(1);
  nowMs += 3 * 24 * 3_600_000 + 1;
  expect(await count()).toBe(0);
});
