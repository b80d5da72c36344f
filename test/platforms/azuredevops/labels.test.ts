/** Compare-and-swap of the tags. What every platform must do with labels is in the conformance suite. */
import { expect, test } from 'vitest';
import type { AzureDevOpsEmulator } from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { callOf, failure, requestsDuring } from '../conformance/calls.ts';
import { connected, TOKEN } from './connected.ts';

const TICKET = 'org#1';

/** A person edits the ticket whenever it has been read or a write of it was refused, `times` times. */
function meddle(server: AzureDevOpsEmulator, times: number): () => string[] {
  const added: string[] = [];
  server.ledger.subscribe((entry) => {
    if (entry.kind !== 'request' || entry.method !== 'GET' || added.length === times) return;
    added.push(`people-${added.length}`);
    server.addTag(TICKET, String(added.at(-1)));
  });
  return () => added;
}

test('keeps the tags of people as and where they are, in one write under the revision', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['Zebra', 'agent-smith:pending', 'apple pie', 'agent-smith:mine'] });
  const seen = await at.azure.readTicket('1', callOf());
  const requests = await requestsDuring(at.server, async () => {
    const shown = await at.azure.moveLifecycle(seen, 'enqueued', callOf());
    expect(shown).toEqual(['Zebra', 'apple pie', 'agent-smith:mine', 'agent-smith:enqueued']);
  });
  expect(requests.map(({ method, status }) => `${method} ${status}`)).toEqual(['PATCH 200']);
});

test('a ticket that was not read by this adapter is read before it is written', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['bug'] });
  const copy = { ...(await at.azure.readTicket('1', callOf())) };
  const requests = await requestsDuring(at.server, () => at.azure.moveLifecycle(copy, 'done', callOf()));
  expect(requests.map(({ method }) => method)).toEqual(['GET', 'PATCH']);
});

test('the last tag can be taken away, and the first be set', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:done'] });
  for (const [to, shown] of [
    [undefined, []],
    ['pending', ['agent-smith:pending']],
  ] as const) {
    const seen = await at.azure.readTicket('1', callOf());
    expect(await at.azure.moveLifecycle(seen, to, callOf())).toEqual(shown);
  }
});

test('a person who is faster several times is never written over', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['bug', 'agent-smith:pending'] });
  const edits = meddle(at.server, 5);
  const seen = await at.azure.readTicket('1', callOf());
  const shown = await at.azure.moveLifecycle(seen, 'enqueued', callOf());
  expect(shown).toEqual(['bug', ...edits(), 'agent-smith:enqueued']);
  expect(at.server.ledger.requests({ method: 'PATCH', status: 412 })).toHaveLength(5);
});

test('someone who edits without end is told as a conflict that changed nothing', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:pending'] });
  const edits = meddle(at.server, 1_000);
  const seen = await at.azure.readTicket('1', callOf());
  const error = await failure(at.azure.moveLifecycle(seen, 'enqueued', callOf({ deadlineMs: 20_000 })), TOKEN);
  expect(error).toMatchObject({ kind: 'conflict', status: 412, effect: 'none' });
  expect(at.server.workItem(TICKET).labels).toEqual(['agent-smith:pending', ...edits()]);
});

test('the deadline ends the attempts as well', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:pending'] });
  const seen = await at.azure.readTicket('1', callOf());
  at.server.addTag(TICKET, 'again');
  // The time is up while a refused write is looked after, for one that is on its way may have been done.
  const reread = at.server.faults.inject({ method: 'GET' }, { kind: 'hang' });
  const error = await failure(at.azure.moveLifecycle(seen, 'enqueued', callOf({ deadlineMs: 500 })), TOKEN);
  expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' });
  expect(reread.hits).toBe(1);
});

test.each([
  [409, { message: 'VS403351: Test Operation for path /rev failed.' }],
  [400, { message: 'TF26071: This work item has been changed by someone else since you opened it.' }],
  [400, { message: 'refused', typeKey: 'WorkItemRevisionMismatchException' }],
])('a conflict is known by its code, whatever the status (%i %o)', async (status, body) => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:pending'] });
  const seen = await at.azure.readTicket('1', callOf());
  at.server.faults.inject({ method: 'PATCH', times: 1 }, { kind: 'answer', status, body });
  expect(await at.azure.moveLifecycle(seen, 'done', callOf())).toEqual(['agent-smith:done']);
});

test('a refusal after a conflict has changed nothing either', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:pending'] });
  const seen = await at.azure.readTicket('1', callOf());
  at.server.addTag(TICKET, 'bug');
  const off = at.server.ledger.subscribe((entry) => {
    if (entry.kind !== 'request' || entry.status !== 412) return;
    off();
    at.server.faults.inject({ method: 'PATCH' }, { kind: 'answer', status: 400, body: { message: 'TF237111: no' } });
  });
  const error = await failure(at.azure.moveLifecycle(seen, 'done', callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'auth', status: 400, effect: 'none' });
});

test('a tag that the account may not create is a lack of rights', async () => {
  await using at = await connected({ tokens: { smith: { token: TOKEN, canCreateTags: false } } });
  at.server.openWorkItem('org', 'Shop', { labels: ['bug'] });
  const seen = await at.azure.readTicket('1', callOf());
  const error = await failure(at.azure.moveLifecycle(seen, 'pending', callOf()), TOKEN);
  expect(error).toMatchObject({ kind: 'auth', effect: 'none' });
});

test('a work item that was moved to another project is labelled all the same, and says where it is', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:in-progress'] });
  at.server.moveWorkItem(TICKET, 'Elsewhere');
  const seen = await at.azure.readTicket('1', callOf());
  expect(seen.scope).toBe('Elsewhere');
  expect(await at.azure.moveLifecycle(seen, 'failed', callOf())).toEqual(['agent-smith:failed']);
});
