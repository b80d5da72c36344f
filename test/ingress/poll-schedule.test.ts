import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextPauseMs, type PollPace } from '../../src/ingress/poll-schedule.ts';

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
