import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import type { JiraEmulator, JiraEmulatorOptions } from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraWebhook } from '../../../src/platforms/jira/webhook.ts';
import { UnreadableWebhook, type WebhookMessage, type WebhookRequest } from '../../../src/platforms/webhook.ts';
import { webhookReceiver } from '../../emulators/jira/webhook-receiver.ts';
import { callOf } from '../conformance/calls.ts';
import { type Connected, connected } from './connected.ts';

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

async function realDelivery(): Promise<WebhookRequest> {
  await using at = await hooked();
  at.site.openIssue('ABC', { labels: ['bug'] });
  const [delivery] = await at.during((site) => site.addLabel('ABC-1', 'fix'));
  return delivery ?? expect.fail('nothing was sent');
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

test('a delivery in which any bit has changed is refused', async () => {
  const { headers, body } = await realDelivery();
  expect(jiraWebhook.provesSecret({ headers, body }, SECRET)).toBe(true);
  fc.assert(
    fc.property(fc.nat(body.length * 8 - 1), (bit) => {
      const changed = Buffer.from(body);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return !jiraWebhook.provesSecret({ headers, body: changed }, SECRET);
    }),
  );
});

type Act = (at: Connected, id: string) => unknown;

const ACTS: readonly (readonly [string, Act, Partial<TicketNews>, Partial<WebhookMessage>])[] = [
  [
    'a label that people put on',
    ({ site }) => site.addLabel('ABC-1', 'fix'),
    { added: ['fix'], labels: ['bug', 'fix'] },
    { event: 'jira:issue_updated', action: 'issue_updated' },
  ],
  [
    'a label that people take off',
    ({ site }) => site.removeLabel('ABC-1', 'bug'),
    { removed: ['bug'], labels: [] },
    {},
  ],
  [
    'a lifecycle label of ours',
    async ({ jira }, id) => jira.moveLifecycle(await jira.readTicket(id, callOf()), 'enqueued', callOf()),
    { added: ['agent-smith:enqueued'], labels: ['bug', 'agent-smith:enqueued'] },
    {},
  ],
  [
    'an issue that is closed',
    ({ site }) => site.setStatus('ABC-1', 'done'),
    { open: false },
    { action: 'issue_generic' },
  ],
  ['work that begins', ({ site }) => site.setStatus('ABC-1', 'indeterminate'), { open: true }, {}],
  [
    'an issue that is deleted',
    ({ site }) => site.deleteIssue('ABC-1'),
    { open: undefined },
    { event: 'jira:issue_deleted' },
  ],
];

test.each(ACTS)('%s is read as what it is', async (_, act, news, message) => {
  await using at = await hooked();
  const { id } = at.site.openIssue('ABC', { labels: ['bug'] });
  const [delivery] = await at.during(() => act(at, id));
  const told = jiraWebhook.read(delivery ?? expect.fail('nothing was sent'));
  expect(told).toMatchObject(message);
  expect(told.id).toBe(delivery?.headers['x-atlassian-webhook-identifier']);
  expect(told.news).toEqual({
    ticketIds: [id],
    about: 'ticket',
    added: [],
    removed: [],
    labels: ['bug'],
    open: true,
    ...news,
  });
});

test.each([
  ['Cloud', {}],
  ['Cloud behind its gateway', { contextPath: '/ex/jira/1' }],
  ['Data Center', { deployment: 'data_center', contextPath: '/jira' }],
] as const)('%s: an issue that is opened is in the project that watches it', async (_, options) => {
  await using at = await hooked(options);
  const [delivery] = await at.during((site) => site.openIssue('ABC', { labels: ['fix'] }));
  const { news, place, event } = jiraWebhook.read(delivery ?? expect.fail('nothing was sent'));
  expect(event).toBe('jira:issue_created');
  expect(news).toMatchObject({ ticketIds: [at.site.issue('ABC-1').id], added: [], labels: ['fix'], open: true });
  const { pathname, host } = new URL(at.site.siteUrl);
  const site = `${host}${pathname === '/' ? '' : pathname}`;
  expect(place).toEqual({ host: site, container: '', scope: 'ABC', id: expect.stringMatching(/^\d+$/) });
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

test.each(['cloud', 'data_center'] as const)(
  'comments of people and of ours are told apart, on %s',
  async (deployment) => {
    await using at = await hooked({ deployment });
    const { id } = at.site.openIssue('ABC', { labels: ['fix'] });
    const about = async (act: (site: JiraEmulator) => unknown) =>
      (await at.during(act)).map((delivery) => jiraWebhook.read(delivery));
    const told = deployment === 'cloud' ? 1 : 2;
    const comment = { ticketIds: [id], about: 'comment', added: [], removed: [] };
    const theirs = await about((site) => site.comment('ABC-1', `They said:\n${MARKER}\n\nI say: again`));
    const ours = await about(() => at.jira.comment(id, { markdown: '**Done.**', marker: MARKER }, callOf()));
    expect(theirs.map(({ news }) => news)).toEqual(
      Array.from({ length: told }, () => expect.objectContaining({ ...comment, ownComment: false })),
    );
    expect(ours.map(({ news }) => news)).toEqual(
      Array.from({ length: told }, () => expect.objectContaining({ ...comment, ownComment: true })),
    );
    expect(new Set(ours.map(({ place }) => place?.host))).toEqual(new Set([new URL(at.site.siteUrl).host]));
  },
);

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

test('what is no JSON object is unreadable', () => {
  for (const body of ['', 'null', '[]', '7', '"text"', '{"a":', '\u0000']) {
    expect(() => read(body)).toThrow(UnreadableWebhook);
  }
});

/** A message, or the one error that is allowed. */
function isReadable(body: string | Buffer): boolean {
  try {
    const { event, news } = jiraWebhook.read({ headers: {}, body: Buffer.from(body) });
    const ids = typeof news === 'string' ? [] : news.ticketIds;
    return /^[ -~]{1,100}$/.test(event) && ids.every((id) => /^[1-9]\d*$/.test(id));
  } catch (error) {
    if (error instanceof UnreadableWebhook) return true;
    throw error;
  }
}

const anyJson = fc.json({ noUnicodeString: false, maxDepth: 4 });

test('any body is read or refused, whatever is in it', () => {
  fc.assert(fc.property(fc.oneof(anyJson, fc.string({ unit: 'binary' })), isReadable));
  fc.assert(fc.property(fc.uint8Array(), (bytes) => isReadable(Buffer.from(bytes))));
  const deep = 200_000;
  expect(isReadable(`{"comment":{"body":${'{"content":['.repeat(deep)}${']}'.repeat(deep)}}}`)).toBe(true);
});

test('a real payload with anything else in any place is read', async () => {
  const text = (await realDelivery()).body.toString();
  const places = [...text.matchAll(/(?<=:)("(?:[^"\\]|\\.)*"|\d+|null|true|false)|(?<=")[\w:]+(?=":)/g)];
  const values = fc.oneof(
    anyJson,
    fc.constantFrom('{"__proto__":{"labels":["x"]}}', '9007199254740993', '1e999', '"\\ud800"'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...places), values, fc.boolean(), ({ 0: old, index }, value, asName) => {
      const isName = text[index + old.length] === '"';
      const put = isName ? (asName ? '__proto__' : 'constructor') : value;
      return isReadable(text.slice(0, index) + put + text.slice(index + old.length));
    }),
    { numRuns: 300 },
  );
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(40), (from, gap) =>
      isReadable(text.slice(0, from) + text.slice(from + gap)),
    ),
  );
});
