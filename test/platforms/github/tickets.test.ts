/** What only GitHub does with a ticket; what every platform does is in `../conformance`. */
import { expect, test } from 'vitest';
import { callOf } from '../conformance/calls.ts';
import { connected, failure } from './connected.ts';

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
