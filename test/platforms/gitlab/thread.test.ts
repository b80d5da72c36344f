/** Notes and label events of GitLab. */
import { expect, test } from 'vitest';
import { callOf } from '../conformance/calls.ts';
import { connected, PROJECT } from './connected.ts';

const TICKET = `${PROJECT}#1`;
const MARKER = '<!-- agent-smith run=01J -->';

test('notes are read newest first, and no further back than the comment can be', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { server, gitlab, sent } = await connected({ nowMs: () => nowMs });
  server.openIssue(PROJECT);
  for (let n = 0; n < 250; n += 1) server.comment(TICKET, `remark ${n}`);
  nowMs += 60_000;
  await gitlab.comment('1', { markdown: 'Done.', marker: MARKER, sinceMs: nowMs }, callOf());
  expect(sent()).toEqual(['GET notes/list', 'POST notes/create']);
  await gitlab.comment('1', { markdown: 'Done.', marker: MARKER }, callOf());
  expect(sent()).toHaveLength(3);
});

test('what GitLab itself notes is no comment, and pushes none out of sight', async () => {
  const { server, gitlab, sent } = await connected();
  server.openIssue(PROJECT);
  await gitlab.comment('1', { markdown: 'Done.', marker: MARKER }, callOf());
  for (let n = 0; n < 60; n += 1) {
    server.closeIssue(TICKET);
    server.reopenIssue(TICKET);
  }
  const before = sent().length;
  await gitlab.comment('1', { markdown: 'Done.', marker: MARKER }, callOf());
  expect(sent()).toHaveLength(before + 1);
});

test('events of a label that was deleted since name nobody', async () => {
  const { server, gitlab } = await connected();
  server.openIssue(PROJECT, { labels: ['fix'], by: 'alice' });
  expect(await gitlab.labelActor('1', 'fix', callOf())).toBe('alice');
  const path = `${server.url}/projects/${server.projectId(PROJECT)}/labels/fix`;
  await fetch(path, { method: 'DELETE', headers: { authorization: 'Bearer glpat-a-secret-of-the-tests' } });
  expect(await gitlab.labelActor('1', 'fix', callOf())).toBeUndefined();
});
