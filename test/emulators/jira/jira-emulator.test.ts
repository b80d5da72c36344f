import { expect, test } from 'vitest';
import { jiraProject } from '../../../src/emulators/jira/jira-project.ts';
import { ask, runningEmulator } from './running-emulator.ts';

const JQL = 'labels = fix ORDER BY key';

test('the search sees nothing new until the index has caught up, but what is named by its id', async () => {
  const jira = await runningEmulator();
  const { id } = jira.openIssue('ABC', { labels: ['fix'] });
  jira.index.fallBehind();
  jira.removeLabel('ABC-1', 'fix');
  const late = jira.openIssue('ABC', { labels: ['fix'] });
  const found = async (more = {}): Promise<unknown> =>
    (await ask(jira)('/search/jql', { method: 'POST', body: { jql: JQL, ...more } })).json();
  expect(await found()).toMatchObject({ issues: [{ id }] });
  expect(await found({ reconcileIssues: [Number(late.id)] })).toMatchObject({ issues: [{ id }, { id: late.id }] });
  jira.index.catchUp();
  expect(await found()).toEqual({ issues: [{ id: late.id }], isLast: true });
});

test('a page goes on behind an issue that has dropped out of the result, and only for its query', async () => {
  const jira = await runningEmulator({ pageLimit: 1 });
  for (let n = 0; n < 3; n += 1) jira.openIssue('ABC', { labels: ['fix'] });
  const search = async (body: object) =>
    (await ask(jira)('/search/jql', { method: 'POST', body })).json() as Promise<{ nextPageToken: string }>;
  const { nextPageToken } = await search({ jql: JQL, fields: ['labels'] });
  jira.deleteIssue('ABC-1');
  expect(await search({ jql: JQL, fields: ['labels'], nextPageToken })).toMatchObject({ issues: [{ key: 'ABC-2' }] });
  for (const body of [
    { jql: 'labels = more', nextPageToken },
    { jql: JQL, nextPageToken: 'made-up' },
  ]) {
    expect((await ask(jira)('/search/jql', { method: 'POST', body })).status).toBe(400);
  }
});

test('a moved issue keeps its id, and its former key still finds it under the new one', async () => {
  const jira = await runningEmulator();
  const { id } = jira.openIssue('ABC', { labels: ['fix'] });
  jira.moveIssue('ABC-1', 'XYZ');
  for (const name of [id, 'ABC-1', 'XYZ-1']) {
    const response = await ask(jira)(`/issue/${name}`);
    expect(await response.json()).toMatchObject({ id, key: 'XYZ-1', fields: { project: { key: 'XYZ' } } });
  }
  expect((await ask(jira, 'outsider-secret', 'outsider')('/issue/ABC-1')).status).toBe(200);
});

test('what an account may not browse is not there', async () => {
  const jira = await runningEmulator();
  jira.openIssue('ABC', { labels: ['fix'] });
  const outsider = ask(jira, 'outsider-secret', 'outsider');
  expect((await outsider('/issue/ABC-1')).status).toBe(404);
  expect(await (await outsider('/search/jql', { method: 'POST', body: { jql: JQL } })).json()).toMatchObject({
    issues: [],
  });
});

test('labels that are not on the screen for editing cannot be set by anybody', async () => {
  const jira = await runningEmulator();
  jira.openIssue('ABC');
  jira.setLabelsOnEditScreen('ABC', false);
  const edit = () => ask(jira)('/issue/ABC-1', { method: 'PUT', body: { update: { labels: [{ add: 'x' }] } } });
  expect(await (await edit()).json()).toMatchObject({ errors: { labels: expect.stringContaining('cannot be set') } });
  jira.setLabelsOnEditScreen('ABC', true);
  expect((await edit()).status).toBe(204);
});

test.each(['cloud', 'data_center'] as const)(
  '%s: only an administrator may keep mail from people',
  async (deployment) => {
    const jira = await runningEmulator({ deployment });
    jira.openIssue('ABC');
    const edit = { method: 'PUT', body: { update: { labels: [{ add: 'x' }] } } };
    expect((await ask(jira)('/issue/ABC-1?notifyUsers=false', edit)).status).toBe(403);
    expect(jira.issue('ABC-1').labels).toEqual([]);
    expect((await ask(jira)('/issue/ABC-1', edit)).status).toBe(204);
  },
);

test('limits and conflicts are refused in the words of Jira, for as often as asked for', async () => {
  const nowMs = Date.parse('2026-11-20T10:00:00Z');
  const jira = await runningEmulator({ nowMs: () => nowMs });
  jira.openIssue('ABC');
  jira.imposeLimit({ reason: 'jira-quota-tenant-based', retryAfterSeconds: 7, resetInSeconds: 60, times: 1 });
  const limited = await ask(jira)('/issue/ABC-1');
  expect(limited.status).toBe(429);
  expect(Object.fromEntries(limited.headers)).toMatchObject({
    'ratelimit-reason': 'jira-quota-tenant-based',
    'retry-after': '7',
    'x-ratelimit-reset': '2026-11-20T10:01:00.000Z',
  });
  jira.imposeConflict(1);
  const edit = () => ask(jira)('/issue/ABC-1', { method: 'PUT', body: { update: { labels: [{ add: 'x' }] } } });
  expect([(await edit()).status, (await edit()).status]).toEqual([409, 204]);
});

test('Data Center: its own search, its bucket of tokens, below its context path', async () => {
  let nowMs = 1_000_000;
  const jira = await runningEmulator({
    deployment: 'data_center',
    contextPath: '/jira',
    tokenBuckets: { limit: 2, fillRate: 1, intervalSeconds: 10 },
    nowMs: () => nowMs,
  });
  expect(jira.url).toMatch(/\/jira$/);
  jira.openIssue('ABC', { labels: ['fix'] });
  const server = ask(jira);
  const found = await server('/search?jql=labels%20%3D%20fix&maxResults=5&fields=labels');
  expect(await found.json()).toMatchObject({ startAt: 0, total: 1, issues: [{ fields: { labels: ['fix'] } }] });
  expect(Object.fromEntries(found.headers)).toMatchObject({ 'x-ratelimit-remaining': '1', 'retry-after': '0' });
  expect((await server('/search/jql')).status).toBe(404);
  const refused = await server('/myself');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']);
  nowMs += 10_000;
  expect((await server('/myself')).status).toBe(200);
  expect((await fetch(`${jira.url}/rest/api/3/myself`)).status).toBe(401);
});

test('as a project like any other, with what the configuration needs to watch it', async () => {
  const jira = await runningEmulator({ contextPath: '/ex/jira/1' });
  const project = jiraProject(jira, 'ABC', { email: 'smith@example.com', token: 'writer-secret' });
  expect(project.tickets).toEqual({
    type: 'Jira',
    url: jira.siteUrl,
    api_url: jira.url,
    project: 'ABC',
    deployment: 'cloud',
  });
  expect(project.environment).toEqual({ JIRA_EMAIL: 'smith@example.com', JIRA_TOKEN: 'writer-secret' });
  const { ticket, url } = project.openTicket({ title: 'Broken', body: 'It fails', labels: ['fix'], by: 'alice' });
  expect([ticket, url]).toEqual(['ABC-1', `${jira.siteUrl}/browse/ABC-1`]);
  project.addLabel(ticket, 'more', 'bob');
  project.removeLabel(ticket, 'fix');
  project.comment(ticket, 'Look', 'bob');
  project.closeTicket(ticket);
  expect(project.all()).toEqual([
    expect.objectContaining({
      labels: ['more'],
      open: false,
      body: 'It fails',
      comments: [{ login: 'bob', body: 'Look' }],
    }),
  ]);
  project.reopenTicket(ticket);
  expect(project.ticket(ticket).open).toBe(true);
  project.deleteTicket(ticket);
  expect(() => project.ticket(ticket)).toThrow('no issue ABC-1');
  expect(project.ledger.labelChanges(ticket).map(({ by }) => by.login)).toEqual(['alice', 'bob', 'sam']);
});
