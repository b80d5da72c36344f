/** What on a ticket takes its live run back, row by row. */
import { expect, test } from 'vitest';
import { mayBeOwnAct, showsItsRun, WITHDRAWALS, withdrawalOf } from '../../src/domain/withdrawal.ts';

const OPEN = { labels: ['Agent-Smith', 'agent-smith:in-progress'], open: true };

test.each([
  ['open, with the label that started it, in any letter case', 'agent-smith', OPEN, {}, undefined],
  ['closed', 'agent-smith', { ...OPEN, open: false }, {}, WITHDRAWALS.closed],
  ['without the label that started it', 'agent-smith', { ...OPEN, labels: ['other'] }, {}, WITHDRAWALS.unlabelled],
  ['another trigger label instead', 'agent-smith', { ...OPEN, labels: ['review'] }, {}, WITHDRAWALS.unlabelled],
  ['started by pending, which we take off', undefined, { ...OPEN, labels: [] }, {}, undefined],
  ['started by pending, closed', undefined, { ...OPEN, open: false }, {}, WITHDRAWALS.closed],
  ['without a label of ours', 'agent-smith', { ...OPEN, labels: ['agent-smith'] }, {}, undefined],
  ['moved', 'agent-smith', { ...OPEN, scope: 'TWO' }, { scope: 'ONE' }, WITHDRAWALS.moved],
  ['at its place', 'agent-smith', { ...OPEN, scope: 'one' }, { scope: 'ONE' }, undefined],
] as const)('%s', (_, label, ticket, source, expected) => {
  expect(withdrawalOf(label === undefined ? {} : { label }, ticket, source)).toBe(expected);
});

test('a sight shows the run by a label that only a live run has', () => {
  expect(showsItsRun({ labels: ['x', 'agent-smith:in-progress'] })).toBe(true);
  expect(showsItsRun({ labels: ['agent-smith:enqueued'] })).toBe(true);
  for (const label of ['agent-smith', 'agent-smith:pending', 'agent-smith:failed'])
    expect(showsItsRun({ labels: [label] })).toBe(false);
});

test('an attempt may do on the ticket what people may do there, but asks nothing of the API', () => {
  for (const by of Object.values(WITHDRAWALS)) expect(mayBeOwnAct(by)).toBe(true);
  expect(mayBeOwnAct('alice')).toBe(false);
});
