/** What each finding about a credential rests on. */
import { expect, test } from 'vitest';
import { LIFECYCLES, lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import type { Rights } from '../../../src/emulators/azuredevops/tokens.ts';
import type { AccessFact } from '../../../src/platforms/contract.ts';
import { callOf } from '../conformance/calls.ts';
import { type Connected, connected, TOKEN } from './connected.ts';

async function connectedAs(rights: Rights): Promise<Connected> {
  return connected({ tokens: { smith: { token: TOKEN, ...rights } } });
}

async function factOf(at: Connected, right: AccessFact['right']): Promise<AccessFact | undefined> {
  return (await at.azure.checkAccess(callOf({ purpose: 'inspect' }))).find((fact) => fact.right === right);
}

test('says who signed in, and what was seen of the project', async () => {
  await using at = await connectedAs({ login: 'smith@example.com' });
  at.server.openWorkItem('org', 'Shop');
  expect(await at.azure.checkAccess(callOf())).toEqual([
    { right: 'sign-in', granted: 'yes', evidence: 'signed in as smith@example.com' },
    { right: 'read-tickets', granted: 'yes', evidence: 'Shop shows its work item 1' },
    { right: 'write-labels', granted: 'yes', evidence: 'a change of 1 passed its validation, nothing was saved' },
    { right: 'comment', granted: 'yes', evidence: 'a change of 1 passed its validation, nothing was saved' },
  ]);
  expect(at.server.workItem('org#1').rev).toBe(1);
});

test('an account without the permission is told from a token without the scope', async () => {
  await using account = await connectedAs({ canEdit: false });
  account.server.openWorkItem('org', 'Shop');
  expect(await factOf(account, 'write-labels')).toMatchObject({
    granted: 'no',
    advice: expect.stringContaining('Edit work items in this node'),
  });
  await using token = await connectedAs({ scope: 'read' });
  token.server.openWorkItem('org', 'Shop');
  expect(await factOf(token, 'comment')).toMatchObject({ granted: 'no', advice: expect.stringContaining('the scope') });
});

test('without a work item the scope cannot be seen, and the test by writing is offered', async () => {
  await using at = await connectedAs({});
  expect(await factOf(at, 'read-tickets')).toMatchObject({ granted: 'yes' });
  expect(await factOf(at, 'write-labels')).toMatchObject({
    granted: 'unknown',
    advice: expect.stringContaining('--write-test'),
  });
});

test('tags that the account may not create matter until they are there', async () => {
  await using at = await connectedAs({ canCreateTags: false });
  at.server.openWorkItem('org', 'Shop', { labels: ['agent-smith:done'] });
  expect(await factOf(at, 'write-labels')).toMatchObject({
    granted: 'no',
    evidence: expect.stringMatching(/lacks agent-smith:pending.*agent-smith:failed$/),
  });
  expect(await factOf(at, 'comment')).toMatchObject({ granted: 'yes' });
  at.server.openWorkItem('org', 'Shop', { labels: LIFECYCLES.map(lifecycleLabel) });
  expect(await factOf(at, 'write-labels')).toMatchObject({ granted: 'yes' });
});

test('a project that cannot be seen is told, and the rest is not asked', async () => {
  await using at = await connected();
  const azure = at.connect({ tickets: { url: `${at.server.collectionUrl('org')}/Nowhere` } });
  expect(await azure.checkAccess(callOf())).toMatchObject([
    { right: 'sign-in', granted: 'yes' },
    { right: 'read-tickets', granted: 'no' },
  ]);
});

test('a server that does not tell permissions still shows what a change would meet', async () => {
  await using at = await connectedAs({});
  at.server.openWorkItem('org', 'Shop');
  at.server.faults.inject({ path: /_apis\/permissions/ }, { kind: 'answer', status: 403 });
  expect(await factOf(at, 'write-labels')).toMatchObject({ granted: 'yes' });
});
