import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elapsedMs, type Moment, now } from '../../src/foundation/clock.ts';

const moment: fc.Arbitrary<Moment> = fc.record({
  monotonicMs: fc.double({ min: 0, max: 1e12, noNaN: true }),
  uptimeMs: fc.double({ min: 0, max: 1e12, noNaN: true }),
  wallMs: fc.double({ min: 0, max: 2e12, noNaN: true }),
});

test('what has elapsed is the largest that any clock says, and never negative', () => {
  fc.assert(
    fc.property(moment, moment, (since, at) => {
      const elapsed = elapsedMs(since, at);
      expect(elapsed).toBeGreaterThanOrEqual(0);
      for (const clock of ['monotonicMs', 'uptimeMs', 'wallMs'] as const) {
        expect(elapsed).toBeGreaterThanOrEqual(at[clock] - since[clock]);
      }
    }),
  );
});

const base: Moment = { monotonicMs: 1_000, uptimeMs: 5_000, wallMs: 1_700_000_000_000 };

test.each([
  [
    'the machine slept: the monotonic clock stood still',
    { monotonicMs: 1_010, uptimeMs: 65_000, wallMs: base.wallMs + 60_000 },
    60_000,
  ],
  [
    'the wall clock jumped back: the others count',
    { monotonicMs: 4_000, uptimeMs: 8_000, wallMs: base.wallMs - 3_600_000 },
    3_000,
  ],
  [
    'the wall clock jumped forward: trust is lost too early, never too late',
    { monotonicMs: 1_010, uptimeMs: 5_010, wallMs: base.wallMs + 3_600_000 },
    3_600_000,
  ],
])('%s', (_, at, elapsed) => {
  expect(elapsedMs(base, at)).toBe(elapsed);
});

test('the clocks go forward', () => {
  const first = now();
  const second = now();
  expect(second.monotonicMs).toBeGreaterThanOrEqual(first.monotonicMs);
  expect(elapsedMs(first, second)).toBeLessThan(60_000);
});
