/** What GitHub's deliveries prove and say: the emulator's own, every published example, and anything else. */
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
import { webhookReceiver } from '../../emulators/github/webhook-receiver.ts';
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

  test('is over every bit of the body', () => {
    const headers = { 'x-hub-signature-256': signature(SECRET) };
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.nat(7), (at, bit) => {
        const changed = Buffer.from(body);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(githubWebhook.provesSecret({ headers, body: changed }, SECRET)).toBe(false);
      }),
    );
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
    expect(read('issues', { action: 'opened', issue: { ...issue, ...wrong }, repository }).news).toBe(
      'unsupported-event',
    );
  });

  test.each([
    ['of another type', 'bug'],
    ['of too many', Array.from({ length: 101 }, (_, index) => ({ name: String(index) }))],
    ['with one that is none', [{ name: 'bug' }, 7]],
  ])('labels %s are as good as not shown', (_, labels) => {
    expect(newsOf(read('issues', { issue: { ...issue, labels }, repository })).labels).toBeUndefined();
  });

  test('without a repository there is no ticket; the name must be one', () => {
    for (const wrong of [undefined, null, { ...repository, full_name: 'a/b/c' }, { ...repository, html_url: ':' }]) {
      expect(read('issues', { issue, repository: wrong })).toMatchObject({
        place: undefined,
        news: 'unsupported-event',
      });
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
      expect(read(event, { repository }).news).toBe('unsupported-event');
    },
  );

  test('a comment, or a milestone, on a pull request is about the pull request', () => {
    const pull = { ...issue, body: 'Fixes #3', pull_request: { url: 'https://github.com/Org/Repo/pull/7' } };
    expect(newsOf(read('issue_comment', { issue: pull, repository }))).toMatchObject({ about: 'link' });
    expect(newsOf(read('issues', { action: 'milestoned', issue: pull, repository })).ticketIds).toEqual(['3']);
  });
});

/** What the emulator sends while something happens in it, read; the ping first. */
async function told(
  act: (hub: GitHubEmulator) => void,
  hook: Partial<GitHubHookSettings> = {},
): Promise<WebhookMessage[]> {
  const hub = createGitHubEmulator({ repositories: ['org/repo', 'org/other'] });
  await hub.start();
  onTestFinished(() => hub.close());
  const receiver = await webhookReceiver();
  hub.addWebhook('org/repo', { url: receiver.url, secret: SECRET, ...hook });
  await hub.webhooks.settled();
  act(hub);
  await hub.webhooks.settled();
  const messages = receiver.received.map((request) => {
    expect(githubWebhook.provesSecret(request, SECRET)).toBe(true);
    return githubWebhook.read(request);
  });
  const place = { host: new URL(hub.url).host, container: 'org/repo', id: expect.any(String) };
  expect(messages).toEqual(
    messages.map(() => expect.objectContaining({ id: expect.any(String), hook: '400001', place })),
  );
  expect(new Set(messages.map(({ id }) => id)).size).toBe(messages.length);
  return messages;
}

/** On one line; sorted, because what is sent at the same time arrives in any order. */
function lines(messages: readonly WebhookMessage[]): string[] {
  return messages
    .map(({ event, action, news }) => {
      if (typeof news === 'string') return `${event} ${action}: ${news}`;
      const { ticketIds, about, added, removed, labels, open, ownComment } = news;
      const shown = [ticketIds, added, removed, labels ?? ['?']].map((list) => list.join());
      const own = ownComment === true ? ' ours' : '';
      return `${event} ${action}: ${about} ${shown[0]} +[${shown[1]}] -[${shown[2]}] [${shown[3]}] open=${open}${own}`;
    })
    .toSorted();
}

describe('what the emulator sends', () => {
  test.each(['json', 'form'] as const)('is read as exactly what happened, as %s', async (contentType) => {
    const messages = await told(
      (hub) => {
        const { ticket } = hub.openIssue('org/repo', { title: 'Größe & 50%', body: 'B', labels: ['bug'] });
        hub.addLabel(ticket, 'agent-smith:pending');
        hub.removeLabel(ticket, 'bug');
        hub.editIssue(ticket, { title: 'Other' });
        hub.comment(ticket, 'Hello');
        hub.comment(ticket, 'Done.\n\n<!-- agent-smith run=01J -->');
        hub.closeIssue(ticket);
        hub.reopenIssue(ticket);
        hub.deleteIssue(ticket);
      },
      { contentType },
    );
    expect(lines(messages)).toEqual(
      [
        'ping undefined: ping',
        'issues opened: ticket 1 +[] -[] [bug] open=true',
        'issues labeled: ticket 1 +[bug] -[] [bug] open=true',
        'issues labeled: ticket 1 +[agent-smith:pending] -[] [bug,agent-smith:pending] open=true',
        'issues unlabeled: ticket 1 +[] -[bug] [agent-smith:pending] open=true',
        'issues edited: ticket 1 +[] -[] [agent-smith:pending] open=true',
        'issue_comment created: comment 1 +[] -[] [agent-smith:pending] open=true',
        'issue_comment created: comment 1 +[] -[] [agent-smith:pending] open=true ours',
        'issues closed: ticket 1 +[] -[] [agent-smith:pending] open=false',
        'issues reopened: ticket 1 +[] -[] [agent-smith:pending] open=true',
        'issues deleted: ticket 1 +[] -[] [agent-smith:pending] open=undefined',
      ].toSorted(),
    );
  });

  test('of an issue that was transferred is that its number leads nowhere', async () => {
    const messages = await told((hub) => {
      hub.transferIssue(hub.openIssue('org/repo').ticket, 'org/other');
      hub.transferIssue(hub.openIssue('org/other', { labels: ['bug'] }).ticket, 'org/repo');
    });
    expect(lines(messages)).toEqual(
      [
        'ping undefined: ping',
        'issues opened: ticket 1 +[] -[] [] open=true',
        'issues transferred: ticket 1 +[] -[] [] open=undefined',
        'issues opened: ticket 2 +[] -[] [bug] open=true',
        'issues labeled: ticket 2 +[bug] -[] [bug] open=true',
      ].toSorted(),
    );
  });

  test('of a pull request is about the tickets that it closes', async () => {
    const messages = await told((hub) => {
      hub.openIssue('org/repo', { isPullRequest: true, body: 'Refactoring' });
      const { ticket } = hub.openIssue('org/repo', { isPullRequest: true, body: 'Fixes #7', labels: ['bug'] });
      hub.comment(ticket, 'Hello');
    });
    const link = 'link 7 +[] -[] [?] open=undefined';
    expect(lines(messages)).toEqual(
      [
        'ping undefined: ping',
        'pull_request opened: no-ticket',
        `pull_request opened: ${link}`,
        `pull_request labeled: ${link}`,
        `issue_comment created: ${link}`,
      ].toSorted(),
    );
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
        open: isGone || shown.state === undefined ? undefined : shown.state === 'open',
      });
    }
  });
});

const EVENTS = ['issues', 'issue_comment', 'pull_request', 'pull_request_review', 'ping', 'star', '__proto__', ''];

/** Whatever it is, it is read as a message whose ids are ids, or refused as unreadable. */
function isSafelyRead(event: string, body: Buffer | string, headers: Headers = {}): void {
  const request = { headers: { 'x-github-event': event, ...headers }, body: Buffer.from(body) };
  try {
    const { event: said, action, place, news } = githubWebhook.read(request);
    expect(`${said}${action ?? ''}`).toMatch(/^[ -~]{0,200}$/);
    if (place !== undefined) expect(place.container).toMatch(/^[^/]+\/[^/]+$/);
    if (typeof news === 'string') return;
    expect(news.ticketIds.length).toBeGreaterThan(0);
    for (const id of news.ticketIds) expect(id).toMatch(/^[1-9]\d{0,15}$/);
  } catch (error) {
    if (!(error instanceof UnreadableWebhook)) throw error;
  }
}

describe('whatever comes', () => {
  const event = fc.constantFrom(...EVENTS);

  test('bytes and texts', () => {
    fc.assert(fc.property(event, fc.uint8Array(), (name, bytes) => isSafelyRead(name, Buffer.from(bytes))));
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    fc.assert(fc.property(event, fc.string(), (name, text) => isSafelyRead(name, text, form)));
    fc.assert(fc.property(event, fc.json(), (name, text) => isSafelyRead(name, `payload=${text}`, form)));
  });

  test('JSON of any shape', () => {
    fc.assert(fc.property(event, fc.json(), (name, text) => isSafelyRead(name, text)));
    fc.assert(
      fc.property(event, fc.json(), (name, value) => {
        isSafelyRead(name, `{"__proto__":${value},"issue":${value},"repository":${value},"comment":${value}}`);
      }),
    );
  });

  test('real payloads with something else in some places', () => {
    const bodies = EXAMPLES.filter(({ name }) => EVENTS.includes(name)).flatMap(({ examples }) =>
      examples.slice(0, 3).map((example) => JSON.stringify(example)),
    );
    const odd = fc.oneof(
      fc.constantFrom('null', '{}', '[]', '""', '1e999', '-1', '123456789012345678901', '{"__proto__":1}'),
      fc.json({ maxDepth: 1 }),
    );
    fc.assert(
      fc.property(event, fc.constantFrom(...bodies), fc.nat(), odd, (name, body, seed, value) => {
        const values = [...body.matchAll(/(?<=":)(?:"[^"\\]*"|\d+|null|true|false)/g)];
        const place = values[seed % values.length];
        if (place === undefined) throw new Error('no value in the payload');
        isSafelyRead(name, body.slice(0, place.index) + value + body.slice(place.index + place[0].length));
      }),
      { numRuns: 500 },
    );
  });

  test('deep nesting, and lists of a hundred thousand wrong things', () => {
    isSafelyRead('issues', `{"issue":${'['.repeat(100_000)}${']'.repeat(100_000)}}`);
    isSafelyRead('issues', `{"issue":${'{"issue":'.repeat(50_000)}1${'}'.repeat(50_000)}}`);
    const labels = Array.from({ length: 100_000 }, () => 7);
    isSafelyRead('issues', JSON.stringify({ issue: { ...issue, labels }, repository }));
    const body = 'fixes '.repeat(20_000) + '#'.repeat(50_000) + 'fixes https://'.repeat(20_000);
    isSafelyRead('pull_request', JSON.stringify({ pull_request: { body }, repository }));
  });
});
