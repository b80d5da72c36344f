/** What the adapter says about a credential, without writing anything. */
import { rm } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createGitHubEmulator, type GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { TokenOptions } from '../../../src/emulators/github/tokens.ts';
import { ACCESS_RIGHTS, type AccessFact } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { callOf } from '../conformance/calls.ts';
import { startAppHub } from './app-hub.ts';
import { failure, TOKEN } from './connected.ts';

async function hubWith(token: Partial<TokenOptions>) {
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot', ...token } },
    repositories: ['org/repo'],
  });
  await hub.start();
  onTestFinished(() => hub.close());
  const check = (secret = TOKEN) =>
    connectGitHub({
      source: { platform: 'github', host: new URL(hub.url).host, container: 'org/repo', apiUrl: hub.url },
      credential: { kind: 'token', token: secret },
      transport: createTransport({ credentialId: 'bot', origin: hub.url }),
    }).checkAccess(callOf({ purpose: 'inspect' }));
  return { hub, check };
}

/** `granted` of each right in its order; a fact that is no `yes` says what to do. */
function rights(facts: readonly AccessFact[]): string {
  expect(facts.map(({ right }) => right)).toEqual(ACCESS_RIGHTS.slice(0, facts.length));
  for (const { granted, advice, evidence } of facts) {
    expect(evidence).not.toBe('');
    expect(advice === undefined).toBe(granted === 'yes');
  }
  return facts.map(({ granted }) => granted).join(' ');
}

const isReadOnly = (hub: GitHubEmulator): boolean => hub.ledger.requests().every(({ method }) => method === 'GET');

test.each([
  ['classic, with the scope repo', { scopes: ['repo', 'read:org'] }, 'yes yes yes yes', 'repo, read:org'],
  ['classic, with too small a scope', { scopes: ['public_repo'] }, 'yes yes no no', 'public_repo'],
  ['classic, without any scope', { scopes: [] }, 'yes yes no no', '(none)'],
  ['classic, of a reader', { scopes: ['repo'], canPush: false }, 'yes yes no yes', 'may only read'],
  ['fine-grained', {}, 'yes yes unknown unknown', 'does not tell'],
  ['fine-grained, of a reader', { canPush: false }, 'yes yes no unknown', 'may only read'],
  ['fine-grained, without issues', { issues: 'none' }, 'yes no unknown unknown', 'does not tell'],
  ['without this repository', { repositories: [] }, 'yes no unknown unknown', 'not asked'],
] as const)('a token that is %s', async (_, token, expected, evidence) => {
  const { hub, check } = await hubWith(token);
  const facts = await check();
  expect(rights(facts)).toBe(expected);
  expect(facts[0]?.evidence).toBe('as smith-bot');
  expect(facts[2]?.evidence).toContain(evidence);
  expect(isReadOnly(hub)).toBe(true);
});

test('a small scope will do for a public repository', async () => {
  const { hub, check } = await hubWith({ scopes: ['public_repo'] });
  hub.configureRepository('org/repo', { isPrivate: false });
  expect(rights(await check())).toBe('yes yes yes yes');
});

test('a wrong token is a fact, and says what to do', async () => {
  const { check } = await hubWith({});
  const facts = await check('ghp_made-up-token');
  expect(rights(facts)).toBe('no');
  expect(facts[0]?.evidence).toContain('Bad credentials');
  expect(JSON.stringify(facts)).not.toContain('ghp_made-up-token');
});

test('a token without a user behind it is no wrong one', async () => {
  const { check } = await hubWith({ isInstallation: true });
  const facts = await check();
  expect(rights(facts)).toBe('yes yes unknown unknown');
  expect(facts[0]?.evidence).toContain("workflow's");
});

test('issues that are switched off cannot be read; an archived repository cannot be written to', async () => {
  const { hub, check } = await hubWith({ scopes: ['repo'] });
  hub.configureRepository('org/repo', { hasIssues: false });
  expect(rights(await check())).toBe('yes no yes yes');
  hub.configureRepository('org/repo', { hasIssues: true, archived: true });
  const facts = await check();
  expect(rights(facts)).toBe('yes yes no no');
  expect(facts[3]?.advice).toContain('Unarchive');
});

test('the role Triage is not sure to be enough', async () => {
  const { hub, check } = await hubWith({ scopes: ['repo'] });
  hub.faults.inject(
    { path: /repos\/org\/repo$/ },
    {
      kind: 'answer',
      status: 200,
      headers: { 'content-type': 'application/json', 'x-oauth-scopes': 'repo' },
      body: { full_name: 'org/repo', private: true, permissions: { triage: true, push: false } },
    },
  );
  const facts = await check();
  expect(rights(facts)).toBe('yes yes unknown yes');
  expect(facts[2]?.advice).toContain('--write-test');
});

test('a renamed repository is still the one, under its new name', async () => {
  const { hub, check } = await hubWith({ scopes: ['repo'] });
  hub.renameRepository('org/repo', 'org/renamed');
  const facts = await check();
  expect(rights(facts)).toBe('yes yes yes yes');
  expect(facts[1]?.evidence).toContain('org/renamed');
});

test('an outage and a limit are errors, not answers about rights', async () => {
  const { hub, check } = await hubWith({ scopes: ['repo'] });
  const outage = hub.faults.inject({}, { kind: 'answer', status: 503 });
  expect(await failure(check())).toMatchObject({ kind: 'unavailable' });
  outage.remove();
  hub.rateLimits.set('bot', { remaining: 0 });
  expect(await failure(check())).toMatchObject({ kind: 'rate-limited' });
});

test.each([
  ['with issues: write', { issues: 'write' }, 'yes yes yes yes'],
  ['with issues: read', { issues: 'read' }, 'yes yes no no'],
  ['without issues', { issues: 'none' }, 'yes no no no'],
  ['without this repository', { repositories: ['org/other'] }, 'yes no unknown unknown'],
] as const)('an App that is installed %s', async (_, installation, expected) => {
  const { hub, github } = await startAppHub(installation);
  const facts = await github.checkAccess(callOf({ purpose: 'inspect' }));
  expect(rights(facts)).toBe(expected);
  expect(facts[0]?.evidence).toBe('as agent-smith[bot], installed by org');
  expect(hub.ledger.requests().filter(({ method }) => method !== 'GET')).toMatchObject([
    { operation: 'apps/create-installation-access-token' },
  ]);
});

test('an App that cannot sign in: its key, its installation, its suspension, each with its own advice', async () => {
  const { hub, github, connect, keyFile } = await startAppHub();
  const elsewhere = await connect({ installation: '8' }).checkAccess(callOf());
  expect(rights(elsewhere)).toBe('no');
  expect(elsewhere[0]?.advice).toContain('installation_id');
  hub.apps.suspend('agent-smith', 7);
  const suspended = await github.checkAccess(callOf());
  expect(rights(suspended)).toBe('no');
  expect(suspended[0]).toMatchObject({ evidence: expect.stringContaining('suspended') });
  await rm(keyFile);
  const keyless = await github.checkAccess(callOf());
  expect(rights(keyless)).toBe('no');
  expect(keyless[0]?.evidence).toContain(keyFile);
});
