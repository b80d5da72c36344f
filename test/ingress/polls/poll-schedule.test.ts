import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  effectiveIntervalMs,
  nextPauseMs,
  type PollPace,
  stretchOf,
} from '../../../src/ingress/polls/poll-schedule.ts';
import type { BudgetWindow } from '../../../src/platforms/rate-limits.ts';

const HOUR_MS = 3_600_000;
const pace: fc.Arbitrary<PollPace> = fc.record({
  intervalMs: fc.integer({ min: 1_000, max: 3_600_000 }),
  jitterPercent: fc.integer({ min: 0, max: 50 }),
  failures: fc.integer({ min: 0, max: 1_000 }),
  retryAfterMs: fc.option(fc.integer({ min: 0, max: 3_600_000 }), { nil: undefined }),
  backoffMaxMs: fc.integer({ min: 1_000, max: 600_000 }),
});
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('jitter stays within its bounds', () => {
  fc.assert(
    fc.property(pace, chance, (given, luck) => {
      const pause = nextPauseMs({ ...given, failures: 0, retryAfterMs: undefined }, luck);
      const jitter = (given.intervalMs * given.jitterPercent) / 100;
      expect(pause).toBeGreaterThanOrEqual(Math.floor(given.intervalMs - jitter));
      expect(pause).toBeLessThanOrEqual(Math.ceil(given.intervalMs + jitter));
    }),
  );
});

test('jitter uses the whole of its bounds', () => {
  const given = { intervalMs: 60_000, jitterPercent: 10, failures: 0, backoffMaxMs: 600_000 };
  expect(nextPauseMs(given, 0)).toBe(54_000);
  expect(nextPauseMs(given, 0.5)).toBe(60_000);
  expect(nextPauseMs(given, 0.999_999_9)).toBe(66_000);
});

test('each failure doubles the pause up to the maximum, which never shortens the interval', () => {
  const given = { intervalMs: 60_000, jitterPercent: 0, backoffMaxMs: 600_000 };
  const pauses = [0, 1, 2, 3, 4, 5, 1_000].map((failures) => nextPauseMs({ ...given, failures }, 0.5));
  expect(pauses).toEqual([60_000, 120_000, 240_000, 480_000, 600_000, 600_000, 600_000]);
  expect(nextPauseMs({ ...given, intervalMs: 3_600_000, failures: 3 }, 0.5)).toBe(3_600_000);
});

test('what the platform asked for is a lower bound that neither jitter nor the maximum shortens', () => {
  fc.assert(
    fc.property(pace, chance, (given, luck) => {
      expect(nextPauseMs(given, luck)).toBeGreaterThanOrEqual(given.retryAfterMs ?? 0);
    }),
  );
});

test('what is left of the old window counts at the stretched pace, the new one at its own', () => {
  const window = { limit: 1_000, remaining: 100, windowMs: HOUR_MS };
  const given = { intervalMs: 60_000, jitterPercent: 0, failures: 0, backoffMaxMs: 600_000 };
  const pauses = [HOUR_MS, 600_000, 300_000, 60_000].map((resetMs) =>
    effectiveIntervalMs({ ...given, window: { ...window, resetMs } }),
  );
  // Ten times as long; five minutes are worth half an interval at that pace; the next poll is on the new window anyway.
  expect(pauses).toEqual([600_000, 600_000, 330_000, 60_000]);
});

test('projects that are asked to wait until the same moment come back over an interval', () => {
  const given = { intervalMs: 60_000, jitterPercent: 10, failures: 0, backoffMaxMs: 600_000, retryAfterMs: 900_000 };
  expect([0, 0.5, 0.999_999_9].map((luck) => nextPauseMs(given, luck))).toEqual([900_000, 930_000, 960_000]);
});

const budget: fc.Arbitrary<BudgetWindow> = fc.record({
  limit: fc.integer({ min: 10, max: 15_000 }),
  remaining: fc.integer({ min: 0, max: 15_000 }),
  resetMs: fc.integer({ min: 1, max: HOUR_MS }),
  windowMs: fc.constant(HOUR_MS),
});

test('polls are stretched by as much as the budget runs out faster than its window, a tenth of it forgiven', () => {
  const half = { limit: 1_000, resetMs: HOUR_MS / 2, windowMs: HOUR_MS };
  // 100 are the reserve, 450 are half of what is above it.
  expect([1_000, 550, 325, 145, 101, 100, 0].map((remaining) => stretchOf({ ...half, remaining }))).toEqual([
    1, 1, 1.8, 9, 10, 10, 10,
  ]);
  expect(stretchOf(undefined)).toBe(1);
  expect(stretchOf({ ...half, remaining: 5, limit: undefined })).toBe(1);
});

test('the stretch grows with the time to come, shrinks with the budget that is left, and stays in its bounds', () => {
  fc.assert(
    fc.property(budget, fc.nat(5_000), fc.nat(HOUR_MS), (window, more, longer) => {
      const stretch = stretchOf(window);
      expect(stretch).toBeGreaterThanOrEqual(1);
      expect(stretch).toBeLessThanOrEqual(10);
      expect(stretchOf({ ...window, remaining: window.remaining + more })).toBeLessThanOrEqual(stretch);
      expect(stretchOf({ ...window, resetMs: window.resetMs + longer })).toBeGreaterThanOrEqual(stretch);
    }),
  );
});

test('a stretched pause is never shorter than the interval, and never past the new window by more than that', () => {
  fc.assert(
    fc.property(budget, fc.integer({ min: 1_000, max: HOUR_MS }), (window, intervalMs) => {
      const given = { intervalMs, jitterPercent: 0, failures: 0, backoffMaxMs: 600_000, window };
      expect(effectiveIntervalMs(given)).toBeGreaterThanOrEqual(intervalMs);
      expect(effectiveIntervalMs(given)).toBeLessThanOrEqual(window.resetMs + intervalMs);
      if (window.resetMs <= intervalMs) expect(effectiveIntervalMs(given)).toBe(intervalMs);
    }),
  );
});

/** One window of many projects on one credential that only discover; `stretched` or at their own pace. */
function simulate(projects: number, listings: number, limit: number, stretched: boolean) {
  const intervalMs = 60_000;
  const due = Array.from({ length: projects }, (_, i) => Math.floor((i * intervalMs) / projects));
  let remaining = limit;
  let exhaustedAtMs = HOUR_MS;
  for (;;) {
    const atMs = Math.min(...due);
    if (atMs >= HOUR_MS) return { remaining, exhaustedAtMs, due };
    const window = { limit, remaining, resetMs: HOUR_MS - atMs, windowMs: HOUR_MS };
    const held = remaining <= limit * 0.1;
    if (held) exhaustedAtMs = Math.min(exhaustedAtMs, atMs);
    else remaining -= listings;
    const pace = { intervalMs, jitterPercent: 0, failures: 0, backoffMaxMs: 600_000 };
    const paused = { ...pace, ...(stretched && { window }), ...(held && { retryAfterMs: window.resetMs }) };
    due[due.indexOf(atMs)] = atMs + nextPauseMs(paused, 0.5);
  }
}

test('however many projects are on a credential, looking for tickets leaves its reserve, and stretching makes it last', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 4 }), (projects, listings) => {
      const limit = 1_000;
      const calm = simulate(projects, listings, limit, true);
      expect(calm.remaining).toBeGreaterThan(limit * 0.1 - listings);
      // At most ten times apart and once more: each project had its turns, and has one soon after the new window began.
      for (const at of calm.due) expect(at).toBeLessThanOrEqual(HOUR_MS + 2 * 60_000);
      const hasty = simulate(projects, listings, limit, false);
      expect(calm.exhaustedAtMs).toBeGreaterThanOrEqual(hasty.exhaustedAtMs);
      // Twice as many polls as the budget bears: at their own pace half of the window would be dark.
      const wanted = projects * listings * 60;
      if (wanted > limit * 0.9 * 1.2 && wanted < limit * 0.9 * 2)
        expect(calm.exhaustedAtMs).toBeGreaterThan(HOUR_MS * 0.85);
    }),
    { numRuns: 40 },
  );
});
