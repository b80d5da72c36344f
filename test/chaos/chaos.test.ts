/** The short form of the chaos run, for `npm test`: everything at once on three replicas, judged from outside. */
import { expect, test } from 'vitest';
import { testRedisServer } from '../support/redis.ts';
import { describeResult, isUnbroken } from './report.ts';
import { runChaos } from './run.ts';
import { SHORT_FORM } from './settings.ts';

test('three replicas under every kind of fault: no ticket lost, none run twice at once, people keep their labels', async () => {
  const settings = { ...SHORT_FORM, tickets: 50, pace: 6, long: 0.5, report: () => undefined };
  const result = await runChaos(settings, testRedisServer(), AbortSignal.timeout(110_000));
  // The share that a record needs is left to the longer runs: so few faults fall as a busy machine lets them.
  const isKept = isUnbroken(result) && result.verdict.hitWork > 0;
  // All of it, so that a failure says what happened and how to see it again.
  expect(isKept ? 'kept' : describeResult(result, settings).join('\n')).toBe('kept');
}, 120_000);
