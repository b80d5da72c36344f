/** Moves of the lifecycle label on GitLab: one request, and certainty about what it did. */
import { expect, test } from 'vitest';
import { callOf, failure, read } from '../conformance/calls.ts';
import { connected, PROJECT, TOKEN } from './connected.ts';

const TICKET = `${PROJECT}#1`;

test('a move is one request, and one act', async () => {
  const { server, gitlab, sent } = await connected();
  server.openIssue(PROJECT, { labels: ['theirs', 'agent-smith:pending', 'agent-smith:failed'] });
  await gitlab.moveLifecycle(await read(gitlab, '1'), 'enqueued', callOf());
  expect(sent()).toEqual(['GET issues/get', 'PUT issues/update']);
  expect(server.ledger.labelChanges(TICKET).at(-1)).toMatchObject({
    added: ['agent-smith:enqueued'],
    removed: ['agent-smith:pending', 'agent-smith:failed'],
  });
});

test('a lifecycle label in a spelling that appeared meanwhile takes a second request, and no third', async () => {
  const { server, gitlab, sent } = await connected();
  server.openIssue(PROJECT);
  const seen = await read(gitlab, '1');
  server.addLabel(TICKET, 'Agent-Smith:Done');
  expect(await gitlab.moveLifecycle(seen, 'enqueued', callOf())).toEqual(['agent-smith:enqueued']);
  expect(sent()).toEqual(['GET issues/get', 'PUT issues/update', 'PUT issues/update']);
});

test('labels that are dropped without a word are a lack of rights, and nothing was written', async () => {
  const { server, connect } = await connected();
  server.tokens.add('author', { token: 'glpat-author', login: 'author', access: 'guest' });
  server.openIssue(PROJECT, { by: 'author', labels: ['agent-smith:pending'] });
  const author = connect('glpat-author');
  const move = author.moveLifecycle(await read(author, '1'), 'enqueued', callOf());
  expect(await failure(move, 'glpat-author')).toMatchObject({ kind: 'auth', effect: 'none' });
  expect(server.issue(TICKET).labels).toEqual(['agent-smith:pending']);
});

test('an answer without the target, but without the old label either, is no certainty', async () => {
  const { server, gitlab } = await connected();
  server.openIssue(PROJECT, { labels: ['agent-smith:pending'] });
  const seen = await read(gitlab, '1');
  server.faults.inject(
    { method: 'PUT' },
    {
      kind: 'answer',
      status: 200,
      body: { iid: 1, title: 'T', web_url: 'x', state: 'opened', labels: ['bug'] },
    },
  );
  const error = await failure(gitlab.moveLifecycle(seen, 'enqueued', callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'auth', effect: 'unknown' });
});

test('a read-only token is told which scope it lacks', async () => {
  const { server, gitlab, connect } = await connected();
  server.tokens.add('reader', { token: 'glpat-reader', scopes: ['read_api'] });
  server.openIssue(PROJECT);
  const move = connect('glpat-reader').moveLifecycle(await read(gitlab, '1'), 'enqueued', callOf());
  expect(await failure(move, 'glpat-reader')).toMatchObject({
    kind: 'auth',
    status: 403,
    effect: 'none',
    message: expect.stringContaining('insufficient_scope: The request requires higher privileges'),
  });
});

test('the labels are created with their colours where they are missing, once', async () => {
  const { server, gitlab, sent } = await connected();
  server.createLabel(PROJECT, 'agent-smith:done');
  server.createLabel(PROJECT, 'Agent-Smith:Failed');
  await gitlab.ensureLifecycleLabels(callOf({ purpose: 'setup' }));
  await gitlab.ensureLifecycleLabels(callOf({ purpose: 'setup' }));
  expect(sent()).toEqual(['GET labels/list', ...Array.from({ length: 4 }, () => 'POST labels/create')]);
  const colours = new Map(server.projectLabels(PROJECT).map(({ name, color }) => [name, color]));
  expect(colours.get('agent-smith:in-progress')).toBe('#1d76db');
  expect(colours.get('agent-smith:failed')).toBe('#b60205');
});

test('who may not create labels, or is too late, is not stopped by that', async () => {
  const { server, gitlab, connect, sent } = await connected();
  server.tokens.add('guest', { token: 'glpat-guest', access: 'guest' });
  await connect('glpat-guest').ensureLifecycleLabels(callOf());
  expect(sent()).toEqual(['GET labels/list', 'POST labels/create']);
  for (const [status, message] of [
    [409, 'Label already exists'],
    [400, { title: ['has already been taken'] }],
  ] as const) {
    server.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status, body: { message } });
  }
  await gitlab.ensureLifecycleLabels(callOf());
  expect(server.projectLabels(PROJECT)).toHaveLength(3);
});
