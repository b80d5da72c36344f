import { expect, test } from 'vitest';
import { allPages, callOf, failure, listedIds, requestsDuring } from '../conformance/calls.ts';
import { type Connected, connected, TOKEN } from './connected.ts';

/** Opens a ticket for each list of labels; their ids. */
const open = ({ site }: Connected, ...labels: string[][]): string[] =>
  labels.map((list) => site.openIssue('ABC', { labels: list }).id);

test.each(['cloud', 'data_center'] as const)('no label gets out of its quotes, on %s', async (deployment) => {
  await using at = await connected({ deployment });
  for (const label of ['x")OR(project=XYZ', "x')", 'back\\slash', 'x\\"', 'and', 'ünï-✓']) {
    const [id] = open(at, [label]);
    expect(await listedIds(at.jira, [label])).toEqual([id]);
  }
  at.site.openIssue('XYZ', { labels: ['fix'] });
  for (const label of [
    'x") OR 1=1',
    "x') OR 1=1",
    'x") OR project = XYZ OR labels in ("fix',
    'line\nbreak',
    '\u0000',
  ]) {
    expect(await listedIds(at.jira, [label], 'all')).toEqual([]);
  }
});

test('the ways in which people spell a label are all found', async () => {
  await using at = await connected();
  const ids = open(at, ['fix-it'], ['FIX-IT'], ['Fix-it'], ['Fix-It'], ['fix-it-later']);
  expect(await listedIds(at.jira, ['Fix-it'])).toEqual(ids.slice(0, 4));
  expect(await listedIds(at.jira, ['fix-it'])).toEqual(ids.slice(0, 4));
});

test('without a project the whole site is listed, as far as the account may browse it', async () => {
  await using at = await connected();
  const [mine] = open(at, ['fix']);
  const { id: other } = at.site.openIssue('XYZ', { labels: ['fix'] });
  expect(await listedIds(at.connect({ siteWide: true }), ['fix'])).toEqual([mine, other]);
  expect(await listedIds(at.jira, ['fix'])).toEqual([mine]);
});

test('of the index only what the issue itself still shows is listed; what it has not seen comes later', async () => {
  await using at = await connected();
  const [first, second] = open(at, ['fix'], ['fix']);
  at.site.index.fallBehind();
  at.site.removeLabel('ABC-1', 'fix');
  const [late] = open(at, ['fix']);
  expect(await listedIds(at.jira, ['fix'])).toEqual([second]);
  at.site.addLabel('ABC-1', 'fix');
  at.site.index.catchUp();
  expect(await listedIds(at.jira, ['fix'])).toEqual([first, second, late]);
});

test('a project that is not there, or not for us, is no empty listing', async () => {
  await using at = await connected();
  const outsider = at.connect({
    credential: { kind: 'basic', email: 'outsider@example.com', token: 'outsider-token' },
  });
  const error = await failure(outsider.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'not-found', status: 400 });
  expect(error.message).toContain("The value 'ABC' does not exist for the field 'project'");
});

test('Cloud: pages by their tokens, and asks for no more than it shows', async () => {
  await using at = await connected({ pageLimit: 2 });
  const ids = open(at, ['fix'], ['fix'], ['fix'], ['fix']);
  at.site.openIssue('ABC', { labels: ['fix'], description: 'a long text' });
  const { pages, tickets } = await allPages(at.jira, ['fix']);
  expect(pages.map((page) => page.tickets.length)).toEqual([2, 2, 1]);
  expect(tickets.slice(0, 4).map(({ id }) => id)).toEqual(ids);
  expect(tickets.at(4)).toMatchObject({ body: '', scope: 'ABC', display: 'ABC-5' });
  expect(new Set(at.site.ledger.requests().map(({ path }) => path))).toEqual(new Set(['/rest/api/3/search/jql']));
});

test('Cloud: a page that leads to itself ends in an error, not in a circle', async () => {
  await using at = await connected();
  at.site.faults.inject(
    {},
    { kind: 'answer', status: 200, body: { issues: [], isLast: false, nextPageToken: 'round' } },
  );
  const { next } = await at.jira.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  const again = at.jira.listTickets({ labels: ['fix'], state: 'open' }, next, callOf());
  expect(await failure(again, TOKEN)).toMatchObject({ kind: 'invalid-response' });
});

test('Data Center: what drops out of the result between two pages hides nothing behind it', async () => {
  await using at = await connected({ deployment: 'data_center', contextPath: '/jira', pageLimit: 2 });
  const ids = open(at, ['fix'], ['fix'], ['fix'], ['fix'], ['fix']);
  const page = (cursor?: string) => at.jira.listTickets({ labels: ['fix'], state: 'open' }, cursor, callOf());
  const first = await page();
  at.site.removeLabel('ABC-1', 'fix');
  at.site.setStatus('ABC-2', 'done');
  const seen = first.tickets.map(({ id }) => id);
  for (let { next } = first; next !== undefined; ) {
    const { tickets, next: onward } = await page(next);
    seen.push(...tickets.map(({ id }) => id));
    next = onward;
  }
  expect(seen).toEqual(ids);
  const requests = await requestsDuring(at.site, () => listedIds(at.jira, ['fix']));
  expect(requests.map(({ path }) => path)).toEqual(['/jira/rest/api/2/search', '/jira/rest/api/2/search']);
});
