/** Listing on GitLab: spellings, keysets, and labels that its filter cannot name. */
import { expect, test } from 'vitest';
import { connectGitLab } from '../../../src/platforms/gitlab/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { json, startLoopbackServer } from '../../support/loopback-server.ts';
import { allPages, callOf, failure, listedIds } from '../conformance/calls.ts';
import { connected, PROJECT, TOKEN } from './connected.ts';

test('a label is found in every spelling of the project, which is looked up once for many polls', async () => {
  const { server, gitlab, sent } = await connected();
  for (const label of ['Fix', 'fix', 'FIX', 'fixed', 'prefix']) server.openIssue(PROJECT, { labels: [label] });
  expect((await listedIds(gitlab, ['fix'])).toSorted()).toEqual(['1', '2', '3']);
  await listedIds(gitlab, ['fix']);
  expect(sent().filter((request) => request === 'GET labels/list')).toHaveLength(1);
  expect(sent().filter((request) => request === 'GET issues/list')).toHaveLength(6);
});

test('a ticket that leaves the listing between two pages hides no other', async () => {
  const { server, gitlab } = await connected();
  for (let iid = 1; iid <= 150; iid += 1) server.openIssue(PROJECT, { labels: ['fix'] });
  const query = { labels: ['fix'], state: 'open' } as const;
  const first = await gitlab.listTickets(query, undefined, callOf());
  for (let iid = 1; iid <= 100; iid += 1) server.removeLabel(`${PROJECT}#${iid}`, 'fix');
  const second = await gitlab.listTickets(query, first.next, callOf());
  expect(second.tickets).toHaveLength(50);
});

test('tasks and incidents are tickets, too', async () => {
  const { server, gitlab } = await connected();
  server.openIssue(PROJECT, { labels: ['fix'], type: 'task' });
  server.openIssue(PROJECT, { labels: ['fix'], type: 'incident' });
  expect(await listedIds(gitlab, ['fix'])).toEqual(['1', '2']);
});

test.each(['a,b', 'None'])(
  'the label "%s", which the filter cannot name, is refused and not asked for',
  async (label) => {
    const { gitlab, sent } = await connected();
    const listed = gitlab.listTickets({ labels: ['fix', label], state: 'open' }, undefined, callOf());
    expect(await failure(listed, TOKEN)).toMatchObject({
      kind: 'unsupported',
      effect: 'none',
      message: expect.stringContaining(label),
    });
    expect(sent()).toEqual([]);
  },
);

test('a server without keysets, which believes to be elsewhere, is walked by page numbers where it is', async () => {
  const issue = { iid: 1, title: 'T', web_url: 'https://x', state: 'opened', labels: ['fix'] };
  await using server = await startLoopbackServer(({ url }, response) => {
    if (url?.includes('/labels?') === true) return json(response, 200, []);
    const isSecond = url?.includes('page=2') === true && !url.includes('per_page=2');
    const next = '<http://gitlab.internal/api/v4/projects/1/issues?per_page=100&page=2>; rel="next"';
    response.setHeader('link', isSecond ? '<http://x/?page=1>; rel="prev"' : next);
    return json(response, 200, [{ ...issue, iid: isSecond ? 2 : 1 }]);
  });
  const apiUrl = `${server.origin}/api/v4`;
  const gitlab = connectGitLab({
    source: { platform: 'gitlab', host: new URL(apiUrl).host, container: PROJECT, apiUrl },
    credential: { kind: 'token', token: TOKEN },
    transport: createTransport({ credentialId: 'smith', origin: apiUrl }),
  });
  const { tickets } = await allPages(gitlab, ['fix']);
  expect(tickets.map(({ id }) => id)).toEqual(['1', '2']);
});
