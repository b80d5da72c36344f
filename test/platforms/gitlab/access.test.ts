/** What is told of a token before anything is written. */
import { expect, test } from 'vitest';
import type { TokenOptions } from '../../../src/emulators/gitlab/tokens.ts';
import type { AccessFact } from '../../../src/platforms/contract.ts';
import { callOf } from '../conformance/calls.ts';
import { connected, PROJECT } from './connected.ts';

/** What it may do: sign in, read, label, comment. */
type Granted = readonly AccessFact['granted'][];

const CASES: readonly (readonly [string, Omit<TokenOptions, 'token'>, Granted, evidence: RegExp])[] = [
  ['a developer', {}, ['yes', 'yes', 'yes', 'yes'], /access level 30 \(Developer\), scope api/],
  ['a reporter by the group', { access: 'reporter', membership: 'group' }, ['yes', 'yes', 'yes', 'yes'], /Reporter/],
  ['a planner', { access: 'planner' }, ['yes', 'yes', 'yes', 'yes'], /Planner/],
  ['a guest', { access: 'guest' }, ['yes', 'yes', 'no', 'yes'], /access level 10 \(Guest\)/],
  ['a member by a shared group', { membership: 'shared' }, ['yes', 'yes', 'unknown', 'unknown'], /no member/],
  ['a token for reading', { scopes: ['read_api'] }, ['yes', 'yes', 'no', 'no'], /scope read_api/],
  ['a token for the user alone', { scopes: ['read_user'] }, ['yes', 'no', 'no', 'no'], /insufficient_scope/],
  ['a token for code', { scopes: ['read_repository'] }, ['no'], /insufficient_scope/],
  ['an OAuth token', { oauth: true }, ['yes', 'yes', 'unknown', 'unknown'], /scopes of this token cannot be asked/],
  ['a token of another project', { projects: ['group/other'] }, ['yes', 'no', 'unknown', 'unknown'], /404 Project/],
];

test.each(CASES)('%s', async (_, token, granted, evidence) => {
  const { server, connect } = await connected();
  server.tokens.add('asked', { token: 'glpat-asked', ...token });
  const facts = await connect('glpat-asked').checkAccess(callOf({ purpose: 'inspect' }));
  expect(facts.map((fact) => fact.granted)).toEqual(granted);
  expect(facts.map((fact) => fact.evidence).join('\n')).toMatch(evidence);
  expect(server.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('a revoked token may not sign in; an archived project takes no writes', async () => {
  const { server, gitlab } = await connected();
  const path = new RegExp(`/projects/${encodeURIComponent(PROJECT)}$`);
  const project = { permissions: { project_access: { access_level: 40 }, group_access: null } };
  server.faults.inject({ path }, { kind: 'answer', status: 200, body: { archived: true, ...project } });
  const facts = await gitlab.checkAccess(callOf());
  expect(facts.map(({ granted }) => granted)).toEqual(['yes', 'yes', 'no', 'no']);
  server.tokens.remove('smith');
  expect(await gitlab.checkAccess(callOf())).toEqual([
    {
      right: 'sign-in',
      granted: 'no',
      evidence: expect.stringContaining('Token was revoked'),
      advice: expect.stringContaining('scope api'),
    },
  ]);
});
