/** The short form of the chaos run, for `npm test`: everything at once on three replicas, judged from outside. */
import { expect, test } from 'vitest';
import { testRedisServer } from '../support/redis.ts';
import { describeResult, isGood } from './report.ts';
import { runChaos } from './run.ts';
import { SHORT_FORM } from './settings.ts';

test('three replicas under every kind of fault: no ticket lost, none run twice at once, people keep their labels', async () => {
  const settings = { ...SHORT_FORM, tickets: 60, report: () => undefined };
  const result = await runChaos(settings, testRedisServer(), AbortSignal.timeout(110_000));
  // All of it, so that a failure says what happened and how to see it again.
  expect(isGood(result), describeResult(result, settings).join('\n')).toBe(true);
}, 120_000);
