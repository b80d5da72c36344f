/** What is Jira's own in the emulator's webhooks: the shapes of both deployments, queries, and tries. */
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import type { JiraEmulator, JiraEmulatorOptions } from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraProject } from '../../../src/emulators/jira/jira-project.ts';
import { webhookReceiver } from '../webhook-receiver.ts';
import { ask, runningEmulator } from './running-emulator.ts';

const hooked = async (options: Partial<JiraEmulatorOptions> = {}) => {
  const receiver = await webhookReceiver();
  const jira = await runningEmulator({ webhooks: { pauseScale: 0 }, ...options });
  return { jira, receiver };
};

const statuses = (jira: JiraEmulator) => jira.webhooks.attempts().map(({ status }) => status);
const events = (jira: JiraEmulator) => jira.webhooks.attempts().map(({ delivery }) => delivery.event);

test('what people and tokens do to an issue is sent, signed, in the shape of Cloud', async () => {
  const { jira, receiver } = await hooked();
  jira.addWebhook({ url: receiver.url, secret: 'sesame' });
  jira.openIssue('ABC', { summary: 'Broken', description: 'It fails', labels: ['bug'], by: 'alice' });
  await jira.webhooks.settled();
  await ask(jira)('/issue/ABC-1', { method: 'PUT', body: { update: { labels: [{ add: 'fix' }] } } });
  await jira.webhooks.settled();
  const [opened, labelled] = receiver.received;
  expect(JSON.parse(String(opened?.body))).toMatchObject({
    timestamp: expect.any(Number),
    webhookEvent: 'jira:issue_created',
    issue_event_type_name: 'issue_created',
    user: { accountId: 'alice', avatarUrls: {} },
    issue: {
      self: expect.stringContaining(`${jira.siteUrl}/rest/api/2/issue/`),
      key: 'ABC-1',
      fields: { description: 'It fails', labels: ['bug'], project: { key: 'ABC', id: expect.any(String) } },
    },
  });
  expect(JSON.parse(String(labelled?.body))).toMatchObject({
    webhookEvent: 'jira:issue_updated',
    user: { accountId: 'smith' },
    issue: { fields: { labels: ['bug', 'fix'] } },
    changelog: { items: [{ field: 'labels', fieldId: 'labels', fromString: 'bug', toString: 'bug fix' }] },
  });
  const signature = createHmac('sha256', 'sesame')
    .update(opened?.body ?? '')
    .digest('hex');
  expect(opened?.headers).toMatchObject({
    'content-type': 'application/json; charset=UTF-8',
    'x-atlassian-webhook-flow': 'Primary',
    'x-atlassian-webhook-identifier': expect.stringMatching(/^[\da-f-]{36}$/),
    'x-hub-signature': `sha256=${signature}`,
  });
});

test('a hook hears of the issues that match its query, the project’s own of the project', async () => {
  const { jira, receiver } = await hooked();
  const project = jiraProject(jira, 'ABC', { token: 'writer-secret' });
  expect(project.addWebhook({ url: receiver.url })).toBe('1');
  expect(() => jira.addWebhook({ url: receiver.url, jql: 'nonsense' })).toThrow('Error in the JQL Query');
  jira.openIssue('XYZ');
  jira.openIssue('ABC');
  jira.deleteIssue('ABC-1');
  await jira.webhooks.settled();
  expect(events(jira).toSorted()).toEqual(['jira:issue_created', 'jira:issue_deleted']);
});

test('Cloud tries again up to five times what may get better, under the same identifier', async () => {
  const { jira, receiver } = await hooked();
  jira.addWebhook({ url: receiver.url });
  receiver.statuses.push(500, 408, 409, 425, 429, 503, 503);
  jira.openIssue('ABC');
  await jira.webhooks.settled();
  expect(statuses(jira)).toEqual([500, 408, 409, 425, 429, 503]);
  const sent = receiver.received.map(({ headers }) => headers);
  expect(sent.map((headers) => headers['x-atlassian-webhook-retry'])).toEqual([undefined, '1', '2', '3', '4', '5']);
  expect(new Set(sent.map((headers) => headers['x-atlassian-webhook-identifier'])).size).toBe(1);
});

test.each([202, 400, 401, 404, 410])('Cloud tries an answer of %i once', async (status) => {
  const { jira, receiver } = await hooked();
  jira.addWebhook({ url: receiver.url });
  receiver.statuses.push(status);
  jira.openIssue('ABC');
  await jira.webhooks.settled();
  expect(statuses(jira)).toEqual([status]);
});

test('Data Center tries once, tells a comment twice, and may send a password instead of a signature', async () => {
  const { jira, receiver } = await hooked({ deployment: 'data_center', contextPath: '/jira' });
  jira.openIssue('ABC');
  jira.addWebhook({ url: receiver.url, secret: 'sesame', user: 'jira' });
  receiver.statuses.push(503, 503);
  jira.comment('ABC-1', 'Look');
  await jira.webhooks.settled();
  expect(statuses(jira)).toEqual([503, 503]);
  const bodies = receiver.received.map(({ body }) => JSON.parse(String(body)) as { webhookEvent: string });
  const byEvent = Object.fromEntries(bodies.map((body) => [body.webhookEvent, body]));
  expect(byEvent.comment_created).not.toHaveProperty('issue');
  expect(byEvent).toMatchObject({
    comment_created: { comment: { body: 'Look', self: expect.stringContaining('/jira/rest/api/2/issue/') } },
    'jira:issue_updated': { issue_event_type_name: 'issue_commented', comment: { body: 'Look' } },
  });
  const { headers } = receiver.received[0] ?? {};
  expect(headers?.['x-hub-signature']).toBeUndefined();
  expect(headers?.authorization).toBe(`Basic ${Buffer.from('jira:sesame').toString('base64')}`);
});

test('a server that closes gives up what it has not delivered', async () => {
  const { jira, receiver } = await hooked({ webhooks: {} });
  jira.addWebhook({ url: receiver.url });
  receiver.statuses.push(503);
  jira.openIssue('ABC');
  await expect.poll(() => receiver.received.length).toBe(1);
  await jira.close();
  await jira.webhooks.settled();
  expect(receiver.received).toHaveLength(1);
});
