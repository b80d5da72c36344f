import { expect, test } from 'vitest';
import { DEFAULT_TIMING } from '../../../src/domain/timing.ts';
import { decideSignal, leashCheckMs } from '../../../src/worker/guard/leash.ts';

test.for([
  ['fresh beats: left alone', { beatAgeMs: 19_999, stoppingMs: undefined, exited: false }, 'none'],
  ['no beat for 20 s: SIGTERM', { beatAgeMs: 20_000, stoppingMs: undefined, exited: false }, 'term'],
  ['no beat for 20 s, SIGTERM sent: wait', { beatAgeMs: 29_999, stoppingMs: 9_999, exited: false }, 'none'],
  ['no beat for 30 s: SIGKILL', { beatAgeMs: 30_000, stoppingMs: 9_999, exited: false }, 'kill'],
  [
    'first look after a long pause: SIGKILL at once',
    { beatAgeMs: 60_000, stoppingMs: undefined, exited: false },
    'kill',
  ],
  ['stopped, within the grace: wait', { beatAgeMs: 0, stoppingMs: 9_999, exited: false }, 'none'],
  ['stopped, grace over: SIGKILL', { beatAgeMs: 0, stoppingMs: 10_000, exited: false }, 'kill'],
  ['ended with children left: SIGTERM', { beatAgeMs: 0, stoppingMs: undefined, exited: true }, 'term'],
  ['children left after the grace: SIGKILL', { beatAgeMs: 0, stoppingMs: 10_000, exited: true }, 'kill'],
] as const)('%s', ([, facts, signal]) => {
  expect(decideSignal(facts, DEFAULT_TIMING)).toBe(signal);
});

test('a runner is killed before its heartbeat expires, the pause between two looks included', () => {
  expect(DEFAULT_TIMING.trustKillMs + leashCheckMs(DEFAULT_TIMING)).toBeLessThan(DEFAULT_TIMING.heartbeatTtlMs);
});
