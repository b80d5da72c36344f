/** Signing in as a GitHub App, under a clock that the test moves. */
import { generateKeyPairSync } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { PlatformError } from '../../../src/platforms/contract.ts';
import { allPages, callOf } from '../conformance/calls.ts';
import { APP_ID, INSTALLED, KEY, pem, startAppHub } from './app-hub.ts';
import { failure } from './connected.ts';

const MINUTE_MS = 60_000;

/** Only the wall clock, which the emulator lives by too; timers and sockets go on. */
function moveClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-20T12:00:00.500Z') });
  onTestFinished(() => void vi.useRealTimers());
  return (ms) => vi.setSystemTime(Date.now() + ms);
}

test('many operations at once, of several projects, ask for one token only', async () => {
  const { hub, connect, minted, learned } = await startAppHub();
  const repositories = ['org/repo', 'org/other'];
  for (const repository of repositories) hub.openIssue(repository);
  const reads = Array.from({ length: 20 }, (_, index) =>
    connect({ repository: repositories[index % 2] ?? '' }).readTicket('1', callOf()),
  );
  expect(await Promise.all(reads)).toHaveLength(20);
  expect(minted()).toBe(1);
  expect(hub.ledger.requests().filter(({ token }) => token === INSTALLED)).toHaveLength(20);
  // The JWT and the token, which is longer than the 40 characters of old.
  expect(learned).toHaveLength(2);
  expect(learned[1]).toMatch(/^ghs_4711_.{200,}/);
});

test('a key as PKCS#8 is as good as one as PKCS#1, and a replaced key is used at once', async () => {
  const { hub, github, keyFile, minted } = await startAppHub();
  hub.openIssue('org/repo');
  await writeFile(keyFile, 'not yet');
  expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ kind: 'auth' });
  await writeFile(keyFile, pem(KEY.privateKey, 'pkcs8'));
  expect(await github.readTicket('1', callOf())).toMatchObject({ id: '1' });
  expect(minted()).toBe(1);
});

test('a token is renewed minutes before its end', async () => {
  const move = moveClock();
  const { hub, github, minted } = await startAppHub();
  hub.openIssue('org/repo');
  await github.readTicket('1', callOf());
  move(54 * MINUTE_MS);
  await github.readTicket('1', callOf());
  expect(minted()).toBe(1);
  move(2 * MINUTE_MS);
  await github.readTicket('1', callOf());
  expect(minted()).toBe(2);
  expect(hub.ledger.requests().every(({ status = 0 }) => status < 300)).toBe(true);
});

test('after a renewal each page is paid for once, and is free again; nothing is remembered twice', async () => {
  const move = moveClock();
  const { hub, github } = await startAppHub();
  for (let number = 1; number <= 150; number += 1) hub.openIssue('org/repo', { labels: ['fix'] });
  const poll = async (): Promise<(number | undefined)[]> => {
    const before = hub.ledger.requests().length;
    expect((await allPages(github, ['fix'])).tickets).toHaveLength(150);
    return hub.ledger
      .requests()
      .slice(before)
      .map(({ status }) => status);
  };
  expect(await poll()).toEqual([201, 200, 200]);
  expect(await poll()).toEqual([304, 304]);
  for (let renewal = 1; renewal <= 3; renewal += 1) {
    move(56 * MINUTE_MS);
    expect(await poll()).toEqual([201, 200, 200]);
    expect(await poll()).toEqual([304, 304]);
  }
});

test('a token that was revoked fails one operation; the next one asks for another', async () => {
  const { hub, github, minted } = await startAppHub();
  hub.openIssue('org/repo');
  await github.readTicket('1', callOf());
  hub.tokens.remove(INSTALLED);
  expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ kind: 'auth', status: 401 });
  expect(await github.readTicket('1', callOf())).toMatchObject({ id: '1' });
  expect(minted()).toBe(2);
});

test('the late 401 of an old token does not drop the new one', async () => {
  const { hub, github, minted } = await startAppHub();
  hub.openIssue('org/repo');
  await github.readTicket('1', callOf());
  const slow = hub.faults.inject({ path: /issues\/1$/, times: 1 }, { kind: 'latency', delayMs: 200 });
  hub.tokens.remove(INSTALLED);
  const late = failure(github.readTicket('1', callOf()));
  await slow.hit();
  expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ status: 401 });
  await github.readTicket('1', callOf());
  expect(await late).toMatchObject({ status: 401 });
  await github.readTicket('1', callOf());
  expect(minted()).toBe(2);
});

test('a GitHub that refuses every token is not asked for one after the other, and is believed again when it takes them', async () => {
  const move = moveClock();
  const { hub, github, minted } = await startAppHub();
  hub.openIssue('org/repo');
  const refusing = hub.faults.inject({ path: /issues/ }, { kind: 'answer', status: 401, body: { message: 'no' } });
  for (let read = 0; read < 10; read += 1) {
    expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ kind: 'auth', status: 401 });
  }
  expect(minted()).toBe(2);
  move(MINUTE_MS);
  expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ status: 401 });
  expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ status: 401 });
  expect(minted()).toBe(3);
  refusing.remove();
  expect(await github.readTicket('1', callOf())).toMatchObject({ id: '1' });
  expect(minted()).toBe(3);
});

test('a token that is over by the clock of whoever stands before GitHub is used all the same', async () => {
  const { hub, github } = await startAppHub();
  hub.openIssue('org/repo');
  hub.tokens.add('odd', { token: 'ghs_of-another-time', login: 'agent-smith[bot]' });
  hub.faults.inject(
    { path: /access_tokens/ },
    {
      kind: 'answer',
      status: 201,
      headers: { date: new Date(Date.now() + 3 * 60 * MINUTE_MS).toUTCString() },
      body: { token: 'ghs_of-another-time', expires_at: new Date(Date.now() + 60 * MINUTE_MS).toISOString() },
    },
  );
  for (let read = 0; read < 3; read += 1) await github.readTicket('1', callOf());
  expect(hub.ledger.requests({ path: /access_tokens/ })).toHaveLength(1);
});

test.each([
  ['missing', async (file: string) => rm(file), 'cannot be read: ENOENT'],
  ['no PEM', async (file: string) => writeFile(file, 'secret-but-no-key'), 'holds no RSA private key'],
  [
    'a public key',
    async (file: string) => writeFile(file, KEY.publicKey.export({ type: 'spki', format: 'pem' })),
    'holds no',
  ],
  [
    'of another kind',
    async (file: string) => writeFile(file, pem(generateKeyPairSync('ed25519').privateKey, 'pkcs8')),
    'holds no RSA private key',
  ],
])('a key file that is %s: the error names the file, nothing was sent or written', async (_, spoil, words) => {
  const { hub, github, keyFile } = await startAppHub();
  const ticket = hub.openIssue('org/repo');
  await spoil(keyFile);
  const error = await failure(github.readTicket(String(ticket.number), callOf()));
  expect(error).toMatchObject({ kind: 'auth', effect: 'none' });
  expect(error.message).toContain(`read ticket #1 of org/repo`);
  expect(error.message).toContain(`private_key_file ${keyFile} ${words}`);
  expect(error.message).not.toContain('secret-but-no-key');
  expect(hub.ledger.requests()).toEqual([]);
});

test('an installation that is not there or suspended is a lack of rights, never a ticket that is gone', async () => {
  const { hub, github, connect } = await startAppHub();
  hub.openIssue('org/repo');
  const ticket = await github.readTicket('1', callOf());
  const elsewhere = connect({ installation: '8' });
  hub.apps.suspend('agent-smith', 7);
  expect(await failure(github.readTicket('1', callOf()))).toMatchObject({ kind: 'auth', status: 401 });
  const suspended = await failure(github.moveLifecycle(ticket, 'enqueued', callOf()));
  expect(suspended).toMatchObject({ kind: 'auth', status: 403, effect: 'none' });
  expect(suspended.message).toContain('suspended');
  expect(await failure(elsewhere.readTicket('1', callOf()))).toMatchObject({ kind: 'auth', status: 404 });
  expect(() => connect({ installation: 'seven' })).toThrow(PlatformError);
  expect(() => connect({ installation: 'seven' })).toThrow('installation_id must be the number');
});

test('a token endpoint that hangs holds nobody longer than its own deadline, and is let go with the last', async () => {
  const { hub, github, minted } = await startAppHub();
  hub.openIssue('org/repo');
  hub.faults.inject({ path: /access_tokens/, times: 1 }, { kind: 'hang' });
  const giveUp = new AbortController();
  const patient = failure(github.readTicket('1', callOf({ signal: giveUp.signal, deadlineMs: 60_000 })));
  const hasty = await failure(github.readTicket('1', callOf({ deadlineMs: 50 })));
  expect(hasty).toMatchObject({ kind: 'unavailable', effect: 'none' });
  giveUp.abort();
  expect(await patient).toMatchObject({ kind: 'unavailable', effect: 'none' });
  expect(await github.readTicket('1', callOf())).toMatchObject({ id: '1' });
  expect(minted()).toBe(2);
});

test('the first to give up does not take the token from those who still wait', async () => {
  const { hub, github, minted } = await startAppHub();
  hub.openIssue('org/repo');
  hub.faults.inject({ path: /access_tokens/ }, { kind: 'latency', delayMs: 100 });
  const giveUp = new AbortController();
  const first = failure(github.readTicket('1', callOf({ signal: giveUp.signal })));
  const second = github.readTicket('1', callOf());
  giveUp.abort();
  expect(await first).toMatchObject({ kind: 'unavailable' });
  expect(await second).toMatchObject({ id: '1' });
  expect(minted()).toBe(1);
});

test('who asks for a run is found behind the label that the App put back itself', async () => {
  const { hub, github } = await startAppHub();
  hub.openIssue('org/repo');
  hub.addLabel('org/repo#1', 'agent-smith:pending', 'alice');
  const moved = await github.moveLifecycle(await github.readTicket('1', callOf()), 'enqueued', callOf());
  expect(moved).toEqual(['agent-smith:enqueued']);
  await github.moveLifecycle(await github.readTicket('1', callOf()), 'pending', callOf());
  expect(hub.ledger.labelChanges().at(-1)?.by).toMatchObject({ login: 'agent-smith[bot]' });
  expect(await github.labelActor('1', 'agent-smith:pending', callOf())).toBe('alice');
});

test('the App signs with its own id, for ten minutes at most, and the emulator would not take another key', async () => {
  const { hub, connect, keyFile } = await startAppHub();
  hub.openIssue('org/repo');
  expect(await failure(connect({ appId: String(APP_ID + 1) }).readTicket('1', callOf()))).toMatchObject({
    status: 401,
  });
  await writeFile(keyFile, pem(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey, 'pkcs1'));
  const wrongKey = await failure(connect().readTicket('1', callOf()));
  expect(wrongKey).toMatchObject({ kind: 'auth', status: 401 });
  expect(wrongKey.message).toContain('A JSON web token could not be decoded');
});
