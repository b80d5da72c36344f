/** Each endpoint of the emulator, driven by the real client over HTTP. */
import { createAppAuth } from '@octokit/auth-app';
import { Octokit } from '@octokit/rest';
import { expect, test } from 'vitest';
import { GITHUB_ROUTES } from '../../../src/emulators/github/github-emulator.ts';
import { webhookReceiver } from '../webhook-receiver.ts';
import { APP_ID, APP_KEY, octokit, runningEmulator } from './running-emulator.ts';

const repo = { owner: 'org', repo: 'api' };

test('the real client reaches every route', async () => {
  const github = await runningEmulator();
  const { rest } = octokit(github);
  const first = { ...repo, issue_number: 1 };

  expect((await rest.issues.create({ ...repo, title: 'One', labels: ['Bug'] })).data.number).toBe(1);
  expect((await rest.issues.get(first)).data).toMatchObject({ title: 'One', user: { login: 'smith' } });
  expect((await rest.issues.listForRepo({ ...repo, labels: 'bug' })).data).toHaveLength(1);
  expect((await rest.issues.update({ ...first, body: 'Text' })).data.body).toBe('Text');
  const names = async (answer: Promise<{ data: { name: string }[] }>): Promise<string[]> =>
    (await answer).data.map((label) => label.name);
  expect(await names(rest.issues.addLabels({ ...first, labels: ['bug', 'a/b c%'] }))).toEqual(['Bug', 'a/b c%']);
  expect(await names(rest.issues.removeLabel({ ...first, name: 'a/b c%' }))).toEqual(['Bug']);
  expect(await names(rest.issues.setLabels({ ...first, labels: ['x'] }))).toEqual(['x']);
  expect(await names(rest.issues.listLabelsOnIssue(first))).toEqual(['x']);
  expect((await rest.issues.removeAllLabels(first)).status).toBe(204);
  expect((await rest.issues.createLabel({ ...repo, name: 'y', color: 'aabbcc' })).status).toBe(201);
  expect((await rest.issues.getLabel({ ...repo, name: 'Y' })).data.color).toBe('aabbcc');
  expect(await names(rest.issues.listLabelsForRepo(repo))).toEqual(['Bug', 'a/b c%', 'x', 'y']);
  expect((await rest.issues.createComment({ ...first, body: 'Hi' })).data.body).toBe('Hi');
  expect((await rest.issues.listComments(first)).data.map((comment) => comment.body)).toEqual(['Hi']);
  const events = (await rest.issues.listEvents(first)).data;
  expect(events.map((event) => event.event).slice(0, 3)).toEqual(['labeled', 'labeled', 'unlabeled']);
  const branches = { head: 'change', base: 'main' };
  const pull = (await rest.pulls.create({ ...repo, ...branches, title: 'A change' })).data;
  expect((await rest.pulls.get({ ...repo, pull_number: pull.number })).data).toMatchObject({ title: 'A change' });
  expect((await rest.pulls.list({ ...repo, head: 'org:change' })).data).toHaveLength(1);
  expect((await rest.repos.get(repo)).data.permissions).toMatchObject({ push: true });
  expect((await rest.users.getAuthenticated()).data.login).toBe('smith');
  expect((await rest.rateLimit.get()).data.resources.core.limit).toBe(5000);
  expect((await rest.meta.get()).status).toBe(200);

  const appClient = new Octokit({
    authStrategy: createAppAuth,
    auth: { appId: APP_ID, privateKey: APP_KEY, installationId: 7 },
    baseUrl: github.url,
  });
  const app = appClient.rest.apps;
  expect((await app.getAuthenticated()).data?.slug).toBe('agent-smith');
  expect((await app.getInstallation({ installation_id: 7 })).data.permissions).toEqual({
    metadata: 'read',
    issues: 'write',
  });
  expect((await app.listReposAccessibleToInstallation()).data.repositories[0]?.full_name).toBe('org/api');

  const { url } = await webhookReceiver();
  const hook = { ...repo, hook_id: Number(github.addWebhook('org/api', { url })) };
  github.addAppWebhook('agent-smith', { url });
  github.addLabel('org/api#1', 'z');
  await github.webhooks.settled();
  expect((await rest.repos.listWebhooks(repo)).data).toMatchObject([{ id: hook.hook_id, config: { url } }]);
  const [sent] = (await rest.repos.listWebhookDeliveries({ ...hook, per_page: 1 })).data;
  // The client reads ids beyond the safe integers as BigInt, which its types do not know and its paths cannot spell.
  const ofHook = `/repos/org/api/hooks/${hook.hook_id}/deliveries/${sent?.id}`;
  const client = octokit(github);
  expect((await client.request(`GET ${ofHook}`)).data).toMatchObject({
    id: sent?.id,
    event: 'issues',
    action: 'labeled',
  });
  expect((await client.request(`POST ${ofHook}/attempts`)).status).toBe(202);
  expect((await app.getWebhookConfigForApp()).data.url).toBe(url);
  const [ofApp] = (await app.listWebhookDeliveries()).data;
  const path = `/app/hook/deliveries/${ofApp?.id}`;
  expect((await appClient.request(`GET ${path}`)).data).toMatchObject({ installation_id: 7 });
  expect((await appClient.request(`POST ${path}/attempts`)).status).toBe(202);

  const reached = github.ledger.totals().byOperation;
  expect(GITHUB_ROUTES.map((route) => route.operation).filter((operation) => !reached.has(operation))).toEqual([]);
});

test('the client pages through a listing to its end', async () => {
  const github = await runningEmulator();
  for (let number = 1; number <= 250; number += 1) github.openIssue('org/api', { labels: ['x'] });
  const client = octokit(github);
  const issues = await client.paginate(client.rest.issues.listForRepo, { ...repo, labels: 'x', per_page: 100 });
  expect(new Set(issues.map((issue) => issue.number)).size).toBe(250);
  expect(github.ledger.totals().requests).toBe(3);
});

test('the client follows a renamed repository', async () => {
  const github = await runningEmulator();
  github.openIssue('org/api', { title: 'Moved' });
  github.renameRepository('org/api', 'org/renamed');
  const { rest } = octokit(github);
  expect((await rest.issues.get({ ...repo, issue_number: 1 })).data.title).toBe('Moved');
  await rest.issues.addLabels({ ...repo, issue_number: 1, labels: ['x'] });
  expect(github.issue('org/renamed#1').labels).toEqual(['x']);
});

test('the client sees a 304 as an error without data', async () => {
  const github = await runningEmulator();
  const { rest } = octokit(github);
  const { etag } = (await rest.issues.listForRepo(repo)).headers;
  const again = rest.issues.listForRepo({ ...repo, headers: { 'if-none-match': etag } });
  await expect(again).rejects.toMatchObject({ status: 304 });
});
