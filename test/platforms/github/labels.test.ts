/** How GitHub's labels are written; what every platform does is in `../conformance`. */
import { expect, test } from 'vitest';
import { LIFECYCLES, lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { callOf } from '../conformance/calls.ts';
import { type Connected, connected, failure } from './connected.ts';

const ticket = 'org/repo#1';

async function withIssue(labels: readonly string[]): Promise<Connected & { issue(): string[] }> {
  const at = await connected();
  at.hub.openIssue('org/repo', { labels });
  return { ...at, issue: () => [...at.hub.issue(ticket).labels] };
}

/** Requests since the ticket was read, in short. */
function written(at: Connected): string[] {
  return at.hub.ledger
    .requests()
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path, status }) => `${method} ${decodeURIComponent(path.replace(/^.*\/issues\/1/, ''))} ${status}`);
}

test('adds the new label before it removes the old ones, a wish last, and keeps those of people', async () => {
  await using at = await withIssue([
    'bug',
    'agent-smith:pending',
    'agent-smith:done',
    'agent-smith',
    'agent-smith:mine',
  ]);
  const read = await at.github.readTicket('1', callOf());
  const shown = await at.github.moveLifecycle(read, 'enqueued', callOf());
  expect(shown).toEqual(['bug', 'agent-smith', 'agent-smith:mine', 'agent-smith:enqueued']);
  expect(at.issue()).toEqual(shown);
  expect(written(at)).toEqual([
    'POST /labels 200',
    'DELETE /labels/agent-smith:done 200',
    'DELETE /labels/agent-smith:pending 200',
  ]);
});

test('a label that somebody removed meanwhile is as good as removed', async () => {
  await using at = await withIssue(['bug', 'agent-smith:enqueued', 'agent-smith:pending']);
  const read = await at.github.readTicket('1', callOf());
  const off = at.hub.ledger.subscribe((entry) => {
    if (entry.kind !== 'label' || !entry.added.includes('agent-smith:in-progress')) return;
    off();
    // After the answer with the labels was made, so that the adapter still sees what is gone by now.
    queueMicrotask(() => at.hub.removeLabel(ticket, 'agent-smith:enqueued'));
  });
  expect(await at.github.moveLifecycle(read, 'in-progress', callOf())).toEqual(['bug', 'agent-smith:in-progress']);
  expect(written(at)).toEqual([
    'POST /labels 200',
    'DELETE /labels/agent-smith:enqueued 404',
    'DELETE /labels/agent-smith:pending 200',
  ]);
});

test('a verdict that a later writer has put there stays, whether the target is still there or gone', async () => {
  for (const [added, then] of [
    [['agent-smith:done'], []],
    [['agent-smith:done'], ['agent-smith:in-progress', 'agent-smith:enqueued']],
  ] as const) {
    await using at = await withIssue(['bug', 'agent-smith:in-progress']);
    const read = await at.github.readTicket('1', callOf());
    // After our label was put there and before the old one is removed.
    const late = at.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'latency', delayMs: 50 });
    const moved = at.github.moveLifecycle(read, 'enqueued', callOf());
    await late.hit();
    for (const label of added) at.hub.addLabel(ticket, label);
    for (const label of then) at.hub.removeLabel(ticket, label);
    const shown = await moved;
    expect(shown).toContain('agent-smith:done');
    expect(at.issue()).toEqual(shown);
    expect(written(at).filter((line) => line.includes(':done'))).toEqual([]);
  }
});

test('a lost answer leaves both labels, never none, and the next move ends it', async () => {
  await using at = await withIssue(['bug', 'agent-smith:enqueued']);
  const read = await at.github.readTicket('1', callOf());
  for (const fault of ['apply-then-cut', 'cut'] as const) {
    at.hub.faults.inject({ method: 'POST', times: 1 }, { kind: fault });
    const error = await failure(at.github.moveLifecycle(read, 'in-progress', callOf()));
    expect(error).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
    expect(at.issue()).toEqual(['bug', 'agent-smith:enqueued', 'agent-smith:in-progress']);
  }
  at.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'apply-then-cut' });
  expect(await failure(at.github.moveLifecycle(read, 'in-progress', callOf()))).toMatchObject({ effect: 'unknown' });
  expect(await at.github.moveLifecycle(read, 'in-progress', callOf())).toEqual(['bug', 'agent-smith:in-progress']);
});

test('a first write that is refused has no effect, a later one may have', async () => {
  await using at = await withIssue(['agent-smith:enqueued']);
  const read = await at.github.readTicket('1', callOf());
  const reader = at.connect('org/repo', at.transport, 'ghp_reader-token');
  expect(await failure(reader.moveLifecycle(read, 'in-progress', callOf()))).toMatchObject({
    kind: 'auth',
    status: 403,
    effect: 'none',
  });
  at.hub.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'answer', status: 403 });
  expect(await failure(at.github.moveLifecycle(read, 'in-progress', callOf()))).toMatchObject({
    kind: 'auth',
    effect: 'unknown',
  });
  at.hub.deleteIssue(ticket);
  expect(await failure(at.github.moveLifecycle(read, 'done', callOf()))).toMatchObject({
    kind: 'not-found',
    effect: 'none',
  });
});

test('a label that is dropped without a word is a lack of rights', async () => {
  await using at = await withIssue(['bug', 'agent-smith:enqueued']);
  const read = await at.github.readTicket('1', callOf());
  at.hub.faults.inject({ method: 'POST' }, { kind: 'answer', status: 200, body: [{ name: 'bug' }] });
  expect(await failure(at.github.moveLifecycle(read, 'in-progress', callOf()))).toMatchObject({
    kind: 'auth',
    effect: 'none',
  });
  expect(at.issue()).toEqual(['bug', 'agent-smith:enqueued']);
});

test('a limit in the middle of a move is told as one whose effect is unknown', async () => {
  await using at = await withIssue(['agent-smith:enqueued']);
  const read = await at.github.readTicket('1', callOf());
  at.hub.rateLimits.set('bot', { remaining: 1, resetAtMs: Date.now() + 600_000 });
  expect(await failure(at.github.moveLifecycle(read, 'in-progress', callOf()))).toMatchObject({
    kind: 'rate-limited',
    effect: 'unknown',
  });
});

test('creates the missing lifecycle labels with their colours, once for all projects of the credential', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: Array.from({ length: 99 }, (_, n) => `label-${n}`) });
  at.hub.openIssue('org/repo', { labels: ['more', 'Agent-Smith:Done'] });
  await at.github.ensureLifecycleLabels(callOf());
  const labels = at.hub.repositoryLabels('org/repo').filter(({ name }) => /^agent-smith:/i.test(name));
  expect(new Set(labels.map(({ name }) => name.toLowerCase()))).toEqual(new Set(LIFECYCLES.map(lifecycleLabel)));
  expect(labels.find(({ name }) => name === 'agent-smith:failed')).toMatchObject({
    color: 'b60205',
    description: 'Agent Smith: the pipeline failed',
  });
  const asked = at.hub.ledger.requests().length;
  await at.connect().ensureLifecycleLabels(callOf());
  expect(at.hub.ledger.requests()).toHaveLength(asked);
  await at.connect('org/other').ensureLifecycleLabels(callOf());
  expect(at.hub.repositoryLabels('org/other')).toHaveLength(5);
});

test('two replicas may create the labels at the same moment', async () => {
  await using at = await connected();
  const other = at.connect('org/repo', createTransport({ credentialId: 'other', origin: at.hub.url }));
  await Promise.all([at.github.ensureLifecycleLabels(callOf()), other.ensureLifecycleLabels(callOf())]);
  expect(at.hub.repositoryLabels('org/repo')).toHaveLength(5);
});

test('a label that another replica created in between is no error', async () => {
  await using at = await connected();
  at.hub.openIssue('org/repo', { labels: LIFECYCLES.map(lifecycleLabel) });
  at.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'answer', status: 200, body: [] });
  await at.github.ensureLifecycleLabels(callOf());
  expect(at.hub.ledger.requests({ method: 'POST', status: 422 })).toHaveLength(5);
});

test('labels that may not be created are left to GitHub; an outage is told and tried again', async () => {
  await using at = await connected();
  const reader = at.connect('org/repo', createTransport({ credentialId: 'r', origin: at.hub.url }), 'ghp_reader-token');
  await reader.ensureLifecycleLabels(callOf());
  expect(at.hub.ledger.requests({ method: 'POST' }).map(({ status }) => status)).toEqual([403]);

  at.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 502 });
  expect(await failure(at.github.ensureLifecycleLabels(callOf()))).toMatchObject({ kind: 'unavailable' });
  await at.github.ensureLifecycleLabels(callOf());
  expect(at.hub.repositoryLabels('org/repo')).toHaveLength(5);
});

test('no write ever carries a precondition or sets the whole list of labels', async () => {
  await using at = await withIssue(['bug', 'agent-smith:pending']);
  await at.github.ensureLifecycleLabels(callOf());
  await at.github.listTickets({ labels: ['bug'], state: 'all' }, undefined, callOf());
  for (const lifecycle of [...LIFECYCLES, undefined]) {
    await at.github.moveLifecycle(await at.github.readTicket('1', callOf()), lifecycle, callOf());
  }
  await at.github.comment('1', { markdown: 'text', marker: '<!-- m -->' }, callOf());
  await at.github.labelActor('1', 'bug', callOf());
  const requests = at.hub.ledger.requests();
  expect(new Set(requests.map(({ method }) => method))).toEqual(new Set(['GET', 'POST', 'DELETE']));
  expect(requests.filter(({ headers }) => 'if-match' in headers || 'if-unmodified-since' in headers)).toEqual([]);
  expect(requests.filter(({ operation }) => operation === 'issues/remove-all-labels')).toEqual([]);
  expect(at.issue()).toEqual(['bug']);
});
