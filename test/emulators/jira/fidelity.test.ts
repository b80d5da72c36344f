/** The real jira.js against the emulator, without our transport; its own schemas judge every answer. */
import {
  addComment,
  editIssue,
  getChangeLogs,
  getComments,
  getCurrentUser,
  getIssue,
  getMyPermissions,
  getProject,
  searchAndReconsileIssuesUsingJql,
  searchAndReconsileIssuesUsingJqlPost,
} from 'jira.js/cloud';
import { isApiError } from 'jira.js/core';
import { expect, test } from 'vitest';
import { jiraClient, runningEmulator } from './running-emulator.ts';

const JQL = 'project = "ABC" AND labels in ("fix", "more") ORDER BY created ASC';

test('every answer that clients of labels need is as the library describes it', async () => {
  const jira = await runningEmulator({ pageLimit: 2 });
  const { client, mismatches } = jiraClient(jira);
  for (let n = 0; n < 3; n += 1) jira.openIssue('ABC', { description: 'It fails', labels: ['fix'], by: 'alice' });

  expect(await getCurrentUser(client)).toMatchObject({ accountId: 'smith', emailAddress: 'smith@example.com' });
  expect(await getProject(client, { projectIdOrKey: 'ABC' })).toMatchObject({ key: 'ABC' });
  const { permissions } = await getMyPermissions(client, {
    permissions: 'BROWSE_PROJECTS,EDIT_ISSUES',
    projectKey: 'ABC',
  });
  expect(permissions).toMatchObject({ EDIT_ISSUES: { havePermission: true } });

  const first = await searchAndReconsileIssuesUsingJqlPost(client, { jql: JQL, fields: ['labels'], maxResults: 100 });
  expect(first).toMatchObject({ isLast: false, issues: [{ key: 'ABC-1' }, { key: 'ABC-2' }] });
  const nextPageToken = first.nextPageToken ?? '';
  const last = await searchAndReconsileIssuesUsingJql(client, { jql: JQL, fields: ['labels'], nextPageToken });
  expect(last).toMatchObject({ isLast: true, issues: [{ key: 'ABC-3', fields: { labels: ['fix'] } }] });
  expect(last.nextPageToken).toBeUndefined();

  const labels = [{ add: 'agent-smith:enqueued' }, { remove: 'fix' }, { remove: 'absent' }];
  expect(await editIssue(client, { issueIdOrKey: 'ABC-1', update: { labels } })).toBeUndefined();
  const edited: unknown = await editIssue(client, { issueIdOrKey: 'ABC-1', returnIssue: true, update: { labels } });
  expect(edited).toMatchObject({ key: 'ABC-1', fields: { labels: ['agent-smith:enqueued'] } });
  expect(await getIssue(client, { issueIdOrKey: 'ABC-1', fields: ['*all'], expand: 'changelog' })).toMatchObject({
    fields: { summary: 'A ticket', status: { statusCategory: { key: 'new' } } },
    changelog: { histories: [{ author: { accountId: 'smith' } }] },
  });
  expect(await getChangeLogs(client, { issueIdOrKey: 'ABC-1', maxResults: 10 })).toMatchObject({
    total: 1,
    values: [{ items: [{ field: 'labels', fromString: 'fix', toString: 'agent-smith:enqueued' }] }],
  });

  const paragraph = { type: 'paragraph', content: [{ type: 'text', text: 'Done.' }] };
  await addComment(client, { issueIdOrKey: 'ABC-1', body: { type: 'doc', version: 1, content: [paragraph] } });
  expect(await getComments(client, { issueIdOrKey: 'ABC-1', orderBy: '-created' })).toMatchObject({
    total: 1,
    comments: [{ author: { accountId: 'smith' } }],
  });
  expect(jira.issue('ABC-1').comments).toEqual([{ login: 'smith', body: 'Done.' }]);
  expect(mismatches).toEqual([]);
});

test('a search shows ids alone unless fields are asked for', async () => {
  const jira = await runningEmulator({ pageLimit: 1 });
  const { client, mismatches } = jiraClient(jira);
  const ids = [1, 2, 3].map(() => ({ id: jira.openIssue('ABC', { labels: ['fix'] }).id }));
  expect(await searchAndReconsileIssuesUsingJqlPost(client, { jql: JQL })).toEqual({ issues: ids, isLast: true });
  expect(mismatches).toEqual([]);
});

test('the library is told its errors as Jira tells them', async () => {
  const jira = await runningEmulator();
  jira.openIssue('ABC');
  const { client } = jiraClient(jira);
  const reader = jiraClient(jira, 'reader', 'reader-secret').client;
  const stranger = jiraClient(jira, 'smith', 'guess').client;
  const update = { labels: [{ add: 'a b' }] };
  const refusals = [
    [() => getCurrentUser(stranger), 401, 'Client must be authenticated to access this resource.'],
    [
      () => getIssue(client, { issueIdOrKey: 'ABC-9' }),
      404,
      'Issue does not exist or you do not have permission to see it.',
    ],
    [() => getProject(client, { projectIdOrKey: 'NO' }), 404, "No project could be found with key 'NO'."],
    [
      () => editIssue(client, { issueIdOrKey: 'ABC-1', update }),
      400,
      "The label 'a b' contains spaces which is invalid.",
    ],
    [
      () => editIssue(reader, { issueIdOrKey: 'ABC-1', update }),
      400,
      'It is not on the appropriate screen, or unknown.',
    ],
    [
      () => searchAndReconsileIssuesUsingJqlPost(client, { jql: 'ORDER BY key' }),
      400,
      'Unbounded JQL queries are not allowed',
    ],
    [
      () => searchAndReconsileIssuesUsingJqlPost(client, { jql: 'project = "NO"' }),
      400,
      "does not exist for the field 'project'",
    ],
    [
      () => client.sendRequest({ url: '/rest/api/3/search', method: 'POST', body: { jql: JQL } }),
      410,
      'has been removed',
    ],
  ] as const;
  for (const [refusal, status, words] of refusals) {
    const error: unknown = await refusal().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(isApiError(error)).toBe(true);
    expect(error).toMatchObject({ status, message: expect.stringContaining(words) });
  }
});
