import { expect, test } from 'vitest';
import { PlatformError } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { json, startLoopbackServer } from '../loopback-server.ts';
import { allPages, callOf, connected, failure, TOKEN } from './connected.ts';

test('lists every ticket with a label over all pages, oldest first, without pull requests', async () => {
  await using at = await connected();
  for (let n = 1; n <= 250; n += 1) at.hub.openIssue('org/repo', { title: `ticket ${n}`, labels: ['fix'] });
  at.hub.openIssue('org/repo', { labels: ['fix'], isPullRequest: true });
  at.hub.openIssue('org/repo', { labels: ['other'] });
  at.hub.closeIssue('org/repo#2');

  const open = await allPages(at.github, ['fix']);
  expect(open.pages.map((page) => page.tickets.length)).toEqual([100, 100, 49]);
  expect(open.tickets.map((ticket) => Number(ticket.id))).toEqual([1, ...Array.from({ length: 248 }, (_, i) => i + 3)]);

  const all = await allPages(at.github, ['fix'], 'all');
  expect(all.tickets).toHaveLength(250);
  expect(all.tickets[1]).toMatchObject({ id: '2', open: false });
});

test('describes a ticket by its source, without the body', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { title: 'Broken', body: 'long text', labels: ['fix', 'Urgent'] });
  const { tickets } = await allPages(at.connect('Org/Repo'), ['fix']);
  const host = new URL(at.hub.url).host;
  expect(tickets).toEqual([
    {
      key: `github~${encodeURIComponent(host)}~org%2Frepo~1`,
      id: '1',
      display: 'Org/Repo#1',
      url: `${at.hub.pageUrl('org/repo')}/issues/1`,
      title: 'Broken',
      body: '',
      labels: ['fix', 'Urgent'],
      open: true,
    },
  ]);
});

test('walks one label after the other, and takes any letter case', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['Fix'] });
  at.hub.openIssue('org/repo', { labels: ['scan: "all", now?'] });
  at.hub.openIssue('org/repo', { labels: ['fix', 'lint'] });
  const { pages } = await allPages(at.github, ['fix', 'empty', 'lint']);
  expect(pages.map((page) => page.tickets.map((ticket) => ticket.id))).toEqual([['1', '3'], [], ['3']]);
});

test('compares the labels itself: what only looks alike to the server is dropped', async () => {
  await using at = await connected();
  const issue = (number: number, labels: unknown[]) => ({
    number,
    title: 'A ticket',
    html_url: 'https://github.example/org/repo/issues/1',
    repository_url: `${at.hub.url}/repos/org/repo`,
    state: 'open',
    labels,
  });
  const body = [issue(1, ['FIX']), issue(2, [{ name: 'fix-later' }, { name: null }]), issue(3, [])];
  at.hub.faults.inject({}, { kind: 'answer', status: 200, body });
  expect((await allPages(at.github, ['fix'])).tickets).toMatchObject([{ id: '1', labels: ['FIX'] }]);
});

test('goes on from a cursor, and begins again when the label of the cursor is no longer asked for', async () => {
  await using at = await connected();
  for (let n = 0; n < 101; n += 1) at.hub.openIssue('org/repo', { labels: ['fix'] });
  const first = await at.github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  const again = at.connect();
  const second = await again.listTickets({ labels: ['fix'], state: 'open' }, first.next, callOf());
  expect(second).toMatchObject({ tickets: [{ id: '101' }] });
  expect(second.next).toBeUndefined();
  const reloaded = await again.listTickets({ labels: ['other'], state: 'open' }, first.next, callOf());
  expect(reloaded).toEqual({ tickets: [] });
});

test('a listing without labels is a programming error', async () => {
  await using at = await connected();
  await expect(at.github.listTickets({ labels: [], state: 'open' }, undefined, callOf())).rejects.toThrow(TypeError);
});

test('an unchanged listing costs nothing: 304 on every page, with the next page remembered', async () => {
  await using at = await connected();
  for (let n = 0; n < 150; n += 1) at.hub.openIssue('org/repo', { labels: ['fix'] });
  const first = await allPages(at.github, ['fix']);
  expect(await allPages(at.github, ['fix'])).toEqual(first);
  expect(at.hub.ledger.requests().map(({ status }) => status)).toEqual([200, 200, 304, 304]);
  expect(at.facts.map(({ notModified }) => notModified)).toEqual([false, false, true, true]);

  at.hub.addLabel('org/repo#120', 'urgent');
  const changed = await allPages(at.github, ['fix']);
  expect(at.hub.ledger.requests({ status: 304 })).toHaveLength(3);
  expect(changed.tickets[119]?.labels).toEqual(['fix', 'urgent']);
});

test('projects on one credential share what it has seen, another credential does not', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'] });
  await allPages(at.github, ['fix']);
  await allPages(at.connect(), ['fix']);
  expect(at.hub.ledger.totals().byStatus.get(304)).toBe(1);
  const other = createTransport({ credentialId: 'other', origin: at.hub.url });
  await allPages(at.connect('org/repo', other), ['fix']);
  expect(at.hub.ledger.requests().at(-1)).toMatchObject({ status: 200, headers: {} });
});

test('a renamed repository is still listed under its configured name', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'] });
  at.hub.renameRepository('org/repo', 'org/renamed');
  for (let round = 0; round < 2; round += 1) {
    expect((await allPages(at.github, ['fix'])).tickets).toMatchObject([{ display: 'org/repo#1' }]);
  }
  expect(at.hub.ledger.totals().byStatus.get(304)).toBe(1);
});

const faults = {
  '401': [{ kind: 'answer', status: 401 }, 'auth'],
  '403': [{ kind: 'answer', status: 403, body: { message: 'Resource not accessible' } }, 'auth'],
  '404': [{ kind: 'answer', status: 404 }, 'not-found'],
  '429': [{ kind: 'answer', status: 429, headers: { 'retry-after': '30' } }, 'rate-limited'],
  '502': [{ kind: 'answer', status: 502, body: '<h1>Unicorn!</h1>' }, 'unavailable'],
  'an HTML page': [{ kind: 'html' }, 'invalid-response'],
  'HTML said to be JSON': [
    { kind: 'answer', status: 200, body: '<html>', headers: { 'content-type': 'application/json' } },
    'invalid-response',
  ],
  'text said to be JSON': [
    { kind: 'answer', status: 200, body: '[{"numb', headers: { 'content-type': 'application/json' } },
    'invalid-response',
  ],
  'an object instead of a list': [{ kind: 'answer', status: 200, body: { items: [] } }, 'invalid-response'],
  'a list of other things': [{ kind: 'answer', status: 200, body: [{ id: 1 }] }, 'invalid-response'],
  'an empty answer': [{ kind: 'answer', status: 200, body: '' }, 'invalid-response'],
  '304 to a first request': [{ kind: 'answer', status: 304, body: '' }, 'invalid-response'],
  'a cut connection': [{ kind: 'cut' }, 'unavailable'],
  'a cut inside the body': [{ kind: 'cut-inside-body' }, 'unavailable'],
} as const;

test.each(Object.entries(faults))('%s is an error by kind, never an empty listing', async (_, [fault, kind]) => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'] });
  at.hub.faults.inject({}, fault);
  const error = await failure(at.github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()));
  expect(error).toMatchObject({ kind, effect: 'none' });
  expect(error.message).toContain('list tickets labelled "fix" of org/repo: ');
});

test('a hung server is left at the deadline', async () => {
  await using at = await connected();
  const fault = at.hub.faults.inject({}, { kind: 'hang' });
  const call = callOf({ deadlineMs: 200 });
  const error = await failure(at.github.listTickets({ labels: ['fix'], state: 'open' }, undefined, call));
  expect(error.kind).toBe('unavailable');
  expect(fault.hits).toBe(1);
  await at.hub.ledger.waitFor((entry) => entry.kind === 'request' && entry.outcome === 'abandoned');
});

test('a wrong token is an error, and a repository that the token does not see too', async () => {
  await using at = await connected();
  const list = (repository: string, token?: string): Promise<PlatformError> => {
    const transport = createTransport({ credentialId: 'x', origin: at.hub.url });
    const github = at.connect(repository, transport, token);
    return failure(github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()));
  };
  expect(await list('org/repo', 'wrong')).toMatchObject({ kind: 'auth', status: 401 });
  expect(await list('org/nothing')).toMatchObject({ kind: 'not-found', status: 404 });
});

test.each([
  [{ retryAfterSeconds: 30 }, 30_000],
  [{ status: 429 }, 60_000],
  [{}, 60_000],
] as const)('a secondary limit holds the credential back (%o)', async (limit, retryAfterMs) => {
  await using at = await connected();
  at.hub.imposeSecondaryLimit({ ...limit, times: 1 });
  const list = () => failure(at.github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()));
  expect(await list()).toMatchObject({ kind: 'rate-limited', retryAfterMs });
  expect((await list()).kind).toBe('rate-limited');
  expect(at.hub.ledger.requests()).toHaveLength(1);
});

test('a used-up budget holds the credential back until it is reset', async () => {
  await using at = await connected();
  at.hub.rateLimits.set('bot', { remaining: 1, resetAtMs: Date.now() + 600_000 });
  await allPages(at.github, ['fix']);
  expect(at.facts.at(-1)).toMatchObject({ status: 200, remaining: 0 });
  const error = await failure(at.github.readTicket('1', callOf()));
  expect(error.kind).toBe('rate-limited');
  expect(error.retryAfterMs).toBeGreaterThan(590_000);
  expect(at.hub.ledger.requests()).toHaveLength(1);
});

test.each([403, 429] as const)(
  'a budget that others have used up is a limit, not a lack of rights (%i)',
  async (refusal) => {
    await using at = await connected();
    at.hub.rateLimits.set('bot', { remaining: 0, resetAtMs: Date.now() + 600_000, refusal });
    const error = await failure(at.github.readTicket('1', callOf()));
    expect(error).toMatchObject({ kind: 'rate-limited', status: refusal });
    expect(error.retryAfterMs).toBeGreaterThan(590_000);
  },
);

test('an empty budget of the search says nothing about issues', async () => {
  await using at = await connected();
  const headers = {
    'x-ratelimit-resource': 'search',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': String(Math.ceil(Date.now() / 1000) + 600),
  };
  at.hub.faults.inject({ times: 1 }, { kind: 'answer', status: 200, body: [], headers });
  expect((await allPages(at.github, ['fix', 'lint'])).tickets).toEqual([]);
  expect(at.transport.limits.waitMs()).toBe(0);
});

test('a next page at another origin is refused, and the token stays here', async () => {
  await using other = await startLoopbackServer((_, response) => json(response, 200, []));
  await using hub = await startLoopbackServer((_, response) =>
    json(response, 200, [], {
      etag: '"1"',
      link: `<${other.origin}/page2>; rel="next", <${other.origin}/9>; rel="last"`,
    }),
  );
  const github = connectGitHub({
    source: { platform: 'github', host: 'github.example', container: 'org/repo', apiUrl: hub.origin },
    credential: { kind: 'token', token: TOKEN },
    transport: createTransport({ credentialId: 'x', origin: hub.origin }),
  });
  const list = () => failure(github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()));
  expect(await list()).toMatchObject({ kind: 'invalid-response' });
  expect(await list()).toMatchObject({ kind: 'invalid-response' });
  expect(other.requests).toEqual([]);
  expect(hub.requests[1]?.headers['if-none-match']).toBeUndefined();
});

test('a redirect to another origin is refused, and the token stays here', async () => {
  await using other = await startLoopbackServer((_, response) => json(response, 200, []));
  await using at = await connected();
  at.hub.faults.inject({}, { kind: 'redirect', location: `${other.origin}/issues` });
  const error = await failure(at.github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()));
  expect(error.kind).toBe('invalid-response');
  expect(other.requests).toEqual([]);
});

test('a credential that is no token is refused at once', async () => {
  await using at = await connected();
  const connect = () =>
    connectGitHub({
      source: { platform: 'github', host: 'github.com', container: 'org/repo', apiUrl: at.hub.url },
      credential: { kind: 'app', appId: '1', installationId: '2', privateKeyFile: 'key.pem' },
      transport: at.transport,
    });
  expect(connect).toThrow(PlatformError);
  expect(connect).toThrow('takes a token');
});
