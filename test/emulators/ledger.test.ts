import { expect, test } from 'vitest';
import { type Actor, createLedger, type Ledger, type Outcome } from '../../src/emulators/ledger.ts';

const alice: Actor = { kind: 'person', login: 'alice' };

function request(ledger: Ledger, path: string, status = 200, outcome: Outcome = 'answered'): void {
  const rest = { operation: 'a/b', token: 'bot', outcome, fault: undefined, headers: {} } as const;
  ledger.recordRequest({ atMs: 1, durationMs: 0, method: 'GET', path, status, ...rest });
}

function labels(ledger: Ledger, ticket: string, added: string[], removed: string[] = []): void {
  ledger.recordLabels({ atMs: 1, ticket, added, removed, labels: added, by: alice });
}

test('only the latest requests are kept, the totals forget nothing', () => {
  const ledger = createLedger({ retainedRequests: 10 });
  for (let index = 0; index < 105; index += 1) request(ledger, `/${index}`, index % 2 === 0 ? 200 : 304);
  expect(ledger.requests().map((entry) => entry.path)).toEqual(Array.from({ length: 10 }, (_, i) => `/${95 + i}`));
  expect(ledger.totals()).toEqual({
    requests: 105,
    byStatus: new Map([
      [200, 53],
      [304, 52],
    ]),
    byOperation: new Map([['a/b', 105]]),
  });
});

test('requests are found by every field of the filter', () => {
  const ledger = createLedger();
  request(ledger, '/a');
  request(ledger, '/b', 404);
  request(ledger, '/c', 200, 'cut');
  const paths = (filter: Parameters<Ledger['requests']>[0]): string[] => ledger.requests(filter).map((e) => e.path);
  expect(paths({ method: 'get', token: 'bot', operation: 'a/b' })).toEqual(['/a', '/b', '/c']);
  expect(paths({ path: /^\/[ab]/, status: 404 })).toEqual(['/b']);
  expect(paths({ outcome: 'cut' })).toEqual(['/c']);
  expect(paths({ token: 'other' })).toEqual([]);
});

test('the lifecycle history of a ticket is its own labels in order, without people’s', () => {
  const ledger = createLedger();
  labels(ledger, 'org/api#1', ['agent-smith', 'Agent-Smith:Enqueued']);
  labels(ledger, 'org/api#2', ['agent-smith:failed']);
  labels(ledger, 'org/api#1', ['agent-smith:in-progress'], ['agent-smith:enqueued']);
  expect(ledger.lifecycleHistory('Org/API#1')).toEqual(['enqueued', 'in-progress']);
  expect(ledger.labelChanges()).toHaveLength(3);
});

test('waiting finds the first entry that matches, past or future', async () => {
  const ledger = createLedger();
  labels(ledger, 'org/api#1', ['a']);
  request(ledger, '/x');
  labels(ledger, 'org/api#1', ['b']);
  expect((await ledger.waitFor(() => true)).seq).toBe(1);
  expect((await ledger.waitFor((entry) => entry.kind === 'request')).seq).toBe(2);
  const future = ledger.waitFor((entry) => entry.kind === 'comment');
  ledger.recordComment({ atMs: 1, ticket: 'org/api#1', body: 'Hi', by: alice });
  expect(await future).toMatchObject({ seq: 4, body: 'Hi' });
  expect(ledger.comments('ORG/API#1')).toHaveLength(1);
});

test('waiting ends with the reason of its signal, also when that has come already', async () => {
  const ledger = createLedger();
  const controller = new AbortController();
  const waiting = ledger.waitFor(() => false, { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(ledger.waitFor(() => false, { signal: controller.signal })).rejects.toThrow('enough');
});

test('a predicate that throws fails the wait, not the emulator', async () => {
  const ledger = createLedger();
  const bad = (): boolean => {
    throw new Error('bad predicate');
  };
  const waiting = ledger.waitFor(bad);
  expect(() => request(ledger, '/x')).not.toThrow();
  await expect(waiting).rejects.toThrow('bad predicate');
  await expect(ledger.waitFor(bad)).rejects.toThrow('bad predicate');
});

test('a subscriber hears each entry until it stops', () => {
  const ledger = createLedger();
  const heard: string[] = [];
  const stop = ledger.subscribe((entry) => heard.push(entry.kind));
  request(ledger, '/x');
  labels(ledger, 'org/api#1', ['a']);
  stop();
  request(ledger, '/y');
  expect(heard).toEqual(['request', 'label']);
});
