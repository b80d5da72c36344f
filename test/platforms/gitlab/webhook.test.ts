/** What is GitLab's own in proving and reading: signing tokens, and payloads as its documentation shows them. */
import { createHmac, randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';
import { gitlabWebhook } from '../../../src/platforms/gitlab/webhook.ts';
import { UnreadableWebhook, type WebhookMessage, type WebhookRequest } from '../../../src/platforms/webhook.ts';
import { expectSafelyRead, mutated } from '../hostile-payloads.ts';
import {
  issuePayload,
  mergeRequestNotePayload,
  mergeRequestPayload,
  notePayload,
  PLACE,
  pushPayload,
} from './payloads.ts';

const TOKEN = 'a plain token';
const newSigningToken = () => `whsec_${randomBytes(32).toString('base64')}`;
const SIGNING_TOKEN = newSigningToken();
const NOW_SECONDS = String(Math.floor(Date.now() / 1000));
const BODY = Buffer.from(JSON.stringify({ ...issuePayload, title: 'Größe – 日本' }));

type Headers = WebhookRequest['headers'];

const proves = (headers: Headers, secret: string, body = BODY) => gitlabWebhook.provesSecret({ headers, body }, secret);

function signed(secret = SIGNING_TOKEN, body = BODY, ageSeconds = 0) {
  const atMs = Date.now() - ageSeconds * 1000;
  return {
    'webhook-id': 'b3c1',
    'webhook-timestamp': String(Math.floor(atMs / 1000)),
    'webhook-signature': new Webhook(secret).sign('b3c1', new Date(atMs), body),
  };
}

function read(payload: unknown, headers: Headers = {}): WebhookMessage {
  const body = typeof payload === 'string' ? payload : JSON.stringify(payload);
  return gitlabWebhook.read({ headers, body: Buffer.from(body) });
}

const news = (payload: unknown) => read(payload).news;

/** The payload with other values in its `object_attributes`. */
const withAttributes = <T extends { readonly object_attributes: object }>(payload: T, attributes: object) => ({
  ...payload,
  object_attributes: { ...payload.object_attributes, ...attributes },
});

test('a plain token proves itself, and nothing else does', () => {
  expect(proves({ 'x-gitlab-token': TOKEN }, TOKEN)).toBe(true);
  const wrong: Headers[] = [
    {},
    { 'x-gitlab-token': '' },
    { 'x-gitlab-token': 'another token' },
    { 'x-gitlab-token': `${TOKEN} ` },
    { 'x-gitlab-token': TOKEN.slice(0, -1) },
    { 'x-gitlab-token': [TOKEN, TOKEN] },
    { 'x-gitlab-token': `${TOKEN}, ${TOKEN}` },
    { authorization: TOKEN },
    signed(),
  ];
  expect(wrong.map((headers) => proves(headers, TOKEN))).toEqual(wrong.map(() => false));
  expect(proves({ 'x-gitlab-token': '' }, '')).toBe(false);
});

test('a signing token proves what it has signed, also while it is being replaced by another', () => {
  expect(proves(signed(), SIGNING_TOKEN)).toBe(true);
  const newer = newSigningToken();
  expect(proves(signed(newer), SIGNING_TOKEN)).toBe(false);
  const both = {
    ...signed(),
    'webhook-signature': `${signed(newer)['webhook-signature']} v9,eA== v1 ${signed()['webhook-signature']}`,
  };
  expect([proves(both, SIGNING_TOKEN), proves(both, newer), proves(both, newSigningToken())]).toEqual([
    true,
    true,
    false,
  ]);
});

test.each(['webhook-id', 'webhook-timestamp', 'webhook-signature'])(
  'without %s, or with it twice, nothing is signed',
  (name) => {
    const value = signed()[name as keyof ReturnType<typeof signed>];
    for (const other of [undefined, '', 'nonsense', [value, value]]) {
      expect(proves({ ...signed(), [name]: other }, SIGNING_TOKEN)).toBe(false);
    }
  },
);

test('a signature is good for five minutes, and for one id, one time and one body', () => {
  expect(proves(signed(SIGNING_TOKEN, BODY, 290), SIGNING_TOKEN)).toBe(true);
  expect(proves(signed(SIGNING_TOKEN, BODY, 310), SIGNING_TOKEN)).toBe(false);
  expect(proves(signed(SIGNING_TOKEN, BODY, -310), SIGNING_TOKEN)).toBe(false);
  expect(proves({ ...signed(), 'webhook-id': 'b3c2' }, SIGNING_TOKEN)).toBe(false);
  const later = String(Math.floor(Date.now() / 1000) + 60);
  expect(proves({ ...signed(), 'webhook-timestamp': later }, SIGNING_TOKEN)).toBe(false);
});

test('a signing token that is sent along proves nothing', () => {
  expect(proves({ 'x-gitlab-token': SIGNING_TOKEN }, SIGNING_TOKEN)).toBe(false);
});

test.each([
  ['whsec_', /no base64/],
  ['whsec_?!', /no base64/],
  [SIGNING_TOKEN.replace('_', '_%'), /no base64/],
  [SIGNING_TOKEN.slice(0, 30), /cut short/],
  [`whsec_${Buffer.alloc(23, 'x').toString('base64')}`, /cut short/],
])('nothing can prove %s, and that is said without repeating it', (secret, problem) => {
  const said = gitlabWebhook.secretProblem?.(secret) ?? '';
  expect(said).toMatch(problem);
  if (secret.length > 10) expect(said).not.toContain(secret.slice(6));
  const key = secret.slice('whsec_'.length);
  const signature = createHmac('sha256', Buffer.from(key, 'base64'))
    .update(`id.${NOW_SECONDS}.${BODY.toString()}`)
    .digest('base64');
  const headers = { 'webhook-id': 'id', 'webhook-timestamp': NOW_SECONDS, 'webhook-signature': `v1,${signature}` };
  expect(proves({ ...headers, 'x-gitlab-token': secret }, secret)).toBe(false);
});

test('signing tokens as GitLab makes them, and secrets of any other kind, can be proven', () => {
  for (const secret of [SIGNING_TOKEN, TOKEN, 'whsec', '?!']) {
    expect(gitlabWebhook.secretProblem?.(secret)).toBeUndefined();
  }
});

test('what is signed need not be JSON: that is said later', () => {
  const body = Buffer.from('no JSON');
  expect(proves(signed(SIGNING_TOKEN, body), SIGNING_TOKEN, body)).toBe(true);
  expect(() => read('no JSON')).toThrow(UnreadableWebhook);
});

test('the id is the one that stays the same when a delivery is sent again, and no hook is named', () => {
  const headers = {
    'webhook-id': 'of-standard-webhooks',
    'idempotency-key': 'of-gitlab',
    'x-gitlab-event-uuid': 'shared',
    'x-gitlab-webhook-uuid': 'another-each-time',
  };
  expect(read(issuePayload, headers)).toMatchObject({ id: 'of-standard-webhooks', hook: undefined });
  expect(read(issuePayload, { ...headers, 'webhook-id': undefined }).id).toBe('of-gitlab');
  expect(read(issuePayload, { 'x-gitlab-event-uuid': 'shared' }).id).toBeUndefined();
  expect(gitlabWebhook.alwaysHasId).toBe(false);
});

test('a change of labels is read as what was put on and taken off', () => {
  expect(read(issuePayload)).toEqual({
    id: undefined,
    hook: undefined,
    event: 'issue',
    action: 'update',
    place: PLACE,
    news: {
      ticketIds: ['23'],
      about: 'ticket',
      added: ['fix'],
      removed: ['Bug'],
      labels: ['fix', 'Platform'],
      open: true,
      ownComment: false,
    },
  });
});

test.each([
  ['open', 'opened', true],
  ['reopen', 'opened', true],
  ['close', 'closed', false],
  ['update', 'closed', false],
  ['update', 'locked', undefined],
])('%s of an issue that is %s', (action, state, open) => {
  const payload = {
    ...withAttributes(issuePayload, { action, state }),
    changes: { title: { previous: 'a', current: 'b' } },
  };
  expect(read(payload)).toMatchObject({ action, news: { ticketIds: ['23'], added: [], removed: [], open } });
});

test('confidential issues, tasks and incidents are issues; an epic is none', () => {
  expect(news({ ...issuePayload, event_type: 'confidential_issue' })).toMatchObject({ added: ['fix'] });
  for (const type of ['Task', 'Incident', 'Test Case', undefined]) {
    const workItem = { ...withAttributes(issuePayload, { type }), object_kind: 'work_item' };
    expect(read(workItem)).toMatchObject({ event: 'work_item', news: { ticketIds: ['23'], added: ['fix'] } });
  }
  expect(news({ ...withAttributes(issuePayload, { type: 'Epic' }), object_kind: 'work_item' })).toBe(
    'unsupported-event',
  );
});

test('labels are taken from the issue itself where they stand there alone, and are unknown where they stand nowhere', () => {
  expect(news({ ...issuePayload, labels: undefined })).toMatchObject({ labels: ['fix', 'Platform'] });
  const nowhere = withAttributes({ ...issuePayload, labels: undefined }, { labels: undefined });
  expect(news(nowhere)).toMatchObject({ labels: undefined, added: ['fix'] });
});

test('a comment is read with the labels and the state of its issue', () => {
  const expected = { ticketIds: ['23'], about: 'comment', labels: ['fix', 'Platform'], open: true, ownComment: false };
  expect(read(notePayload)).toMatchObject({ event: 'note', action: 'create', place: PLACE, news: expected });
  expect(news({ ...notePayload, event_type: 'confidential_note' })).toMatchObject(expected);
});

test('a comment is ours when it ends with our marker, not when a person quotes it', () => {
  const marker = '<!-- agent-smith run=01JABC -->';
  const own = (note: string) => news(withAttributes(notePayload, { note }));
  expect(own(`Done.\n\n${marker}`)).toMatchObject({ ownComment: true });
  expect(own(`${marker}\n `)).toMatchObject({ ownComment: true });
  expect(own(`> Done. ${marker}\n\nWhy?`)).toMatchObject({ ownComment: false });
});

test('comments on commits and snippets say nothing about tickets', () => {
  for (const noteable_type of ['Commit', 'Snippet', 'Epic']) {
    expect(news(withAttributes(notePayload, { noteable_type }))).toBe('unsupported-event');
  }
});

test('a merge request, and a comment on it, is a link to the tickets that it closes', () => {
  const link = { ticketIds: ['23', '24'], about: 'link', added: [], removed: [], labels: undefined, open: undefined };
  expect(read(mergeRequestPayload)).toMatchObject({ event: 'merge_request', action: 'open', place: PLACE, news: link });
  expect(news(mergeRequestNotePayload)).toEqual({ ...link, ownComment: false });
  expect(news(withAttributes(mergeRequestPayload, { description: 'See #23' }))).toBe('no-ticket');
  expect(news(withAttributes(mergeRequestPayload, { description: null }))).toBe('no-ticket');
});

test.each<[text: string, ids: string[]]>([
  ['Closes #4', ['4']],
  ['fixes: #4, resolving #5. Implemented issue #6', ['4', '5', '6']],
  ['Closes #4, #5 and issues #6', ['4', '5', '6']],
  ['closing Group/sub/diaspora#4, GROUP/SUB/Diaspora#4', ['4']],
  ['Fix diaspora#4, fix elsewhere#5, fix other/diaspora#6', ['4']],
  ['Closes https://gitlab.corp:8443/code/Group/sub/diaspora/-/issues/4.', ['4']],
  ['Closes https://GITLAB.corp:8443/code/group/sub/diaspora/-/work_items/4#note_7', ['4']],
  ['Closes https://gitlab.corp:8443/code/Group/sub/diaspora/issues/4', ['4']],
  ['Closes https://gitlab.corp:8443/code/Group/sub/other/-/issues/4', []],
  ['Closes https://elsewhere/code/Group/sub/diaspora/-/issues/4', []],
  ['Closes https://gitlab.corp:8443/code/Group/sub/diaspora/-/merge_requests/4', []],
  ['enclose #4, closest #5, Closes#6, closes #0, Related to #7', []],
  ['Closes #12345678901234567', []],
])('%s', (description, ids) => {
  const link = news(withAttributes(mergeRequestPayload, { description }));
  expect(link === 'no-ticket' ? [] : link).toMatchObject(ids.length === 0 ? [] : { ticketIds: ids });
});

test('a text that names countless tickets names fifty, and a hostile one is read to its end', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => `closes #${index + 1}`).join(' ');
  expect(news(withAttributes(mergeRequestPayload, { description: many }))).toMatchObject({ ticketIds: { length: 50 } });
  for (const part of ['closes ', 'closes #1', 'closes #1,', 'closes a/', 'closes https://', '#1#', 'closes #1#1']) {
    const hostile = part.repeat(200_000 / part.length);
    expect(() => news(withAttributes(mergeRequestPayload, { description: hostile }))).not.toThrow();
  }
});

test.each<[string, unknown]>([
  ['a push, as the test button sends it', pushPayload],
  ['a pipeline', { ...pushPayload, object_kind: 'pipeline', object_attributes: { iid: 7 } }],
  ['an event of the system', { event_name: 'project_create', path_with_namespace: 'a/b' }],
  ['nothing at all', {}],
])('%s is unsupported', (_, payload) => {
  expect(news(payload)).toBe('unsupported-event');
});

test('an issue without a project is one of an unknown place, and nothing is closed there', () => {
  expect(read({ ...issuePayload, project: null })).toMatchObject({ place: undefined, news: { ticketIds: ['23'] } });
  expect(news({ ...mergeRequestPayload, project: null })).toBe('no-ticket');
});

test('a label that is spelled otherwise has not changed', () => {
  const labels = { previous: [{ title: 'Fix' }, { title: 'a' }], current: [{ title: 'fix' }] };
  expect(news({ ...issuePayload, changes: { labels } })).toMatchObject({ added: [], removed: ['a'] });
});

test('numbers that are none, and too large ones, name no ticket', () => {
  for (const iid of [0, -1, 1.5, '23', 2 ** 53, 1e300, null, [23]]) {
    expect(news(withAttributes(issuePayload, { iid }))).toBe('no-ticket');
  }
  expect(news({ ...notePayload, issue: undefined })).toBe('no-ticket');
});

test('names are cut to what a log can hold', () => {
  const message = read(
    withAttributes({ ...issuePayload, object_kind: `x\n\u0000${'y'.repeat(300)}` }, { action: '\n' }),
  );
  expect(message).toMatchObject({ event: `x${'y'.repeat(99)}`, action: undefined });
  expect(read({ ...issuePayload, project: { ...issuePayload.project, web_url: 'not an address' } }).place).toEqual({
    ...PLACE,
    host: undefined,
  });
});

test('whatever a merge request says, it is read as some message', () => {
  const any = fc.constantFrom<unknown>(mergeRequestPayload, mergeRequestNotePayload).chain(mutated);
  fc.assert(fc.property(any, (body) => expectSafelyRead(gitlabWebhook, { headers: {}, body })));
});
