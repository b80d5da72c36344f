/**
 * The emulator driven by the real client library as it comes, without our transport: what it gets from a GitLab, and what
 * it does wrong with that. Whoever updates the library sees here which of its defects are gone.
 */
import { GitbeakerRequestError, GitbeakerRetryError, Gitlab } from '@gitbeaker/rest';
import { expect, test } from 'vitest';
import { GITLAB_ROUTES, type GitLabEmulator } from '../../../src/emulators/gitlab/gitlab-emulator.ts';
import { json, startLoopbackServer } from '../../support/loopback-server.ts';
import { PROJECT, runningEmulator } from './running-emulator.ts';

const clientOf = ({ url }: GitLabEmulator, token = 'writer-secret') =>
  new Gitlab({ host: url.replace('/api/v4', ''), oauthToken: token });

const inProject = { projectId: PROJECT };

test('the real client reaches every route', async () => {
  const gitlab = await runningEmulator();
  const { Issues, IssueNotes, IssueLabelEvents, ProjectLabels, Projects, Users, PersonalAccessTokens } =
    clientOf(gitlab);
  const { ProjectHooks } = clientOf(gitlab, 'maintainer-secret');

  expect(await Issues.create(PROJECT, 'One', { labels: 'Bug' })).toMatchObject({
    iid: 1,
    author: { username: 'smith' },
  });
  expect(await Issues.show(1, inProject)).toMatchObject({ title: 'One', state: 'opened', labels: ['Bug'] });
  expect(await Issues.all({ ...inProject, labels: 'Bug' })).toHaveLength(1);
  const edited = await Issues.edit(PROJECT, 1, { addLabels: 'a, b', removeLabels: 'Bug,nothing' });
  expect(edited.labels).toEqual(['a', 'b']);
  expect(await ProjectLabels.create(PROJECT, 'y', '#aabbcc')).toMatchObject({ name: 'y', color: '#aabbcc' });
  expect(await ProjectLabels.show(PROJECT, 'y')).toMatchObject({ color: '#aabbcc' });
  expect((await ProjectLabels.all(PROJECT)).map(({ name }) => name)).toEqual(['Bug', 'a', 'b', 'y']);
  await ProjectLabels.remove(PROJECT, 'y');
  expect(await IssueNotes.create(PROJECT, 1, 'Hi')).toMatchObject({ body: 'Hi', system: false });
  expect((await IssueNotes.all(PROJECT, 1)).map(({ body }) => body)).toEqual(['Hi']);
  const labelEvents = await IssueLabelEvents.all(PROJECT, 1);
  expect(labelEvents.map(({ action, label }) => `${action} ${label.name}`)).toEqual([
    'add Bug',
    'add a',
    'add b',
    'remove Bug',
  ]);
  expect(await Projects.show(PROJECT)).toMatchObject({
    path_with_namespace: PROJECT,
    permissions: { project_access: { access_level: 30 }, group_access: null },
  });
  expect(await Users.showCurrentUser()).toMatchObject({ username: 'smith' });
  expect(await PersonalAccessTokens.show()).toMatchObject({ scopes: ['api'], active: true });
  const moved = await Issues.move(PROJECT, 1, gitlab.projectId('group/other'));
  expect(moved).toMatchObject({ iid: 1, labels: ['a', 'b'], references: { full: 'group/other#1' } });
  expect(await Issues.show(1, inProject)).toMatchObject({ state: 'closed', moved_to_id: moved.id });

  const hook = Number(gitlab.addWebhook(PROJECT, { url: 'http://127.0.0.1:9/' }));
  expect(await ProjectHooks.all(PROJECT)).toMatchObject([{ id: hook, alert_status: 'executable' }]);
  gitlab.openIssue(PROJECT);
  await gitlab.webhooks.settled();
  // The client has no methods for these.
  const events = `${encodeURIComponent(PROJECT)}/hooks/${hook}/events`;
  const { body } = await ProjectHooks.requester.get(events);
  expect(body).toMatchObject([{ id: 1, trigger: 'issue_hooks', response_status: 'internal error' }]);
  const resent = await ProjectHooks.requester.post(`${events}/1/resend`);
  expect(resent).toMatchObject({ status: 201, body: { response_status: 200 } });

  const reached = gitlab.ledger.totals().byOperation;
  expect(GITLAB_ROUTES.map(({ operation }) => operation).filter((operation) => !reached.has(operation))).toEqual([]);
});

test('the client speaks to a server below a path', async () => {
  const gitlab = await runningEmulator({ pathPrefix: '/code/gitlab' });
  gitlab.openIssue(PROJECT);
  expect(await clientOf(gitlab).Issues.show(1, inProject)).toMatchObject({ web_url: gitlab.issue(`${PROJECT}#1`).url });
});

test.each([{}, { pagination: 'keyset' }] as const)('the client walks all pages in one call (%o)', async (paging) => {
  const gitlab = await runningEmulator();
  for (let iid = 1; iid <= 250; iid += 1) gitlab.openIssue(PROJECT, { labels: ['x'] });
  const issues = await clientOf(gitlab).Issues.all({ ...inProject, labels: 'x', perPage: 100, ...paging });
  expect(new Set(issues.map(({ iid }) => iid)).size).toBe(250);
  expect(gitlab.ledger.totals().requests).toBe(3);
});

test('an `or` filter is sent by the client and ignored by the server, which answers everything', async () => {
  const gitlab = await runningEmulator();
  for (const label of ['a', 'b', 'c']) gitlab.openIssue(PROJECT, { labels: [label] });
  const { Issues } = clientOf(gitlab);
  const either = { ...inProject, or: { labels: ['a', 'b'] } };
  expect(await Issues.all(either)).toHaveLength(3);
  expect(gitlab.ledger.requests().at(-1)?.path).toContain('or%5Blabels%5D');
  expect(await Issues.all({ ...inProject, labels: 'a,b' })).toHaveLength(0);
});

test.each([429, 502])('known defect: the client sends a post that is answered %d ten times', async (status) => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT);
  gitlab.faults.inject(
    {},
    { kind: 'apply-then-answer', status, body: 'Retry later\n', headers: { 'retry-after': '60' } },
  );
  const post = clientOf(gitlab).IssueNotes.create(PROJECT, 1, 'once');
  await expect(post).rejects.toThrow(GitbeakerRetryError);
  expect(gitlab.ledger.requests({ operation: 'notes/create' })).toHaveLength(10);
  expect(gitlab.issue(`${PROJECT}#1`).comments).toHaveLength(10);
});

test('known defect: a PRIVATE-TOKEN follows a redirect to another origin, an Authorization does not', async () => {
  await using other = await startLoopbackServer((_, response) => json(response, 200, { iid: 1 }));
  const gitlab = await runningEmulator();
  gitlab.faults.inject({}, { kind: 'redirect', location: `${other.origin}/elsewhere` });
  const host = gitlab.url.replace('/api/v4', '');
  await new Gitlab({ host, token: 'writer-secret' }).Issues.show(1, inProject);
  await new Gitlab({ host, oauthToken: 'writer-secret' }).Issues.show(1, inProject);
  const sent = other.requests.map(({ headers }) => [headers['private-token'], headers.authorization]);
  expect(sent).toEqual([
    ['writer-secret', undefined],
    [undefined, undefined],
  ]);
});

test('the client shows a refusal with the words of the server', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT);
  const refused = clientOf(gitlab, 'reader-secret').Issues.edit(PROJECT, 1, { addLabels: 'x' });
  await expect(refused).rejects.toThrow(GitbeakerRequestError);
  await expect(refused).rejects.toThrow('insufficient_scope');
  await expect(clientOf(gitlab, 'nobody').Users.showCurrentUser()).rejects.toThrow('401 Unauthorized');
  await expect(clientOf(gitlab, 'narrow-secret').Issues.show(1, inProject)).rejects.toThrow('404 Project Not Found');
});

test('the client follows the redirect of a moved project for reads, and is refused for writes', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT, { title: 'Still here' });
  gitlab.renameProject(PROJECT, 'elsewhere/api');
  const { Issues } = clientOf(gitlab);
  expect(await Issues.show(1, inProject)).toMatchObject({
    title: 'Still here',
    references: { full: 'elsewhere/api#1' },
  });
  await expect(Issues.edit(PROJECT, 1, { addLabels: 'x' })).rejects.toThrow('Non GET methods are not allowed');
  expect(gitlab.issue('elsewhere/api#1').labels).toEqual([]);
});
