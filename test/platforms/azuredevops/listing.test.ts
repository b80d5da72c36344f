/** Queries and what they find: escaped, in parentheses, page by page, never near the limit of results. */
import { expect, test } from 'vitest';
import { listingWiql } from '../../../src/platforms/azuredevops/wiql.ts';
import { allPages, callOf, failure, requestsDuring } from '../conformance/calls.ts';
import { connected, TOKEN } from './connected.ts';

test('a query keeps OR in parentheses and doubles every quote', () => {
  const query = { labels: ['fix', "x') OR 1=1"], states: ['New', 'Won’t'], after: 7 };
  expect(listingWiql(query)).toBe(
    'SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project' +
      " AND ([System.Tags] CONTAINS 'fix' OR [System.Tags] CONTAINS 'x'') OR 1=1')" +
      " AND [System.State] IN ('New', 'Won’t') AND [System.Id] > 7 ORDER BY [System.Id]",
  );
  expect(listingWiql({ ...query, states: undefined })).not.toContain('System.State');
});

test('work items of other projects and in other states stay out, whichever label they match', async () => {
  await using at = await connected();
  const { server } = at;
  const [first, second] = ['a', 'b'].map((label) => server.openWorkItem('org', 'Shop', { labels: [label] }));
  server.openWorkItem('org', 'Elsewhere', { labels: ['a', 'b'] });
  for (const label of ['a', 'b']) {
    server.setState(server.openWorkItem('org', 'Shop', { labels: [label] }).ticket, 'Resolved');
  }
  const { tickets } = await allPages(at.azure, ['a', 'b']);
  expect(tickets.map(({ id }) => Number(id))).toEqual([first?.id, second?.id]);
  const resolved = at.connect({ tickets: { open_states: ['resolved'] } });
  expect((await allPages(resolved, ['a', 'b'])).tickets).toHaveLength(2);
  expect((await allPages(at.azure, ['a', 'b'], 'all')).tickets).toHaveLength(4);
});

test('hydrates at most 200 at once, and a limit of results below the number of tickets does not matter', async () => {
  await using at = await connected({ queryLimit: 200 });
  for (let n = 0; n < 401; n += 1) at.server.openWorkItem('org', 'Shop', { labels: ['fix'] });
  await at.azure.readTicket('1', callOf());
  const requests = await requestsDuring(at.server, async () => {
    const { tickets, pages } = await allPages(at.azure, ['fix']);
    expect(new Set(tickets.map(({ id }) => id)).size).toBe(401);
    expect(pages.map((page) => page.tickets.length)).toEqual([200, 200, 1]);
  });
  expect(requests.map(({ operation, status }) => `${operation} ${status}`)).toEqual(
    Array.from({ length: 3 }, () => ['wit/wiql 200', 'wit/workItemsBatch 200']).flat(),
  );
});

test('nothing found is one request', async () => {
  await using at = await connected();
  await at.azure.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  const list = () => at.azure.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  expect(await requestsDuring(at.server, list)).toHaveLength(1);
});

test('many labels are walked in groups of 25, and a group that is gone from the configuration begins anew', async () => {
  await using at = await connected();
  const labels = Array.from({ length: 60 }, (_, n) => `fix-${n}`);
  const ids = [labels[0], labels[24], labels[25], labels[59]].map((label) =>
    String(at.server.openWorkItem('org', 'Shop', { labels: [String(label)] }).id),
  );
  await at.azure.readTicket('1', callOf());
  const requests = await requestsDuring(at.server, async () => {
    const { tickets } = await allPages(at.azure, labels);
    expect(tickets.map(({ id }) => id)).toEqual(ids);
  });
  expect(requests.filter(({ operation }) => operation === 'wit/wiql')).toHaveLength(3);

  const { next } = await at.azure.listTickets({ labels, state: 'open' }, undefined, callOf());
  const page = await at.azure.listTickets({ labels: ['fix-0'], state: 'open' }, next, callOf());
  expect(page.tickets.map(({ id }) => id)).toEqual(ids.slice(0, 1));
});

test('a work item that is deleted between the query and its hydration is left out', async () => {
  await using at = await connected();
  const [, gone] = [1, 2, 3].map(() => at.server.openWorkItem('org', 'Shop', { labels: ['fix'] }));
  const off = at.server.ledger.subscribe((entry) => {
    if (entry.kind !== 'request' || entry.operation !== 'wit/wiql') return;
    off();
    at.server.deleteWorkItem(String(gone?.ticket));
  });
  const { tickets } = await allPages(at.azure, ['fix']);
  expect(tickets.map(({ id }) => id)).toEqual(['1', '3']);
});

test('a project that is not there is an error, never an empty listing', async () => {
  await using at = await connected();
  const azure = at.connect({ tickets: { url: `${at.server.collectionUrl('org')}/Nowhere` } });
  const listed = azure.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  expect(await failure(listed, TOKEN)).toMatchObject({ kind: 'not-found', status: 404 });
});

test('too many results are an error too, however they came about', async () => {
  await using at = await connected({ queryLimit: 1 });
  for (let n = 0; n < 2; n += 1) at.server.openWorkItem('org', 'Shop', { labels: ['fix'] });
  const error = await failure(allPages(at.azure, ['fix']), TOKEN);
  expect(error).toMatchObject({ kind: 'invalid-response', message: expect.stringContaining('VS402337') });
});
