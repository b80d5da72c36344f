import { expect, test } from 'vitest';
import { movedAway } from '../../../src/domain/ticket.ts';
import { callOf, failure, read, requestsDuring } from '../conformance/calls.ts';
import { connected, TOKEN } from './connected.ts';

test('a ticket is known by its numeric id, whichever name it was asked for by', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC', { labels: ['fix'] });
  const byId = await read(at.jira, id);
  expect(byId).toMatchObject({ id, display: 'ABC-1', url: `${at.site.siteUrl}/browse/ABC-1`, scope: 'ABC' });
  expect(await read(at.jira, 'ABC-1')).toEqual(byId);
});

test('a ticket in another project is the same ticket under another name, and says where it is', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC', { labels: ['fix'] });
  const before = await read(at.jira, id);
  at.site.moveIssue('ABC-1', 'XYZ');
  for (const name of [id, 'ABC-1', 'XYZ-1']) {
    const after = await read(at.jira, name);
    expect(after).toMatchObject({ key: before.key, id, display: 'XYZ-1', scope: 'XYZ' });
    expect(movedAway(after, { scope: 'ABC' })).toBe(true);
  }
});

test('nothing gets into a path but an id or a key', async () => {
  await using at = await connected();
  at.site.openIssue('ABC');
  const requests = await requestsDuring(at.site, async () => {
    for (const id of ['ABC-1/../../../x?y=1', 'ABC-1?expand=changelog', 'abc-1', 'ABC-1\n', '10001/comment', '#1']) {
      expect(await failure(read(at.jira, id), TOKEN)).toMatchObject({ kind: 'not-found', effect: 'none' });
    }
  });
  expect(requests).toEqual([]);
});

test('every status of the category done is closed, and no other', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC');
  for (const status of ['indeterminate', 'done', 'new'] as const) {
    at.site.setStatus('ABC-1', status);
    expect((await read(at.jira, id)).open).toBe(status !== 'done');
  }
});

test('the body is text on Data Center and becomes Markdown from a document on Cloud', async () => {
  const wiki = 'h1. Broken\n\n{code}x{code}';
  await using server = await connected({ deployment: 'data_center' });
  expect(await read(server.jira, server.site.openIssue('ABC', { description: wiki }).id)).toMatchObject({ body: wiki });
  await using cloud = await connected();
  const heading = { type: 'heading', attrs: { level: 2 }, content: [{ type: 'text', text: 'Broken' }] };
  const description = { type: 'doc', content: [heading] };
  expect(await read(cloud.jira, cloud.site.openIssue('ABC', { description }).id)).toMatchObject({ body: '## Broken' });
  expect(await read(cloud.jira, cloud.site.openIssue('ABC').id)).toMatchObject({ body: '' });
});

test('a token with scopes goes through the gateway, and pages stay those of the site', async () => {
  await using at = await connected({ contextPath: '/ex/jira/11223344' });
  const { id } = at.site.openIssue('ABC', { labels: ['fix'] });
  const { url } = await read(at.jira, id);
  expect(url).toBe(`${new URL(at.site.url).origin}/browse/ABC-1`);
  expect(at.site.ledger.requests().map(({ path }) => path.split('?')[0])).toEqual([
    `/ex/jira/11223344/rest/api/3/issue/${id}`,
  ]);
});

test('a failed login that is answered as nobody’s is an auth error, never a missing ticket or an empty list', async () => {
  await using at = await connected();
  at.site.openIssue('ABC', { labels: ['fix'] });
  const wrong = at.connect({ credential: { kind: 'basic', email: 'smith@example.com', token: 'revoked' } });
  at.site.takeFailedLoginsForAnonymous();
  const list = () => wrong.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
  for (const call of [() => read(wrong, 'ABC-1'), list, () => wrong.labelActor('ABC-1', 'fix', callOf())]) {
    expect(await failure(call(), TOKEN)).toMatchObject({ kind: 'auth', effect: 'none' });
  }
  expect(await wrong.checkAccess(callOf())).toMatchObject([{ right: 'sign-in', granted: 'no' }]);
});

test('a credential that cannot be right is refused before anything is sent', async () => {
  await using cloud = await connected();
  await using server = await connected({ deployment: 'data_center' });
  const basic = { kind: 'basic', email: 'no address', token: TOKEN } as const;
  expect(() => cloud.connect({ credential: basic })).toThrow('no email address');
  expect(() => cloud.connect({ credential: { kind: 'token', token: TOKEN } })).toThrow(
    'takes an email and an API token',
  );
  expect(() => server.connect({ credential: basic })).toThrow('takes a personal access token alone');
  expect([...cloud.site.ledger.requests(), ...server.site.ledger.requests()]).toEqual([]);
});

test('rights are told by name; a project that is not shown is told with its key', async () => {
  await using at = await connected();
  expect(await at.jira.checkAccess(callOf())).toMatchObject([
    { right: 'sign-in', granted: 'yes', evidence: 'signed in as Smith (smith)' },
    { right: 'read-tickets', granted: 'yes', evidence: 'Browse Projects in project ABC' },
    { right: 'write-labels', granted: 'yes' },
    { right: 'comment', granted: 'yes', evidence: 'Add Comments in project ABC' },
  ]);
  const outsider = at.connect({
    credential: { kind: 'basic', email: 'outsider@example.com', token: 'outsider-token' },
  });
  const [, reading] = await outsider.checkAccess(callOf());
  expect(reading).toMatchObject({ granted: 'no', evidence: expect.stringContaining("found with key 'ABC'") });
});
