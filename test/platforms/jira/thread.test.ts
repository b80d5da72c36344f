import { expect, test } from 'vitest';
import { callOf, requestsDuring } from '../conformance/calls.ts';
import { connected } from './connected.ts';

const MARKER = '<!-- agent-smith run=01J -->';

test.each(['cloud', 'data_center'] as const)(
  'a comment is found again by its last paragraph, on %s',
  async (deployment) => {
    await using at = await connected({ deployment });
    const { id } = at.site.openIssue('ABC');
    at.site.comment('ABC-1', `> ${MARKER}\n\nsaid the machine`);
    for (let n = 0; n < 120; n += 1) at.site.comment('ABC-1', `remark ${n}`);
    const comment = { markdown: '**Agent Smith**: done.', marker: MARKER };
    for (let n = 0; n < 3; n += 1) await at.jira.comment(id, comment, callOf());
    expect(at.site.ledger.comments('ABC-1').filter(({ by }) => by.kind === 'token')).toHaveLength(1);
    const body = deployment === 'cloud' ? 'Agent Smith: done.' : '*Agent Smith*: done.';
    expect(at.site.issue('ABC-1').comments.at(-1)).toEqual({ login: 'smith', body: `${body}\n\n${MARKER}` });
  },
);

test('Cloud: of a long thread only what may hold our comment is read', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC');
  for (let n = 0; n < 250; n += 1) at.site.comment('ABC-1', `remark ${n}`);
  const posted = (sinceMs: number) =>
    requestsDuring(at.site, () => at.jira.comment(id, { markdown: 'x', marker: `m${sinceMs}`, sinceMs }, callOf()));
  expect(await posted(Date.now() + 60_000)).toHaveLength(2);
  expect(await posted(0)).toHaveLength(4);
});

test('labels that a ticket was opened with are its creator’s, also after many changes', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC', { labels: ['fix', 'agent-smith:pending'], by: 'alice' });
  for (let n = 0; n < 125; n += 1) {
    at.site.addLabel('ABC-1', 'noise', 'mallory');
    at.site.removeLabel('ABC-1', 'noise', 'mallory');
  }
  expect(await at.jira.labelActor(id, 'fix', callOf())).toBe('alice');
  expect(await at.jira.labelActor(id, 'noise', callOf())).toBe('mallory');
  expect(await at.jira.labelActor(id, 'absent', callOf())).toBeUndefined();
});

test('a long history is read from its end, as far as it is needed', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC');
  for (let n = 0; n < 300; n += 1) at.site.addLabel('ABC-1', `noise-${n}`, 'mallory');
  at.site.addLabel('ABC-1', 'fix', 'bob');
  const requests = await requestsDuring(at.site, async () => {
    expect(await at.jira.labelActor(id, 'fix', callOf())).toBe('bob');
  });
  expect(requests).toHaveLength(2);
});

test('Data Center tells people by their user names', async () => {
  await using at = await connected({ deployment: 'data_center' });
  const { id } = at.site.openIssue('ABC', { labels: ['fix'], by: 'alice' });
  expect(await at.jira.labelActor(id, 'fix', callOf())).toBe('alice');
  at.site.removeLabel('ABC-1', 'fix', 'bob');
  at.site.addLabel('ABC-1', 'fix', 'bob');
  expect(await at.jira.labelActor(id, 'fix', callOf())).toBe('bob');
});

test('whoever labelled last and is not told any more is unknown, not the one before', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC', { by: 'alice' });
  const change = (author: unknown, before: string, after: string) => ({
    author,
    created: '2026-11-20T10:00:00.000+0000',
    items: [{ field: 'labels', fromString: before, toString: after }, { field: 'status' }],
  });
  const values = [change({ accountId: 'alice' }, '', 'fix'), change({}, 'bug', 'bug fix')];
  at.site.faults.inject({ path: /changelog/ }, { kind: 'answer', status: 200, body: { values, startAt: 0, total: 2 } });
  expect(await at.jira.labelActor(id, 'fix', callOf())).toBeUndefined();
});

test('a field of the site’s own that is called labels says nothing about who labelled', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC', { labels: ['fix'], by: 'alice' });
  const values = [
    {
      author: { accountId: 'mallory' },
      created: '2026-11-20T10:00:00.000+0000',
      items: [{ field: 'labels', fieldtype: 'custom', fromString: '', toString: 'fix' }],
    },
  ];
  at.site.faults.inject({ path: /changelog/ }, { kind: 'answer', status: 200, body: { values, startAt: 0, total: 1 } });
  expect(await at.jira.labelActor(id, 'fix', callOf())).toBe('alice');
});
