/** What is Jira's own in proving and reading: passwords of Data Center, documents, and what its fields are called. */
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import type { JiraEmulator, JiraEmulatorOptions } from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraWebhook } from '../../../src/platforms/jira/webhook.ts';
import type { WebhookMessage, WebhookRequest } from '../../../src/platforms/webhook.ts';
import { webhookReceiver } from '../../emulators/webhook-receiver.ts';
import { connected } from './connected.ts';

const SECRET = 'sesame';
const MARKER = '<!-- agent-smith run=01J -->';

type Headers = WebhookRequest['headers'];

const requestOf = (body: unknown, headers: Headers = {}): WebhookRequest => ({
  headers,
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const read = (body: unknown, headers?: Headers): WebhookMessage => jiraWebhook.read(requestOf(body, headers));
const newsOf = (body: unknown): TicketNews => {
  const { news } = read(body);
  return typeof news === 'string' ? expect.fail(`no news: ${news}`) : news;
};
const signed = (body: string, secret = SECRET): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
const issue = (fields: object, id: unknown = '10007') => ({
  id,
  self: 'https://acme.atlassian.net/rest/api/2/10007',
  key: 'ABC-7',
  fields,
});

/** A site with a hook, whose deliveries are handed out in the order in which they happened. */
async function hooked(options: Partial<JiraEmulatorOptions> = {}) {
  const at = await connected(options);
  const receiver = await webhookReceiver();
  at.site.addWebhook({ url: receiver.url, secret: SECRET });
  const during = async (act: (site: JiraEmulator) => unknown): Promise<WebhookRequest[]> => {
    await at.site.webhooks.settled();
    const before = receiver.received.length;
    await act(at.site);
    await at.site.webhooks.settled();
    return receiver.received.slice(before);
  };
  return { ...at, during };
}

test('a signature proves the secret that it was made with, over exactly these bytes', () => {
  const body = '{"webhookEvent":"jira:issue_created"}';
  const proves = (signature: Headers[string], secret = SECRET) =>
    jiraWebhook.provesSecret(requestOf(body, { 'x-hub-signature': signature }), secret);
  expect(proves(signed(body))).toBe(true);
  expect(proves(signed(body), 'the-secret-before')).toBe(false);
  expect(proves(signed(body, 'the-secret-before'), 'the-secret-before')).toBe(true);
  const wrong = [undefined, '', 'sha256=', signed(body).slice(7), `sha1=${signed(body).slice(7)}`, signed(`${body} `)];
  for (const signature of [...wrong, [signed(body), signed(body)], `${signed(body)}, ${signed(body)}`]) {
    expect(proves(signature)).toBe(false);
  }
});

test('Data Center may send the secret as a password instead, of whichever user', () => {
  const proves = (authorization: Headers[string], more: Headers = {}, secret = SECRET) =>
    jiraWebhook.provesSecret(requestOf('{}', { authorization, ...more }), secret);
  expect(proves(basic('jira:sesame'))).toBe(true);
  expect(proves(basic(':sesame').replace('Basic', 'basic'))).toBe(true);
  expect(proves(basic('jira:open:sesame'), {}, 'open:sesame')).toBe(true);
  const wrong = [undefined, '', 'Basic ', 'Basic sesame', basic('sesame'), basic('jira:'), basic('sesame:jira')];
  for (const authorization of [...wrong, basic('jira:Sesame'), 'Bearer sesame', 'JWT e30.e30.x', [basic('j:sesame')]]) {
    expect(proves(authorization)).toBe(false);
  }
  // A password says nothing about the body.
  expect(proves(basic('jira:sesame'), { 'x-hub-signature': signed('{"changed":true}') })).toBe(false);
});

test('behind the gateway of Cloud the place is still the site', async () => {
  await using at = await hooked({ contextPath: '/ex/jira/1' });
  const [delivery] = await at.during((site) => site.openIssue('ABC', { labels: ['fix'] }));
  const { place } = jiraWebhook.read(delivery ?? expect.fail('nothing was sent'));
  const { host } = new URL(at.site.siteUrl);
  expect(place).toEqual({ host, container: '', scope: 'ABC', id: expect.stringMatching(/^\d+$/) });
});

test('the event and the words of the workflow are named', async () => {
  await using at = await hooked();
  at.site.openIssue('ABC');
  const named = async (act: (site: JiraEmulator) => unknown) =>
    (await at.during(act)).map((delivery) => jiraWebhook.read(delivery)).map(({ event, action }) => [event, action]);
  expect(await named((site) => site.addLabel('ABC-1', 'fix'))).toEqual([['jira:issue_updated', 'issue_updated']]);
  expect(await named((site) => site.setStatus('ABC-1', 'done'))).toEqual([['jira:issue_updated', 'issue_generic']]);
  expect(await named((site) => site.deleteIssue('ABC-1'))).toEqual([['jira:issue_deleted', 'issue_deleted']]);
});

test('a moved issue is where it is now', async () => {
  await using at = await hooked();
  const { id } = at.site.openIssue('ABC', { labels: ['fix'] });
  const [delivery] = await at.during((site) => site.moveIssue('ABC-1', 'XYZ'));
  expect(jiraWebhook.read(delivery ?? expect.fail('nothing was sent'))).toMatchObject({
    action: 'issue_moved',
    place: { scope: 'XYZ' },
    news: { ticketIds: [id], added: [], removed: [] },
  });
});

test('a comment on Data Center is told twice, both times as a comment, and without the issue it is still of it', async () => {
  await using at = await hooked({ deployment: 'data_center' });
  const { id } = at.site.openIssue('ABC', { labels: ['fix'] });
  const told = (await at.during((site) => site.comment('ABC-1', 'Look'))).map((delivery) => jiraWebhook.read(delivery));
  expect(told.map(({ event }) => event).toSorted()).toEqual(['comment_created', 'jira:issue_updated']);
  expect(told.map(({ news }) => news)).toMatchObject(Array.from(told, () => ({ ticketIds: [id], about: 'comment' })));
});

test('our marker is found in markup that escapes it and at the end of a document', () => {
  const isOurs = (body: unknown) =>
    newsOf({ webhookEvent: 'comment_updated', issue: issue({}), comment: { body } }).ownComment;
  const paragraph = (text: string) => ({ type: 'paragraph', content: [{ type: 'text', text }] });
  expect(isOurs(String.raw`*Done.*` + `\n\n` + String.raw`<\!\-\- agent\-smith run=01J \-\->` + '\n')).toBe(true);
  expect(isOurs({ type: 'doc', content: [paragraph('Done.'), paragraph(MARKER)] })).toBe(true);
  expect(isOurs({ type: 'doc', content: [paragraph(MARKER), paragraph('Really?')] })).toBe(false);
  expect([undefined, null, 7, [], {}, 'Done.'].map(isOurs)).toEqual([false, false, false, false, false, false]);
});

test('labels are read by the name that no language changes, never from a field of the site’s own', () => {
  const changed = (...items: unknown[]) =>
    newsOf({ webhookEvent: 'jira:issue_updated', issue: issue({}), changelog: { items } });
  const spelled = { fromString: 'a b', toString: 'b c', fieldtype: 'jira' };
  expect(changed({ ...spelled, field: 'Stichwörter', fieldId: 'labels' })).toMatchObject({
    added: ['c'],
    removed: ['a'],
  });
  expect(changed({ ...spelled, field: 'labels' })).toMatchObject({ added: ['c'], removed: ['a'] });
  const nothing = { added: [], removed: [] };
  expect(changed({ ...spelled, field: 'labels', fieldtype: 'custom' })).toMatchObject(nothing);
  expect(changed({ ...spelled, field: 'labels', fieldId: 'customfield_1' })).toMatchObject(nothing);
  expect(changed({ field: 'labels', fromString: null, toString: 'x' })).toMatchObject({ added: ['x'] });
  expect(changed(7, null, { field: 'labels', fromString: 'x' })).toMatchObject({ added: [], removed: ['x'] });
});

test('what does not show is unknown, and takes nothing else with it', () => {
  const told = read({
    webhookEvent: 'jira:issue_updated',
    issue: issue({ labels: 'fix', status: { name: 'Done' }, project: { key: 7, id: '1' } }),
  });
  expect(told.place).toEqual({ host: 'acme.atlassian.net', container: '', scope: undefined, id: '1' });
  expect(told.news).toMatchObject({ ticketIds: ['10007'], labels: undefined, open: undefined });
});

test('an event about no ticket says so', () => {
  for (const webhookEvent of ['jira:version_released', 'comment_deleted', 'sprint_started', 7, undefined]) {
    expect(read({ webhookEvent, issue: issue({}) }).news).toBe('unsupported-event');
  }
  for (const id of ['ABC-7', '0', '007', '-1', '1e3', '12345678901234567890', 10007, null, ['7'], '7\n']) {
    expect(read({ webhookEvent: 'jira:issue_updated', issue: issue({}, id) }).news).toBe('no-ticket');
  }
  const elsewhere = { self: 'https://acme.example/rest/api/2/issue/ABC-7/comment/1', body: '' };
  expect(read({ webhookEvent: 'comment_created', comment: elsewhere }).news).toBe('no-ticket');
});

test('the hooks of an app are named; names fit into a log', () => {
  expect(read({ matchedWebhookIds: [4, 'x', 11] })).toMatchObject({
    hook: '4-11',
    event: 'unknown',
    action: undefined,
  });
  const { event, hook } = read({ webhookEvent: `a\n\u001b[31m${'b'.repeat(200)}` });
  expect([event, hook]).toEqual([`a[31m${'b'.repeat(95)}`, undefined]);
});

test('a document without end is read as far as ours go', () => {
  const deep = 200_000;
  const self = 'https://acme.example/rest/api/2/issue/10007/comment/1';
  const body = `{"webhookEvent":"comment_created","comment":{"self":"${self}","body":${'{"content":['.repeat(deep)}${']}'.repeat(deep)}}}`;
  expect(newsOf(body)).toMatchObject({ ticketIds: ['10007'], ownComment: false });
});
