/** How GitHub lists; what every platform does is in `../conformance`. */
import { expect, test } from 'vitest';
import { PlatformError } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { json, startLoopbackServer } from '../../support/loopback-server.ts';
import { allPages, callOf } from '../conformance/calls.ts';
import { connected, failure, TOKEN } from './connected.ts';

test('pull requests are issues too, and are not listed', async () => {
  await using at = await connected();
  const issue = at.hub.openIssue('org/repo', { labels: ['fix'] });
  at.hub.openIssue('org/repo', { labels: ['fix'], isPullRequest: true });
  const { tickets } = await allPages(at.github, ['fix'], 'all');
  expect(tickets.map(({ id }) => id)).toEqual([String(issue.number)]);
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

test('a 304 to a first request is an error, never an empty listing', async () => {
  await using at = await connected();
  at.hub.faults.inject({}, { kind: 'answer', status: 304, body: '' });
  const error = await failure(at.github.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()));
  expect(error).toMatchObject({ kind: 'invalid-response', effect: 'none' });
  expect(error.message).toContain('list tickets labelled "fix" of org/repo: ');
});

test('a repository that the token does not see is an error, never an empty listing', async () => {
  await using at = await connected();
  const listed = at.connect('org/nothing').listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  expect(await failure(listed)).toMatchObject({ kind: 'not-found', status: 404 });
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
  expect(at.facts.at(-1)).toMatchObject({ status: 200 });
  expect(at.transport.limits.budget().window?.remaining).toBe(0);
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
  expect(at.transport.limits.budget()).toMatchObject({ heldMs: 0, window: { remaining: 4_999 } });
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

test('a credential that GitHub does not know is refused at once', async () => {
  await using at = await connected();
  const connect = () =>
    connectGitHub({
      source: { platform: 'github', host: 'github.com', container: 'org/repo', apiUrl: at.hub.url },
      credential: { kind: 'basic', email: 'a@b.example', token: TOKEN },
      transport: at.transport,
    });
  expect(connect).toThrow(PlatformError);
  expect(connect).toThrow('takes a token or a GitHub App');
});
