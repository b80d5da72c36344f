/** Credentials: tokens that end, tokens from Entra, and pages on which people sign in. */
import { afterEach, expect, test, vi } from 'vitest';
import type { Credential } from '../../../src/platforms/descriptor.ts';
import { callOf, failure } from '../conformance/calls.ts';
import { APPLICATION, type Connected, connected, TOKEN } from './connected.ts';

afterEach(() => vi.useRealTimers());

const SECRET = APPLICATION.clientSecret;

async function withApplication(options: { readonly tokenLifeSeconds?: number; readonly clientSecret?: string } = {}) {
  const { clientSecret = SECRET, ...life } = options;
  const at = await connected({ applications: { smith: { ...APPLICATION, ...life } } });
  at.server.openWorkItem('org', 'Shop');
  const learned: string[] = [];
  const transport = at.transportTo({ learnSecret: (secret) => learned.push(secret) });
  const credential: Credential = { kind: 'entra', ...APPLICATION, clientSecret, authorityUrl: `${at.server.url}/` };
  const azure = at.connect({ transport, credential });
  return {
    ...at,
    learned,
    other: at.connect({ transport, credential }),
    read: () => azure.readTicket('1', callOf()),
    asked: () => at.server.ledger.requests({ operation: 'entra/token' }).length,
    [Symbol.asyncDispose]: at[Symbol.asyncDispose],
  };
}

const passMs = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

test('a token that has ended is an auth error, not an empty answer', async () => {
  await using at = await connected();
  at.server.openWorkItem('org', 'Shop', { labels: ['fix'] });
  const seen = await at.azure.readTicket('1', callOf());
  at.server.tokens.expire('smith');
  const calls = [
    () => at.azure.readTicket('1', callOf()),
    () => at.azure.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf()),
    () => at.azure.labelActor('1', 'fix', callOf()),
    () => at.azure.comment('1', { markdown: 'x', marker: '<!-- m -->' }, callOf()),
    () => at.azure.moveLifecycle(seen, 'done', callOf()),
    () => at.azure.moveLifecycle({ ...seen }, 'done', callOf()),
  ];
  for (const call of calls) {
    expect(await failure(call(), TOKEN)).toMatchObject({ kind: 'auth', status: 203, effect: 'none' });
  }
  expect(await at.azure.checkAccess(callOf())).toMatchObject([{ right: 'sign-in', granted: 'no' }]);
});

test('so is a redirect to the sign-in page, also to another host; a page with 200 is no answer of the API', async () => {
  await using at = await connected();
  await at.azure.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  const read = () => failure(at.azure.readTicket('1', callOf()), TOKEN);
  for (const location of ['/_signin?realm=x', 'https://spsprodeus21.vssps.visualstudio.com/_signin?realm=x']) {
    at.server.faults.inject({ times: 1 }, { kind: 'redirect', location });
    expect(await read()).toMatchObject({ kind: 'auth', status: 302 });
  }
  at.server.faults.inject({ times: 1 }, { kind: 'html' });
  expect(await read()).toMatchObject({ kind: 'invalid-response' });
});

test('a bearer token is sent as one, a personal access token as a password', async () => {
  await using at = await connected({ applications: { app: APPLICATION } });
  at.server.openWorkItem('org', 'Shop');
  const token = at.server.tokens.grant(APPLICATION)?.token ?? '';
  const transport = at.transportTo();
  await at.connect({ credential: { kind: 'token', token }, transport }).readTicket('1', callOf());
  await at.azure.readTicket('1', callOf());
  const by = at.server.ledger.requests({ operation: 'wit/workItems' }).map((request) => request.token);
  expect(by).toEqual(['app', 'smith']);
});

test('a token of Entra is asked for once, shared, and told to the redactor before it is used', async () => {
  await using at = await withApplication();
  await Promise.all([at.read(), at.other.readTicket('1', callOf()), at.read()]);
  expect(at.asked()).toBe(1);
  expect(at.learned).toEqual([expect.stringMatching(/^eyJ/)]);
});

test('it is renewed five minutes before its end', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await using at = await withApplication({ tokenLifeSeconds: 3_600 });
  await at.read();
  passMs(54 * 60_000);
  await at.read();
  expect(at.asked()).toBe(1);
  passMs(62_000);
  await at.read();
  expect(at.asked()).toBe(2);
});

test('one that was revoked is replaced by the next operation, and no more than once a minute', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await using at = await withApplication();
  await at.read();
  at.server.tokens.remove('smith');
  expect(await failure(at.read(), SECRET)).toMatchObject({ kind: 'auth', status: 401 });
  expect(await at.read()).toMatchObject({ id: '1' });
  expect(at.asked()).toBe(2);
  // Where the fresh one is refused as well, the token is not at fault.
  at.server.faults.inject({ path: /workItems/ }, { kind: 'answer', status: 401 });
  for (let n = 0; n < 4; n += 1) await failure(at.read(), SECRET);
  expect(at.asked()).toBe(2);
  passMs(61_000);
  for (let n = 0; n < 4; n += 1) await failure(at.read(), SECRET);
  expect(at.asked()).toBe(3);
});

test('a wrong secret is an auth error that does not show it, and an outage of Entra is an outage', async () => {
  await using wrong = await withApplication({ clientSecret: 'a-wrong-secret' });
  expect(await failure(wrong.read(), 'a-wrong-secret')).toMatchObject({ kind: 'auth', status: 401, effect: 'none' });
  expect(wrong.server.ledger.requests({ operation: 'wit/workItems' })).toEqual([]);

  await using at = await withApplication();
  at.server.faults.inject({ path: /oauth2/, times: 1 }, { kind: 'answer', status: 503 });
  expect(await failure(at.read(), SECRET)).toMatchObject({ kind: 'unavailable', effect: 'none' });
  at.server.faults.inject({ path: /oauth2/, times: 1 }, { kind: 'answer', status: 200, body: { token: 'none' } });
  expect(await failure(at.read(), SECRET)).toMatchObject({ kind: 'invalid-response', effect: 'none' });
  expect(await at.read()).toMatchObject({ id: '1' });
});

test('waiting for Entra ends at the deadline of the operation', async () => {
  await using at = await withApplication();
  at.server.faults.inject({ path: /oauth2/, times: 1 }, { kind: 'hang' });
  const error = await failure(at.other.readTicket('1', callOf({ deadlineMs: 50 })), SECRET);
  expect(error).toMatchObject({ kind: 'unavailable', effect: 'none' });
  expect(await at.read()).toMatchObject({ id: '1' });
});

test('a credential of another kind is refused in words', async () => {
  await using at: Connected = await connected();
  const basic: Credential = { kind: 'basic', email: 'me@example.com', token: TOKEN };
  expect(() => at.connect({ credential: basic })).toThrow(/takes a token or Entra/);
});
