/** What the demo reads in the log of a replica; the lines are as a server writes them. */
import { expect, test } from 'vitest';
import { claimIn, portIn } from '../../../src/cli/demo/replica-log.ts';

const LISTENING =
  '{"level":30,"time":"2026-11-20T18:26:41.815Z","port":8081,"projects":4,"instance":"vm-1","msg":"listening"}';
const CLAIM =
  '{"level":30,"time":"2026-11-20T18:26:48.988Z","ticket":"github~127.0.0.1%3A8180~acme%2Fshop~4","project":"github","trigger":"webhook","outcome":"claimed","run":"01M7","platform":"github","durationMs":16,"msg":"claim"}';

test('where it listens', () => {
  expect(portIn(LISTENING)).toBe(8081);
  expect(portIn(CLAIM)).toBeUndefined();
});

test('by which way a ticket came in', () => {
  const atMs = Date.parse('2026-11-20T18:26:48.988Z');
  expect(claimIn(CLAIM)).toEqual({ project: 'github', ticketId: '4', trigger: 'webhook', atMs });
});

test.each([
  ['of something else', LISTENING],
  ['of a claim that made no run', CLAIM.replace('"claimed"', '"failed: unavailable"')],
  ['that a kill has cut short', CLAIM.slice(0, -1)],
])('nothing in a line %s', (_, line) => {
  expect(claimIn(line)).toBeUndefined();
});
