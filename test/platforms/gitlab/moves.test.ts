/** Where a project is: below a path, in nested groups, under a former name. */
import { expect, test } from 'vitest';
import { callOf, failure, listedIds, read } from '../conformance/calls.ts';
import { connected, PROJECT, TOKEN } from './connected.ts';

test('a server below a path is spoken to below that path, about a project in nested groups', async () => {
  const { server, gitlab } = await connected({ pathPrefix: '/code/gitlab' });
  server.openIssue(PROJECT, { labels: ['fix'] });
  expect(await listedIds(gitlab, ['fix'])).toEqual(['1']);
  await gitlab.moveLifecycle(await read(gitlab, '1'), 'done', callOf());
  const paths = server.ledger.requests().map(({ path }) => path);
  expect(paths.filter((path) => !path.startsWith('/code/gitlab/api/v4/projects/group%2Fsub%2Fproject/'))).toEqual([]);
});

test('a renamed project stays the same source: reads follow, writes go to its number', async () => {
  const { server, gitlab } = await connected({ pathPrefix: '/gitlab' });
  server.openIssue(PROJECT, { labels: ['fix', 'agent-smith:pending'] });
  const before = await read(gitlab, '1');
  server.renameProject(PROJECT, 'elsewhere/renamed');
  const after = await read(gitlab, '1');
  expect(after).toMatchObject({ key: before.key, display: before.display, open: true });
  expect(await listedIds(gitlab, ['fix'])).toEqual(['1']);
  expect(await gitlab.labelActor('1', 'fix', callOf())).toBe('root');
  await gitlab.ensureLifecycleLabels(callOf());
  expect(await gitlab.moveLifecycle(after, 'done', callOf())).toEqual(['agent-smith:done', 'fix']);
  await gitlab.comment('1', { markdown: 'Done.', marker: '<!-- m -->' }, callOf());
  expect(server.issue('elsewhere/renamed#1').comments).toHaveLength(1);
  expect(server.projectLabels('elsewhere/renamed').map(({ name }) => name)).toContain('agent-smith:in-progress');
});

test('a project that took the former path is another one, and is written to at once', async () => {
  const { server, gitlab } = await connected();
  server.openIssue(PROJECT, { title: 'Old' });
  server.renameProject(PROJECT, 'group/renamed');
  await gitlab.moveLifecycle(await read(gitlab, '1'), 'enqueued', callOf());
  server.addProject(PROJECT);
  server.openIssue(PROJECT, { title: 'New' });
  await gitlab.moveLifecycle(await read(gitlab, '1'), 'done', callOf());
  expect(server.issue('group/renamed#1').labels).toEqual(['agent-smith:enqueued']);
  expect(server.issue(`${PROJECT}#1`).labels).toEqual(['agent-smith:done']);
});

test('a write that is not allowed for another reason is told, after its project was looked at', async () => {
  const { server, gitlab } = await connected();
  server.openIssue(PROJECT);
  const seen = await read(gitlab, '1');
  server.faults.inject({ method: 'PUT' }, { kind: 'answer', status: 405, body: { message: '405 Method Not Allowed' } });
  const error = await failure(gitlab.moveLifecycle(seen, 'done', callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'invalid-response', status: 405 });
  expect(server.ledger.requests({ method: 'PUT' })).toHaveLength(2);
});
