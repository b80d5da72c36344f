import { expect, test } from 'vitest';
import { callOf, connected, failure } from './connected.ts';

test('reads the ticket itself, with its body', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { title: 'Broken', body: 'It **fails**', labels: ['fix'] });
  expect(await at.github.readTicket('1', callOf())).toMatchObject({
    id: '1',
    display: 'org/repo#1',
    title: 'Broken',
    body: 'It **fails**',
    labels: ['fix'],
    open: true,
  });
  at.hub.closeIssue('org/repo#1');
  expect(await at.github.readTicket('1', callOf())).toMatchObject({ open: false });
});

test('a missing, deleted or impossible ticket, and a pull request, are not found', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo');
  at.hub.deleteIssue('org/repo#1');
  at.hub.openIssue('org/repo', { isPullRequest: true });
  expect(await failure(at.github.readTicket('1', callOf()))).toMatchObject({ kind: 'not-found', status: 410 });
  expect(await failure(at.github.readTicket('2', callOf()))).toMatchObject({ kind: 'not-found' });
  expect(await failure(at.github.readTicket('3', callOf()))).toMatchObject({ kind: 'not-found', status: 404 });
  const asked = at.hub.ledger.requests().length;
  for (const id of ['', '0', '1/../2', 'x']) {
    expect(await failure(at.github.readTicket(id, callOf()))).toMatchObject({ kind: 'not-found' });
  }
  expect(at.hub.ledger.requests()).toHaveLength(asked);
});

test('the ticket of a renamed repository is the same ticket', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'] });
  const before = await at.github.readTicket('1', callOf());
  at.hub.renameRepository('org/repo', 'elsewhere/renamed');
  const after = await at.github.readTicket('1', callOf());
  expect(after).toMatchObject({ key: before.key, display: 'org/repo#1', labels: ['fix'] });
  expect(await at.github.moveLifecycle(after, 'enqueued', callOf())).toEqual(['fix', 'agent-smith:enqueued']);
});

test('a transferred ticket is gone from here, even under the same number', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'] });
  at.hub.openIssue('org/repo', { labels: ['fix'] });
  expect(at.hub.transferIssue('org/repo#2', 'org/other').number).toBe(1);
  expect(at.hub.transferIssue('org/repo#1', 'org/other').number).toBe(2);
  at.hub.openIssue('org/repo');
  expect(at.hub.transferIssue('org/repo#3', 'org/other').number).toBe(3);
  for (const id of ['1', '2', '3']) {
    const error = await failure(at.github.readTicket(id, callOf()));
    expect(error).toMatchObject({ kind: 'not-found' });
    expect(error.message).toContain('transferred');
  }
});

test('comments once for a marker, also when the answer to the first post was lost', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo');
  for (let n = 0; n < 120; n += 1) at.hub.comment('org/repo#1', `remark ${n}`);
  const marker = '<!-- agent-smith run=01J -->';
  at.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  const comment = { markdown: 'Done.', marker };
  const lost = await failure(at.github.comment('1', comment, callOf()));
  expect(lost).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
  await at.github.comment('1', comment, callOf());
  await at.github.comment('1', comment, callOf());
  expect(at.hub.issue('org/repo#1').comments.slice(120)).toEqual([{ login: 'smith-bot', body: `Done.\n\n${marker}` }]);
});

test('of a long thread only what may hold our comment is read', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo');
  const marker = '<!-- agent-smith run=01J -->';
  await at.github.comment('1', { markdown: 'Done.', marker }, callOf());
  const sinceMs = Date.now() + 60_000;
  await at.github.comment('1', { markdown: 'Done.', marker, sinceMs: 0 }, callOf());
  expect(at.hub.issue('org/repo#1').comments).toHaveLength(1);
  await at.github.comment('1', { markdown: 'Done.', marker, sinceMs }, callOf());
  expect(at.hub.issue('org/repo#1').comments).toHaveLength(2);
});

test('another run, or a person who quotes a marker, does not keep a comment away', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo');
  at.hub.comment('org/repo#1', 'it said <!-- agent-smith run=2 --> and stopped');
  await at.github.comment('1', { markdown: 'one', marker: '<!-- agent-smith run=1 -->' }, callOf());
  await at.github.comment('1', { markdown: 'two', marker: '<!-- agent-smith run=2 -->' }, callOf());
  expect(at.hub.ledger.comments('org/repo#1').filter(({ by }) => by.kind === 'token')).toHaveLength(2);
});

test('tells who set a label last, over all pages of events', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'], by: 'alice' });
  for (let n = 0; n < 60; n += 1) {
    at.hub.addLabel('org/repo#1', 'noise', 'mallory');
    at.hub.removeLabel('org/repo#1', 'noise', 'mallory');
  }
  expect(await at.github.labelActor('1', 'fix', callOf())).toBe('alice');
  at.hub.removeLabel('org/repo#1', 'fix', 'alice');
  at.hub.addLabel('org/repo#1', 'fix', 'bob');
  expect(await at.github.labelActor('1', 'FIX', callOf())).toBe('bob');
  expect(await at.github.labelActor('1', 'absent', callOf())).toBeUndefined();
});

test('a wish that we wrote back ourselves is still the person’s who wished; only one of ours alone is ours', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['agent-smith:pending'], by: 'alice' });
  const move = async (to: 'pending' | 'enqueued') =>
    await at.github.moveLifecycle(await at.github.readTicket('1', callOf()), to, callOf());
  await move('enqueued');
  await move('pending');
  expect(await at.github.labelActor('1', 'agent-smith:pending', callOf())).toBe('alice');
  expect(await at.github.labelActor('1', 'agent-smith:enqueued', callOf())).toBe('smith-bot');
  await at.github.labelActor('1', 'agent-smith:pending', callOf());
  expect(at.hub.ledger.requests({ operation: 'users/get-authenticated' })).toHaveLength(1);
});

test('a trigger label that our own account has set is ours: somebody uses it', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: ['fix'], by: 'alice' });
  at.hub.removeLabel('org/repo#1', 'fix', 'alice');
  at.hub.addLabel('org/repo#1', 'fix', 'smith-bot');
  expect(await at.github.labelActor('1', 'fix', callOf())).toBe('smith-bot');
  expect(at.hub.ledger.requests({ operation: 'users/get-authenticated' })).toEqual([]);
});

test('whoever labelled last and has no account any more is unknown, not the one before', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo');
  const labeled = (actor: unknown) => ({ event: 'labeled', label: { name: 'fix' }, actor });
  at.hub.faults.inject(
    { path: /events/ },
    { kind: 'answer', status: 200, body: [labeled({ login: 'a' }), labeled(null)] },
  );
  expect(await at.github.labelActor('1', 'fix', callOf())).toBeUndefined();
});
