/** Every kind of token does the whole work. Project and group tokens are bots with a name of their own. */
import { expect, test } from 'vitest';
import type { TokenOptions } from '../../../src/emulators/gitlab/tokens.ts';
import { callOf, failure, listedIds, read } from '../conformance/calls.ts';
import { connected, PROJECT } from './connected.ts';

const KINDS: readonly (readonly [string, Omit<TokenOptions, 'token'>])[] = [
  ['personal', { login: 'alice' }],
  ['project', { login: 'project_7_bot_ab12', projects: [PROJECT], access: 'reporter' }],
  ['group', { login: 'group_3_bot_cd34', membership: 'group', access: 'reporter' }],
];

test.each(KINDS)('a %s token lists, reads, moves, comments, and knows its own labels', async (_, token) => {
  const { server, connect } = await connected();
  server.tokens.add('bot', { token: 'glpat-of-a-bot', ...token });
  const gitlab = connect('glpat-of-a-bot');
  server.openIssue(PROJECT, { labels: ['fix', 'agent-smith:pending'], by: 'mia' });
  expect(await listedIds(gitlab, ['fix'])).toEqual(['1']);
  await gitlab.ensureLifecycleLabels(callOf());
  await gitlab.moveLifecycle(await read(gitlab, '1'), 'in-progress', callOf());
  await gitlab.moveLifecycle(await read(gitlab, '1'), 'pending', callOf());
  expect(await gitlab.labelActor('1', 'agent-smith:pending', callOf())).toBe('mia');
  await gitlab.comment('1', { markdown: 'Done.', marker: '<!-- m -->' }, callOf());
  expect(server.ledger.comments()).toMatchObject([{ by: { kind: 'token', login: token.login } }]);
});

test('a project token sees no other project', async () => {
  const { server, connect } = await connected({ projects: [PROJECT, 'group/other'] });
  server.tokens.add('bot', { token: 'glpat-of-a-bot', projects: ['group/other'] });
  server.openIssue(PROJECT, { labels: ['fix'] });
  expect(await failure(read(connect('glpat-of-a-bot'), '1'), 'glpat-of-a-bot')).toMatchObject({ kind: 'not-found' });
});
