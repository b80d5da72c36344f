/** The library on our transport: nothing goes past us, and what it learns of a server it learns once. */
import { expect, test } from 'vitest';
import type { RequestFacts } from '../../../src/platforms/session.ts';
import { allPages, callOf, failure, requestsDuring } from '../conformance/calls.ts';
import { connected, TOKEN } from './connected.ts';

test('the routes of a server are asked for once per credential, by all of its projects', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['fix'] });
  const other = at.connect({ tickets: { url: `${at.server.collectionUrl('org')}/Elsewhere` } });
  for (const azure of [at.azure, at.connect(), other]) await allPages(azure, ['fix']);
  expect(at.server.ledger.requests({ method: 'OPTIONS' })).toHaveLength(1);
});

test('every request of every operation is under the transport', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['fix'] });
  const facts: RequestFacts[] = [];
  const azure = at.connect({ transport: at.transportTo({ onRequest: (fact) => facts.push(fact) }) });
  const sent = await requestsDuring(at.server, async () => {
    await allPages(azure, ['fix']);
    const seen = await azure.readTicket('1', callOf());
    await azure.moveLifecycle({ ...seen }, 'pending', callOf());
    await azure.ensureLifecycleLabels(callOf());
    await azure.comment('1', { markdown: 'text', marker: '<!-- m -->' }, callOf());
    await azure.labelActor('1', 'agent-smith:pending', callOf());
    await azure.checkAccess(callOf());
  });
  expect(facts).toHaveLength(sent.length);
  expect(sent.filter(({ token }) => token !== 'smith')).toEqual([]);
});

test('a collection of a server is spoken to at its own address', async () => {
  await using at = await connected();
  const organization = 'tfs/Default Collection';
  const { id } = at.server.openWorkItem(organization, 'Shop', { labels: ['fix'] });
  at.server.openWorkItem('org', 'Shop', { labels: ['fix'], title: 'of the organisation' });
  const azure = at.connect({ organization });
  const { tickets } = await allPages(azure, ['fix']);
  expect(tickets).toMatchObject([
    { id: String(id), url: `${at.server.url}/tfs/Default%20Collection/Shop/_workitems/edit/${id}` },
  ]);
  const seen = await azure.readTicket('1', callOf());
  await azure.moveLifecycle(seen, 'pending', callOf());
  await azure.comment('1', { markdown: 'text', marker: '<!-- m -->' }, callOf());
  expect(at.server.workItem(`${organization}#1`)).toMatchObject({ labels: ['fix', 'agent-smith:pending'] });
  expect(at.server.workItem('org#1').labels).toEqual(['fix']);
  expect(await azure.checkAccess(callOf())).toMatchObject([{}, {}, { granted: 'yes' }, { granted: 'yes' }]);
});

test('a server whose list of routes is none is an error; one that lacks a route is told as unsupported', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop');
  const read = () => failure(at.azure.readTicket('1', callOf()), TOKEN);
  for (const body of [{}, [], 'ok', { value: [1] }]) {
    at.server.faults.inject({ method: 'OPTIONS', times: 1 }, { kind: 'answer', status: 200, body });
    expect(await read()).toMatchObject({ kind: 'invalid-response', effect: 'none' });
  }
  at.server.faults.inject({ method: 'OPTIONS', times: 1 }, { kind: 'answer', status: 200, body: { value: [] } });
  expect(await read()).toMatchObject({ kind: 'unsupported', effect: 'none' });
});

test('a delay on a good answer holds the credential back for as long, Retry-After for as long as it says', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop');
  for (const [pressure, waitMs] of [
    [{ delaySeconds: 2.5 }, 2_500],
    [{ delaySeconds: 1, retryAfterSeconds: 7 }, 7_000],
  ] as const) {
    const azure = at.connect({ transport: at.transportTo() });
    at.server.limits.press({ ...pressure, times: 1 });
    const held = await failure(azure.readTicket('1', callOf()), TOKEN);
    expect(held).toMatchObject({ kind: 'rate-limited', retryAfterMs: expect.any(Number) });
    expect(Math.abs((held.retryAfterMs ?? 0) - waitMs)).toBeLessThan(2_000);
  }
});

test('what is left of the budget is read from the headers', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop');
  at.server.limits.press({ remaining: 41 });
  await at.azure.readTicket('1', callOf());
  expect(at.transport.limits.budget()).toMatchObject({ window: { limit: 200, remaining: 41, windowMs: 300_000 } });
});
