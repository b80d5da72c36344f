/** When `demo --once` is over: not before each platform was listed once more. */
import { expect, test } from 'vitest';
import { createEndWatch } from '../../../src/cli/demo/end-watch.ts';
import type { Verdict } from '../../../src/cli/demo/verdict.ts';

const ALL_DONE: Verdict = { tickets: 2, done: 2, failed: 0, open: [], doubled: [] };
const AN_HOUR_MS = 3_600_000;

/** @param polls when the last listing of each platform began, as the one replica says */
function watch(polls: ReadonlyMap<string, number>, startedAtMs = Date.now()) {
  const replicas = [{ view: () => ({ polls }) }];
  return createEndWatch({
    sites: [{ platform: 'github' }, { platform: 'jira' }],
    replicas,
    startedAtMs,
  });
}

test('when all tickets have ended, and listings that began afterwards are over', () => {
  const polls = new Map([['github', Date.now() + AN_HOUR_MS]]);
  const isOver = watch(polls);
  expect(isOver(ALL_DONE, 0)).toBe(false);
  polls.set('jira', Date.now() - 1);
  expect(isOver(ALL_DONE, 0)).toBe(false);
  polls.set('jira', Date.now() + AN_HOUR_MS);
  expect(isOver(ALL_DONE, 0)).toBe(true);
});

test('not while a ticket is open, or people have more to open', () => {
  const later = Date.now() + AN_HOUR_MS;
  const isOver = watch(
    new Map([
      ['github', later],
      ['jira', later],
    ]),
  );
  expect(isOver({ ...ALL_DONE, open: ['shop#1'] }, 0)).toBe(false);
  expect(isOver(ALL_DONE, 1)).toBe(false);
  expect(isOver(ALL_DONE, 0)).toBe(true);
});

test('when time is up, whatever is open', () => {
  const isOver = watch(new Map(), Date.now() - AN_HOUR_MS);
  expect(isOver({ ...ALL_DONE, open: ['shop#1'] }, 1)).toBe(true);
});
