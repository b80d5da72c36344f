/** What is Azure DevOps' own in proving and reading: where the secret stands, and what each kind of event holds. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Run } from '../../../src/domain/run.ts';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import { closingComment } from '../../../src/labels/closing-comment.ts';
import { commentHtml } from '../../../src/platforms/azuredevops/comment-html.ts';
import { resolveAzureDevOpsSource } from '../../../src/platforms/azuredevops/source.ts';
import { azureDevOpsWebhook } from '../../../src/platforms/azuredevops/webhook.ts';
import type { WebhookRequest } from '../../../src/platforms/webhook.ts';
import { expectSafelyRead, mutated } from '../hostile-payloads.ts';

const SECRET = 'a-secret: with a colon';
const PROJECT_ID = 'be9b3917-87e6-42a4-a549-2bc06a7a878f';

const basic = (password: string, user = 'anybody'): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

const proves = (headers: WebhookRequest['headers'], secret = SECRET): boolean =>
  azureDevOpsWebhook.provesSecret({ headers, body: Buffer.from('{}') }, secret);

const read = (payload: unknown) => azureDevOpsWebhook.read({ headers: {}, body: Buffer.from(JSON.stringify(payload)) });

/** The envelope that they all have. */
function event(eventType: string, resource: unknown, more: object = {}) {
  return {
    subscriptionId: 'aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e',
    notificationId: 27,
    id: '27646e0e-b520-4d2b-9411-bba7524947cd',
    eventType,
    publisherId: 'tfs',
    message: { text: 'Bug #5 (Some great new idea!) …' },
    resource,
    resourceVersion: '1.0',
    resourceContainers: {
      collection: { id: 'c12d0eb8-e382-443b-9f9c-c52cba5014c2', baseUrl: 'https://dev.azure.com/fabrikam/' },
      account: { id: 'f844ec47-a9db-4511-8281-8b63f4eaf94e', baseUrl: 'https://dev.azure.com/fabrikam/' },
      project: { id: PROJECT_ID, baseUrl: 'https://dev.azure.com/fabrikam/' },
    },
    createdDate: '2026-01-19T13:03:29.7688022Z',
    ...more,
  };
}

const FIELDS = { 'System.TeamProject': 'Web Shop', 'System.State': 'New', 'System.Title': 'An idea' };
const URL = 'https://dev.azure.com/fabrikam/_apis/wit/workItems/5';

const created = (fields: object) =>
  event('workitem.created', { id: 5, rev: 1, fields: { ...FIELDS, ...fields }, url: URL });

function updated(changes: object, fields: object = {}) {
  return event('workitem.updated', {
    id: 9,
    workItemId: 5,
    rev: 9,
    revisedBy: { id: 'x', displayName: 'Jamal Hartnett' },
    fields: { 'System.Rev': { oldValue: 8, newValue: 9 }, ...changes },
    url: `${URL}/updates/9`,
    revision: { id: 5, rev: 9, fields: { ...FIELDS, ...fields }, url: `${URL}/revisions/9` },
  });
}

function pullRequest(more: object) {
  const project = { id: PROJECT_ID, name: 'Web Shop', state: 'wellFormed' };
  const url = `https://dev.azure.com/fabrikam/${PROJECT_ID}/_apis/git/repositories/4bc14d40/pullRequests/1`;
  return { pullRequestId: 1, status: 'active', repository: { id: '4bc14d40', name: 'shop', project }, url, ...more };
}

const newsOf = (payload: unknown): TicketNews => {
  const { news } = read(payload);
  if (typeof news === 'string') return expect.fail(`no news but ${news}`);
  return news;
};

describe('the secret', () => {
  test('is the password of Basic authentication, whatever the user, or the header', () => {
    expect(proves({ authorization: basic(SECRET) })).toBe(true);
    expect(proves({ authorization: basic(SECRET, '') })).toBe(true);
    expect(proves({ authorization: basic(SECRET).replace('Basic', 'bAsIc') })).toBe(true);
    expect(proves({ 'x-agentsmith-secret': SECRET })).toBe(true);
  });

  test('is proven by either of the two, a wrong one beside it does not matter', () => {
    expect(proves({ authorization: basic('wrong'), 'x-agentsmith-secret': SECRET })).toBe(true);
    expect(proves({ authorization: basic(SECRET), 'x-agentsmith-secret': 'wrong' })).toBe(true);
    expect(proves({ authorization: basic('wrong'), 'x-agentsmith-secret': 'wrong' })).toBe(false);
  });

  test('is not proven by nothing, by another, or by something else than the two', () => {
    const refused: WebhookRequest['headers'][] = [
      {},
      { authorization: '' },
      { authorization: 'Basic' },
      { authorization: 'Basic !!!' },
      { authorization: `Bearer ${SECRET}` },
      { authorization: SECRET },
      { authorization: basic(SECRET).replace('Basic ', '') },
      { authorization: `Basic ${Buffer.from(SECRET.replace(':', '')).toString('base64')}` },
      { authorization: basic(`${SECRET} `) },
      { authorization: basic(SECRET.toUpperCase()) },
      { authorization: [basic(SECRET), basic(SECRET)] },
      { 'x-agentsmith-secret': '' },
      { 'x-agentsmith-secret': 'wrong' },
      { 'x-agentsmith-secret': [SECRET, SECRET] },
      { 'x-hub-signature-256': SECRET },
    ];
    expect(refused.filter((headers) => proves(headers))).toEqual([]);
  });

  test('that is empty is proven by nobody', () => {
    expect(proves({ authorization: basic('') }, '')).toBe(false);
    expect(proves({ 'x-agentsmith-secret': '' }, '')).toBe(false);
    expect(proves({}, '')).toBe(false);
  });

  test('while it is being rotated, each of the two proves itself and not the other', () => {
    for (const [one, other] of [['new', 'old'] as const, ['old', 'new'] as const]) {
      expect(proves({ authorization: basic(one) }, one)).toBe(true);
      expect(proves({ authorization: basic(one) }, other)).toBe(false);
    }
  });
});

describe('work items', () => {
  test('an update says which tags came and went, and which there are now', () => {
    const tags = { oldValue: 'keep; old; Case', newValue: 'case; fix; keep' };
    expect(read(updated({ 'System.Tags': tags }, { 'System.Tags': 'case; fix; keep' }))).toEqual({
      id: '27646e0e-b520-4d2b-9411-bba7524947cd',
      hook: 'aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e',
      event: 'workitem.updated',
      action: undefined,
      place: { host: 'dev.azure.com', container: 'fabrikam', scope: 'Web Shop', id: PROJECT_ID },
      news: {
        ticketIds: ['5'],
        about: 'ticket',
        added: ['fix'],
        removed: ['old'],
        labels: ['case', 'fix', 'keep'],
        open: undefined,
        ownComment: false,
      },
    });
  });

  test('the first tag and the last one, whose old or new value is not there', () => {
    const first = updated({ 'System.Tags': { newValue: 'fix' } }, { 'System.Tags': 'fix' });
    expect(newsOf(first)).toMatchObject({ added: ['fix'], removed: [], labels: ['fix'] });
    const last = updated({ 'System.Tags': { oldValue: 'fix' } });
    expect(newsOf(last)).toMatchObject({ added: [], removed: ['fix'], labels: [] });
  });

  test('an update of something else changes no tags and shows those that are there', () => {
    const news = newsOf(updated({ 'System.State': { oldValue: 'New', newValue: 'Closed' } }, { 'System.Tags': 'fix' }));
    expect(news).toMatchObject({ added: [], removed: [], labels: ['fix'], open: undefined });
  });

  test('created, restored, commented and deleted ones have their id elsewhere', () => {
    expect(newsOf(created({ 'System.Tags': 'fix; b' }))).toEqual({
      ticketIds: ['5'],
      about: 'ticket',
      added: [],
      removed: [],
      labels: ['fix', 'b'],
      open: undefined,
      ownComment: false,
    });
    expect(newsOf(created({}))).toMatchObject({ added: [], labels: [] });
    const resource = { id: 5, rev: 3, fields: { ...FIELDS, 'System.Tags': 'fix' }, url: URL };
    expect(newsOf(event('workitem.restored', resource))).toMatchObject({
      ticketIds: ['5'],
      added: [],
      labels: ['fix'],
    });
    const bin = { ...resource, url: 'https://dev.azure.com/fabrikam/_apis/wit/recyclebin/5' };
    expect(newsOf(event('workitem.deleted', bin))).toMatchObject({ ticketIds: ['5'], open: false, labels: ['fix'] });
    const comment = { ...resource, fields: { ...resource.fields, 'System.History': 'Please have a look' } };
    const news = newsOf(event('workitem.commented', comment));
    expect(news).toMatchObject({ ticketIds: ['5'], about: 'comment', added: [], labels: ['fix'], ownComment: false });
  });

  test('of an update the id is never the number of the update', () => {
    const { resource, ...rest } = updated({});
    const { workItemId: _, ...without } = resource as { workItemId: number };
    expect(newsOf({ ...rest, resource: without }).ticketIds).toEqual(['5']);
    // As in the example that the button `Test` sends.
    expect(newsOf({ ...rest, resource: { ...without, workItemId: 0 } }).ticketIds).toEqual(['5']);
    expect(newsOf({ ...rest, resource: { id: 9, url: `${URL}/updates/9` } }).ticketIds).toEqual(['5']);
    expect(read({ ...rest, resource: { id: 9, url: 'https://dev.azure.com/fabrikam' } }).news).toBe('no-ticket');
  });

  test('with fewer details there is an id, and nothing is known of tags', () => {
    for (const kind of ['created', 'updated', 'commented', 'restored', 'deleted']) {
      const url = kind === 'updated' ? `${URL}/updates/9` : URL;
      const message = read(event(`workitem.${kind}`, { id: kind === 'updated' ? 9 : 5, url }));
      expect(message).toMatchObject({
        place: { container: 'fabrikam', scope: undefined, id: PROJECT_ID },
        news: { ticketIds: ['5'], added: [], removed: [], labels: undefined },
      });
    }
  });

  test('with no details at all there is no ticket', () => {
    for (const resource of [undefined, null, {}, [], 'x']) {
      expect(read(event('workitem.updated', resource)).news).toBe('no-ticket');
      expect(read(event('workitem.created', resource)).news).toBe('no-ticket');
    }
  });

  test('an id is a number of 32 bits and never a name', () => {
    const ids = ['5', 5.5, -1, 0, 2 ** 31, 2 ** 53, '0x5', '5 ', '١', 'ABC-5', '__proto__', '9'.repeat(400), [5], null];
    const seen = ids.map((id) => read(event('workitem.created', { id, fields: FIELDS })).news);
    expect(seen[0]).toMatchObject({ ticketIds: ['5'] });
    expect(new Set(seen.slice(1))).toEqual(new Set(['no-ticket']));
  });
});

describe('comments of ours', () => {
  const run = { id: '01JBQ7ZZZZZZZZZZZZZZZZZZZZ', state: 'completed', attempt: 1, createdAtMs: 0 } as Run;
  const { markdown, marker } = closingComment(run) ?? expect.fail('a run that has ended has a comment');
  const ours = commentHtml(markdown, marker);

  test('are known by the marker at their end, as a comment and as the update that it is too', () => {
    const resource = { id: 5, fields: { ...FIELDS, 'System.History': ours }, url: URL };
    expect(newsOf(event('workitem.commented', resource))).toMatchObject({ about: 'comment', ownComment: true });
    expect(newsOf(updated({ 'System.History': { newValue: ours } }))).toMatchObject({
      about: 'comment',
      ownComment: true,
    });
    const long = commentHtml('x'.repeat(100_000), marker);
    expect(newsOf(updated({ 'System.History': { newValue: long } }))).toMatchObject({ ownComment: true });
  });

  test('are not those of people who quote us, and not what came together with a change of tags', () => {
    const quoted = `<blockquote>${ours}</blockquote><p>What does that mean?</p>`;
    expect(newsOf(updated({ 'System.History': { newValue: quoted } }))).toMatchObject({ ownComment: false });
    const resource = { id: 5, fields: { ...FIELDS, 'System.History': ours }, url: URL };
    expect(newsOf(event('workitem.restored', resource))).toMatchObject({ ownComment: false });
    const both = { 'System.History': { newValue: ours }, 'System.Tags': { newValue: 'fix' } };
    expect(newsOf(updated(both))).toMatchObject({ ownComment: false });
  });
});

describe('pull requests', () => {
  const KINDS = ['git.pullrequest.created', 'git.pullrequest.updated', 'git.pullrequest.merged'];

  test('are about the work items that are linked, or else those that the description closes', () => {
    for (const kind of KINDS) {
      const linked = pullRequest({
        workItemRefs: [{ id: '5', url: URL }, { id: '7' }, { id: '5' }],
        description: 'Fixes #9',
      });
      expect(newsOf(event(kind, linked))).toEqual({
        ticketIds: ['5', '7'],
        about: 'link',
        added: [],
        removed: [],
        labels: undefined,
        open: undefined,
        ownComment: false,
      });
      const description = 'Fixes #5, see #6. Resolved: AB#7\ncloses  #8 prefixes #9 fix#10 completes #9999999999';
      expect(newsOf(event(kind, pullRequest({ description }))).ticketIds).toEqual(['5', '7', '8']);
    }
  });

  test('say where they are, a review has the request inside', () => {
    const review = { comment: { id: 2, content: 'Closes #1' }, pullRequest: pullRequest({ description: 'Closes #5' }) };
    const place = { host: 'dev.azure.com', container: 'fabrikam', scope: 'Web Shop', id: PROJECT_ID };
    const reviewed = read(event('ms.vss-code.git-pullrequest-comment-event', review));
    expect(reviewed).toMatchObject({ place, news: { about: 'link', ticketIds: ['5'] } });
    const alone = event('git.pullrequest.merged', pullRequest({ description: 'Closes #5' }), {
      resourceContainers: {},
    });
    expect(read(alone)).toMatchObject({ place });
  });

  test('that close nothing, or cannot be read, are about no ticket', () => {
    for (const more of [
      {},
      { description: 'See #5' },
      { description: 5, workItemRefs: 'x' },
      { workItemRefs: [null] },
    ]) {
      for (const kind of KINDS) expect(read(event(kind, pullRequest(more))).news).toBe('no-ticket');
    }
    expect(read(event('ms.vss-code.git-pullrequest-comment-event', null)).news).toBe('no-ticket');
  });

  test('a description of a million references is read in no time, and for the first fifty', () => {
    const description = Array.from({ length: 100_000 }, (_, n) => `fixes #${n + 1}`).join(' ');
    expect(newsOf(event('git.pullrequest.created', pullRequest({ description }))).ticketIds).toHaveLength(50);
  });
});

describe('other events', () => {
  test('are unsupported, with their name cut and cleaned', () => {
    expect(read(event('build.complete', { id: 1 }))).toMatchObject({
      event: 'build.complete',
      news: 'unsupported-event',
    });
    const strange = read(event(`git.\n\u001b[31mpush${'x'.repeat(200)}`, {}));
    expect(strange.event).toBe(`git.[31mpush${'x'.repeat(88)}`);
    expect(read({})).toEqual({
      id: undefined,
      hook: undefined,
      event: 'unknown',
      action: undefined,
      place: undefined,
      news: 'unsupported-event',
    });
  });

  test('the example that is sent before a subscription is saved is a ping', () => {
    const subscriptionId = '00000000-0000-0000-0000-000000000000';
    expect(read({ ...updated({}), subscriptionId }).news).toBe('ping');
    expect(read({ ...event('build.complete', {}), subscriptionId }).news).toBe('ping');
  });
});

describe('the place is that of the source', () => {
  const cases = [
    { tickets: { url: 'https://dev.azure.com/fabrikam/Web%20Shop' }, baseUrl: 'https://dev.azure.com/fabrikam/' },
    { tickets: { url: 'https://fabrikam.visualstudio.com/Web%20Shop' }, baseUrl: 'https://dev.azure.com/fabrikam/' },
    { tickets: { url: 'https://dev.azure.com/fabrikam/Web%20Shop' }, baseUrl: 'https://fabrikam.visualstudio.com/' },
    {
      tickets: { url: 'https://dev.azure.com/fabrikam/Web%20Shop' },
      baseUrl: 'https://fabrikam.visualstudio.com/DefaultCollection/',
    },
    {
      tickets: { url: 'http://tfs.example.com:8080/tfs/Default%20Collection/Web%20Shop' },
      baseUrl: 'http://tfs.example.com:8080/tfs/Default%20Collection/',
    },
    { tickets: { url: 'https://tfs.example.com/Main/Web%20Shop' }, baseUrl: 'https://tfs.example.com:443/Main' },
  ];

  test.each(cases)('$tickets.url, $baseUrl', ({ tickets, baseUrl }) => {
    const source = resolveAzureDevOpsSource({ ...tickets, project: 'Web Shop' });
    if ('problem' in source) expect.fail(source.problem);
    const expected = { host: source.host, container: source.container, scope: source.scope, id: PROJECT_ID };
    const project = { id: PROJECT_ID };
    const told = { resourceContainers: { collection: { id: 'x', baseUrl }, project } };
    expect(read({ ...created({}), ...told }).place).toEqual(expected);
    // Older servers do not tell: the resource's own address, with or without the project in it.
    const base = baseUrl.replace(/\/$/, '');
    for (const below of ['', `/${PROJECT_ID}`, '/Web%20Shop']) {
      const resource = { id: 5, fields: FIELDS, url: `${base}${below}/_apis/wit/workItems/5` };
      expect(read(event('workitem.created', resource, { resourceContainers: { project } })).place).toEqual(expected);
    }
  });

  test('is unknown where nothing tells', () => {
    for (const baseUrl of [
      '',
      'not a url at all/',
      'https://user:password@host/x',
      'https://dev.azure.com/',
      7,
      null,
    ]) {
      const resourceContainers = { collection: { baseUrl }, project: { id: PROJECT_ID } };
      const resource = { id: 5, fields: FIELDS };
      const { place, news } = read(event('workitem.created', resource, { resourceContainers }));
      expect(news).toMatchObject({ ticketIds: ['5'] });
      expect(place?.host).not.toBe('dev.azure.com');
    }
  });
});

describe('whatever comes', () => {
  const reviewed = { pullRequest: pullRequest({ description: 'Fixes #5' }) };
  const WHOLE: readonly unknown[] = [
    event('git.pullrequest.created', pullRequest({ description: 'Fixes #5', workItemRefs: [{ id: '5' }] })),
    event('ms.vss-code.git-pullrequest-comment-event', reviewed),
    updated({ 'System.Tags': { oldValue: 'a', newValue: 'a; fix' }, 'System.History': { newValue: 'x' } }),
  ];

  test('pull requests, and tags with a comment, with anything else in any place', () => {
    const any = fc.constantFrom(...WHOLE).chain(mutated);
    fc.assert(fc.property(any, (body) => expectSafelyRead(azureDevOpsWebhook, { headers: {}, body })));
  });

  test('keys that objects have by themselves are keys like any others', () => {
    const fields = '{"__proto__":{"System.Tags":"fix"},"constructor":{"x":1},"System.TeamProject":"Web Shop"}';
    const body = `{"__proto__":{"eventType":"workitem.deleted"},"eventType":"workitem.created","resource":{"id":5,"fields":${fields}}}`;
    const { event: kind, news } = azureDevOpsWebhook.read({ headers: {}, body: Buffer.from(body) });
    expect({ kind, news }).toMatchObject({ kind: 'workitem.created', news: { ticketIds: ['5'], labels: [] } });
  });

  test('a description without end is read to its end', () => {
    const description = 'fix '.repeat(200_000) + 'fixes          '.repeat(50_000);
    expect(read(event('git.pullrequest.created', pullRequest({ description }))).news).toBe('no-ticket');
  });
});
