import fc from 'fast-check';
import { expect, test } from 'vitest';
import { now } from '../../src/foundation/clock.ts';
import type { CallPurpose } from '../../src/platforms/contract.ts';
import { createRateLimits, sameWindowMs } from '../../src/platforms/rate-limits.ts';
import { movableClock } from '../support/movable-clock.ts';

const HOUR_MS = 3_600_000;
const PLACE = 'GET /issues';

function limitsWithClock() {
  const time = movableClock();
  return { limits: createRateLimits(time.clock), pass: time.pass };
}
const windowOf = (remaining: number, resetMs = 600_000) => ({ limit: 1_000, remaining, resetMs, windowMs: HOUR_MS });

test.each<[CallPurpose, boolean]>([
  ['claim', true],
  ['attempt', true],
  ['label', true],
  ['comment', true],
  ['discovery', false],
  ['catchup', false],
  ['repair', false],
  ['setup', false],
  ['inspect', false],
])('%s may use the last tenth of a budget: %s', async (purpose, may) => {
  const { limits, pass } = limitsWithClock();
  await limits.learn(windowOf(101), PLACE);
  expect(await limits.hold(purpose, PLACE)).toBeUndefined();
  await limits.learn(windowOf(100), PLACE);
  const hold = { waitMs: 600_000, why: 'kept-for-work' };
  expect(await limits.hold(purpose, PLACE)).toEqual(may ? undefined : hold);
  pass(600_000);
  expect(await limits.hold(purpose, PLACE)).toBeUndefined();
});

test('a wait that the platform asked for is for every purpose', async () => {
  const { limits, pass } = limitsWithClock();
  await limits.learn({ waitMs: 5_000 }, PLACE);
  expect(await limits.hold('claim', 'PUT /elsewhere')).toEqual({ waitMs: 5_000, why: 'asked-to-wait' });
  pass(4_999);
  expect(await limits.hold('claim', PLACE)).toEqual({ waitMs: 1, why: 'asked-to-wait' });
  pass(1);
  expect(await limits.hold('claim', PLACE)).toBeUndefined();
});

test('a wait for one path holds that path alone, and its numbers are not those of the credential', async () => {
  const { limits } = limitsWithClock();
  await limits.learn({ waitMs: 5_000, only: 'path', ...windowOf(0) }, PLACE);
  expect(await limits.hold('claim', PLACE)).toEqual({ waitMs: 5_000, why: 'asked-to-wait' });
  expect(await limits.hold('discovery', 'PUT /issues')).toBeUndefined();
  expect(limits.budget()).toEqual({ heldMs: 0, window: undefined });
});

test('a shorter wait never ends a longer one, in whatever order they are told', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(60_000), fc.nat(5_000)), { maxLength: 20 }), async (waits) => {
      const { limits, pass } = limitsWithClock();
      let end = 0;
      let at = 0;
      for (const [waitMs, passedMs] of waits) {
        await limits.learn({ waitMs }, PLACE);
        end = Math.max(end, at + waitMs);
        pass(passedMs);
        at += passedMs;
        expect(limits.budget().heldMs).toBe(Math.max(0, end - at));
      }
    }),
  );
});

test('a wall clock that jumps does not end a wait', async () => {
  let wallMs = 0;
  const limits = createRateLimits(() => ({ ...now(), monotonicMs: 7, wallMs }));
  await limits.learn({ waitMs: 5_000 }, PLACE);
  wallMs = HOUR_MS;
  expect(limits.budget().heldMs).toBe(5_000);
});

test('answers of one window may overtake each other: the smallest remainder counts', async () => {
  const { limits, pass } = limitsWithClock();
  for (const remaining of [900, 898, 899]) await limits.learn(windowOf(remaining), PLACE);
  // Ends are told in whole seconds: this is the same one.
  await limits.learn(windowOf(897, 601_500), PLACE);
  pass(1_000);
  expect(limits.budget().window).toEqual(windowOf(897, 599_000));
});

test('a later window replaces the one before, whose late answers are passed over', async () => {
  const { limits } = limitsWithClock();
  await limits.learn(windowOf(3, 1_000), PLACE);
  await limits.learn(windowOf(999, HOUR_MS), PLACE);
  await limits.learn(windowOf(2, 900), PLACE);
  expect(limits.budget().window).toEqual(windowOf(999, HOUR_MS));
});

test('when a window is over nothing is known until the next answer', async () => {
  const { limits, pass } = limitsWithClock();
  await limits.learn(windowOf(3, 1_000), PLACE);
  pass(1_000);
  expect(limits.budget().window).toBeUndefined();
  await limits.learn(windowOf(998, HOUR_MS), PLACE);
  expect(limits.budget().window?.remaining).toBe(998);
});

test('a window that does not say when it ends is taken for a whole one; one without any length is not kept', async () => {
  const { limits } = limitsWithClock();
  await limits.learn({ remaining: 5 }, PLACE);
  expect(limits.budget().window).toBeUndefined();
  await limits.learn({ remaining: 5, windowMs: 60_000 }, PLACE);
  expect(limits.budget().window).toEqual({ limit: undefined, remaining: 5, resetMs: 60_000, windowMs: 60_000 });
  // Without the size of the whole there is no tenth to keep.
  expect(await limits.hold('discovery', PLACE)).toBeUndefined();
});

test('ends may differ by the seconds in which they are told, and by a twentieth of a long window', () => {
  expect([undefined, 1_000, HOUR_MS].map(sameWindowMs)).toEqual([2_000, 2_000, 180_000]);
});
