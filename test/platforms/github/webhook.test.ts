/** What is GitHub's own in proving and reading: its headers, forms, pull requests, and every published example. */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { GitHubHookSettings } from '../../../src/emulators/github/webhooks.ts';
import { githubWebhook } from '../../../src/platforms/github/webhook.ts';
import { UnreadableWebhook, type WebhookMessage, type WebhookRequest } from '../../../src/platforms/webhook.ts';
import { webhookReceiver } from '../../emulators/webhook-receiver.ts';
import { anyBody, expectSafelyRead, mutated } from '../hostile-payloads.ts';
import { startAppHub } from './app-hub.ts';

const SECRET = 'sesame';
const JSON_TYPE = { 'content-type': 'application/json' };

type Headers = WebhookRequest['headers'];

const requestOf = (body: unknown, headers: Headers = {}): WebhookRequest => ({
  headers: { ...JSON_TYPE, ...headers },
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});
const read = (event: string, body: unknown): WebhookMessage =>
  githubWebhook.read(requestOf(body, { 'x-github-event': event }));
const newsOf = ({ news }: WebhookMessage): TicketNews =>
  typeof news === 'string' ? expect.fail(`no news: ${news}`) : news;

const repository = { id: 42, full_name: 'Org/Repo', html_url: 'https://GitHub.com/Org/Repo' };
const issue = { number: 7, state: 'open', body: 'Text', labels: [{ name: 'bug' }, { name: 'agent-smith:done' }] };

describe('the signature', () => {
  const body = '{"zen":"Anything added dilutes everything else."}';
  const signature = (secret: string, algorithm = 'sha256'): string =>
    `${algorithm}=${createHmac(algorithm, secret).update(body).digest('hex')}`;
  const proves = (headers: Headers, secret = SECRET): boolean =>
    githubWebhook.provesSecret(requestOf(body, headers), secret);

  test('proves the secret that it was made with, and no other: so a secret can be rotated', () => {
    const before = { 'x-hub-signature-256': signature('before') };
    const after = { 'x-hub-signature-256': signature('after') };
    expect([proves(before, 'before'), proves(before, 'after')]).toEqual([true, false]);
    expect([proves(after, 'before'), proves(after, 'after')]).toEqual([false, true]);
  });

  test.each<[string, Headers]>([
    ['is missing', {}],
    ['is empty', { 'x-hub-signature-256': '' }],
    ['is there twice', { 'x-hub-signature-256': [signature(SECRET), signature(SECRET)] }],
    ['is twice in one header', { 'x-hub-signature-256': `${signature(SECRET)}, ${signature(SECRET)}` }],
    ['is another length', { 'x-hub-signature-256': signature(SECRET).slice(0, -1) }],
    ['lacks the name of its algorithm', { 'x-hub-signature-256': signature(SECRET).slice(7) }],
    ['is no hex', { 'x-hub-signature-256': 'sha256=🔑' }],
    ['is the older one alone', { 'x-hub-signature': signature(SECRET, 'sha1') }],
    ['is the older one in the place of the newer', { 'x-hub-signature-256': signature(SECRET, 'sha1') }],
  ])('that %s proves nothing', (_, headers) => {
    expect(proves(headers)).toBe(false);
  });
});

describe('reading', () => {
  test('id, hook, event, action, installation and place, whichever way they are written', () => {
    const headers = { 'x-github-event': 'issues', 'x-github-delivery': 'guid', 'x-github-hook-id': '400001' };
    const payload = { action: 'opened', issue, repository, installation: { id: 7 } };
    expect(githubWebhook.read(requestOf(payload, headers))).toEqual({
      id: 'guid',
      hook: '400001',
      event: 'issues',
      action: 'opened',
      installation: '7',
      place: { host: 'github.com', container: 'Org/Repo', id: '42' },
      news: {
        ticketIds: ['7'],
        about: 'ticket',
        added: [],
        removed: [],
        labels: ['bug', 'agent-smith:done'],
        open: true,
        ownComment: false,
      },
    });
  });

  test('a form holds the same in its field payload', () => {
    const payload = { action: 'opened', issue: { ...issue, title: 'Größe & 50%+1' }, repository };
    const form = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
    const type = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', 'x-github-event': 'issues' };
    expect(githubWebhook.read(requestOf(form, type))).toEqual(read('issues', payload));
    expect(() => githubWebhook.read(requestOf('x=1', type))).toThrow(UnreadableWebhook);
  });

  test('a server of its own is known by its host and port', () => {
    const html_url = 'http://ghe.example:8443/Org/Repo';
    expect(read('issues', { issue, repository: { ...repository, html_url } }).place).toEqual({
      host: 'ghe.example:8443',
      container: 'Org/Repo',
      id: '42',
    });
  });

  test('event and action are fit for a log', () => {
    const message = read(`is\u001b[31msues${'x'.repeat(500)}`, { action: `a\nb${'y'.repeat(500)}` });
    expect(message.event).toMatch(/^is\[31msuesx{90}$/);
    expect(message.action).toMatch(/^aby{98}$/);
    expect(githubWebhook.read(requestOf({}))).toMatchObject({ event: 'unknown', news: 'unsupported-event' });
  });

  test.each([
    ['no number', { number: '7' }],
    ['a number that is none of an issue', { number: -7 }],
    ['a number beyond those that are exact', { number: 2 ** 60 }],
    ['a fraction', { number: 7.5 }],
  ])('an issue with %s is none', (_, wrong) => {
    expect(read('issues', { action: 'opened', issue: { ...issue, ...wrong }, repository }).news).toBe('no-ticket');
  });

  test('labels that are no list, or too many, are as good as not shown; one that is none hides no other', () => {
    const labelsOf = (labels: unknown) => newsOf(read('issues', { issue: { ...issue, labels }, repository })).labels;
    expect(labelsOf('bug')).toBeUndefined();
    expect(labelsOf(Array.from({ length: 1_001 }, (_, index) => ({ name: String(index) })))).toBeUndefined();
    expect(labelsOf([7, { name: 'bug' }, { name: 7 }])).toEqual(['bug']);
  });

  test('without a repository, or one of another name than repositories have, the place is unknown', () => {
    for (const wrong of [undefined, null, { ...repository, full_name: 'a/b/c' }, { ...repository, html_url: ':' }]) {
      expect(read('issues', { issue, repository: wrong })).toMatchObject({
        place: undefined,
        news: { ticketIds: ['7'] },
      });
      expect(read('pull_request', { pull_request: { body: 'Fixes #7' }, repository: wrong }).news).toBe('no-ticket');
    }
  });

  test('an issue that is gone is not open, whatever its payload says', () => {
    for (const action of ['deleted', 'transferred']) {
      expect(newsOf(read('issues', { action, issue, repository })).open).toBe(false);
    }
  });

  test('a comment with the marker at its end is ours, one that quotes it is not', () => {
    const own = (body: unknown) => newsOf(read('issue_comment', { issue, repository, comment: { body } })).ownComment;
    expect(own('Done.\n\n<!-- agent-smith run=01J -->')).toBe(true);
    expect(own('Done.\r\n\r\n<!-- agent-smith run=01J -->\r\n')).toBe(true);
    expect(own('> <!-- agent-smith run=01J -->\nAgain, please.')).toBe(false);
    expect(own(7)).toBe(false);
  });

  test.each([
    ['Closes #7', ['7']],
    ['fixes: #7, resolved #8 and CLOSED #9.', ['7', '8', '9']],
    ['Fixes org/repo#7\nResolves https://github.com/Org/Repo/issues/8', ['7', '8']],
    ['Fixes other/repo#7, fixes https://github.com/org/other/issues/8, fixes https://gitlab.com/org/repo/issues/9', []],
    ['Fix #7 (fixes #7)', ['7']],
    ['See #7. Prefix #8, fixing #9, fixes 10, fixes #11a', []],
    ['', []],
  ])('a pull request that says %j closes %j', (body, ids) => {
    const { news } = read('pull_request', { action: 'opened', pull_request: { body }, repository });
    const link = { ticketIds: ids, about: 'link', added: [], removed: [], labels: undefined, open: undefined };
    expect(news).toEqual(ids.length === 0 ? 'no-ticket' : { ...link, ownComment: false });
  });

  test('a pull request that names hundreds of tickets is taken for fifty', () => {
    const body = Array.from({ length: 500 }, (_, index) => `fixes #${index + 1}`).join(' ');
    expect(newsOf(read('pull_request', { pull_request: { body }, repository })).ticketIds).toHaveLength(50);
  });

  test.each(['pull_request_review', 'pull_request_review_comment', 'pull_request_review_thread'])(
    '%s is about the pull request',
    (event) => {
      const payload = { action: 'created', pull_request: { body: 'Fixes #7' }, repository, comment: { body: 'Hm' } };
      expect(newsOf(read(event, payload))).toMatchObject({ about: 'link', ticketIds: ['7'] });
      expect(read(event, { repository }).news).toBe('no-ticket');
    },
  );

  test('a comment, or a milestone, on a pull request is about the pull request', () => {
    const pull = { ...issue, body: 'Fixes #3', pull_request: { url: 'https://github.com/Org/Repo/pull/7' } };
    expect(newsOf(read('issue_comment', { issue: pull, repository }))).toMatchObject({ about: 'link' });
    expect(newsOf(read('issues', { action: 'milestoned', issue: pull, repository })).ticketIds).toEqual(['3']);
  });
});

/** What the emulator sends while something happens in it, read; sorted, because it arrives in any order. */
async function told(act: (hub: GitHubEmulator) => void, hook: Partial<GitHubHookSettings> = {}) {
  const hub = createGitHubEmulator({ repositories: ['org/repo', 'org/other'] });
  await hub.start();
  onTestFinished(() => hub.close());
  const receiver = await webhookReceiver();
  hub.addWebhook('org/repo', { url: receiver.url, secret: SECRET, ...hook });
  await hub.webhooks.settled();
  act(hub);
  await hub.webhooks.settled();
  expect(receiver.received.map((request) => githubWebhook.provesSecret(request, SECRET))).not.toContain(false);
  return receiver.received.map((request) => lineOf(githubWebhook.read(request))).toSorted();
}

function lineOf({ event, action, hook, news }: WebhookMessage): string {
  expect(hook).toBe('400001');
  if (typeof news === 'string') return `${event} ${action}: ${news}`;
  const { ticketIds, about, added, labels = ['?'], open } = news;
  return `${event} ${action}: ${about} ${ticketIds.join()} +[${added.join()}] [${labels.join()}] open=${open}`;
}

describe('what the emulator sends', () => {
  test('says as a form what it says as JSON', async () => {
    const act = (hub: GitHubEmulator): void => {
      const { ticket } = hub.openIssue('org/repo', { title: 'Größe & 50%+1', body: 'a=b&c', labels: ['bug'] });
      hub.editIssue(ticket, { title: 'Other' });
      hub.comment(ticket, 'Hello');
    };
    const lines = await told(act, { contentType: 'form' });
    expect(lines).toEqual(await told(act));
    expect(lines).toEqual([
      'issue_comment created: comment 1 +[] [bug] open=true',
      'issues edited: ticket 1 +[] [bug] open=true',
      'issues labeled: ticket 1 +[bug] [bug] open=true',
      'issues opened: ticket 1 +[] [bug] open=true',
      'ping undefined: ping',
    ]);
  });

  test('of an issue that was transferred is that its number leads nowhere', async () => {
    const lines = await told((hub) => {
      hub.transferIssue(hub.openIssue('org/repo').ticket, 'org/other');
      hub.transferIssue(hub.openIssue('org/other', { labels: ['bug'] }).ticket, 'org/repo');
    });
    expect(lines).toEqual([
      'issues labeled: ticket 2 +[bug] [bug] open=true',
      'issues opened: ticket 1 +[] [] open=true',
      'issues opened: ticket 2 +[] [bug] open=true',
      'issues transferred: ticket 1 +[] [] open=false',
      'ping undefined: ping',
    ]);
  });

  test('of a pull request is about the tickets that it closes', async () => {
    const lines = await told((hub) => {
      hub.openIssue('org/repo', { isPullRequest: true, body: 'Refactoring' });
      const { ticket } = hub.openIssue('org/repo', { isPullRequest: true, body: 'Fixes #7', labels: ['bug'] });
      hub.comment(ticket, 'Hello');
    });
    const link = 'link 7 +[] [?] open=undefined';
    expect(lines).toEqual([
      `issue_comment created: ${link}`,
      'ping undefined: ping',
      `pull_request labeled: ${link}`,
      `pull_request opened: ${link}`,
      'pull_request opened: no-ticket',
    ]);
  });

  test('by the webhook of an App names its installation', async () => {
    const { hub } = await startAppHub({ repositories: ['org/repo'] });
    const receiver = await webhookReceiver();
    hub.addAppWebhook('agent-smith', { url: receiver.url, secret: SECRET });
    hub.openIssue('org/other');
    hub.openIssue('org/repo');
    await hub.webhooks.settled();
    expect(receiver.received.map((request) => githubWebhook.read(request))).toMatchObject([
      { installation: '7', place: { container: 'org/repo' }, news: { ticketIds: ['1'] } },
    ]);
  });
});

interface Example {
  readonly name: string;
  readonly examples: readonly Record<string, unknown>[];
}

const EXAMPLES = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve('@octokit/webhooks-examples'), 'utf8'),
) as readonly Example[];

const exampleShape = z.object({
  action: z.string(),
  issue: z.object({
    number: z.number(),
    // One of them is shortened.
    state: z.string().optional(),
    labels: z.array(z.object({ name: z.string() })).optional(),
    pull_request: z.object({}).optional(),
  }),
  label: z.object({ name: z.string() }).optional(),
  repository: z.object({ id: z.number(), full_name: z.string() }),
});

describe('the published examples', () => {
  test('are all read, each as a delivery of its kind', () => {
    const kinds = new Map<string, Set<string>>();
    for (const { name, examples } of EXAMPLES) {
      const found = examples.map((example) => {
        const { event, news } = read(name, example);
        expect(event).toBe(name);
        return typeof news === 'string' ? news : news.about;
      });
      kinds.set(name, new Set(found));
    }
    expect(kinds.size).toBeGreaterThan(50);
    const known = [...kinds].filter(([, found]) => !found.has('unsupported-event'));
    expect(Object.fromEntries(known.map(([name, found]) => [name, [...found].toSorted()]))).toEqual({
      issue_comment: ['comment'],
      issues: ['no-ticket', 'ticket'],
      ping: ['ping'],
      pull_request: ['no-ticket'],
      pull_request_review: ['no-ticket'],
      pull_request_review_comment: ['no-ticket'],
      pull_request_review_thread: ['no-ticket'],
    });
  });

  test('of issues say which ticket, where, and which labels', () => {
    const examples = EXAMPLES.filter(({ name }) => name === 'issues').flatMap((one) => one.examples);
    expect(examples.length).toBeGreaterThan(20);
    for (const example of examples) {
      const { action, issue: shown, label, repository: where } = exampleShape.parse(example);
      const message = read('issues', example);
      expect(message).toMatchObject({
        action,
        place: { host: 'github.com', container: where.full_name, id: `${where.id}` },
      });
      if (shown.pull_request !== undefined) continue;
      const isGone = action === 'deleted' || action === 'transferred';
      expect(message.news).toEqual({
        ticketIds: [`${shown.number}`],
        about: 'ticket',
        added: action === 'labeled' ? [label?.name] : [],
        removed: action === 'unlabeled' ? [label?.name] : [],
        labels: shown.labels?.map(({ name }) => name),
        open: isGone ? false : shown.state && shown.state === 'open',
        ownComment: false,
      });
    }
  });
});

describe('whatever comes', () => {
  const examplesOf = (event: string) =>
    EXAMPLES.filter(({ name }) => name === event).flatMap(({ examples }) => examples.slice(0, 3));
  const headersOf = (event: string): Headers => ({ 'x-github-event': event });

  test.each(['issues', 'issue_comment', 'pull_request', 'pull_request_review'])(
    'published %s with anything else in any place',
    (event) => {
      const any = fc.constantFrom(...examplesOf(event)).chain(mutated);
      const safely = (body: Buffer) => expectSafelyRead(githubWebhook, { headers: headersOf(event), body });
      fc.assert(fc.property(any, safely), { numRuns: 60 });
    },
  );

  test('forms of anything, and a text that has no end', () => {
    const form = { ...headersOf('issues'), 'content-type': 'application/x-www-form-urlencoded' };
    fc.assert(fc.property(anyBody, (body) => expectSafelyRead(githubWebhook, { headers: form, body })));
    const text = 'fixes '.repeat(20_000) + '#'.repeat(50_000) + 'fixes https://'.repeat(20_000);
    expect(read('pull_request', { pull_request: { body: text }, repository }).news).toBe('no-ticket');
  });
});
