import { expect, test } from 'vitest';
import { callOf, failure, read, requestsDuring } from '../conformance/calls.ts';
import { type Connected, connected, TOKEN } from './connected.ts';

async function opened({ site, jira }: Connected, labels: readonly string[]) {
  return read(jira, site.openIssue('ABC', { labels }).id);
}

test.each([
  ['cloud', '?returnIssue=true'],
  ['data_center', ''],
] as const)('one request changes all labels at once, on %s', async (deployment, query) => {
  await using at = await connected({ deployment });
  const ticket = await opened(at, ['bug', 'agent-smith:pending', 'Agent-Smith:Done']);
  const requests = await requestsDuring(at.site, async () => {
    expect(await at.jira.moveLifecycle(ticket, 'enqueued', callOf())).toEqual(['bug', 'agent-smith:enqueued']);
  });
  expect(requests.map(({ method, path }) => `${method} ${path.replace(/.*\/issue/, '')}`)).toEqual([
    `PUT /${ticket.id}${query}`,
  ]);
  expect(at.site.ledger.labelChanges('ABC-1').at(-1)).toMatchObject({
    added: ['agent-smith:enqueued'],
    removed: ['agent-smith:pending', 'Agent-Smith:Done'],
  });
});

test('another spelling of the wanted label gives way to the right one', async () => {
  await using at = await connected();
  const ticket = await opened(at, ['bug', 'Agent-Smith:Done']);
  expect(await at.jira.moveLifecycle(ticket, 'done', callOf())).toEqual(['bug', 'agent-smith:done']);
});

test('a conflict is tried again, a few times', async () => {
  await using at = await connected();
  const ticket = await opened(at, ['bug']);
  const conflict = at.site.imposeConflict(3);
  expect(await at.jira.moveLifecycle(ticket, 'enqueued', callOf())).toEqual(['bug', 'agent-smith:enqueued']);
  expect(conflict.hits).toBe(3);
  const lasting = at.site.imposeConflict(100);
  const error = await failure(at.jira.moveLifecycle(ticket, 'done', callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'conflict', status: 409, effect: 'none' });
  expect(lasting.hits).toBe(5);
});

test('a conflict is not tried again after the deadline', async () => {
  await using at = await connected();
  const ticket = await opened(at, ['bug']);
  at.site.faults.inject({}, { kind: 'latency', delayMs: 30 });
  const conflict = at.site.imposeConflict(100);
  const error = await failure(at.jira.moveLifecycle(ticket, 'done', callOf({ deadlineMs: 50 })), TOKEN);
  expect(error).toMatchObject({ kind: 'unavailable' });
  expect(conflict.hits).toBeLessThan(5);
});

test('a refused first write changes nothing, also after a conflict', async () => {
  await using at = await connected();
  const ticket = await opened(at, ['bug']);
  at.site.imposeConflict(1);
  at.site.setLabelsOnEditScreen('ABC', false);
  const error = await failure(at.jira.moveLifecycle(ticket, 'enqueued', callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'auth', status: 400, effect: 'none' });
  expect(error.message).toContain("Field 'labels' cannot be set");
  expect(at.site.issue('ABC-1').labels).toEqual(['bug']);
});

test('a stray that Jira shows after the write is removed by another', async () => {
  await using at = await connected();
  const ticket = await opened(at, ['bug']);
  at.site.addLabel('ABC-1', 'Agent-Smith:Pending');
  expect(await at.jira.moveLifecycle(ticket, 'enqueued', callOf())).toEqual(['bug', 'agent-smith:enqueued']);
});
