import { expect, test } from 'vitest';
import { durationText } from '../../src/foundation/duration.ts';

test.each([
  [0, '0 s'],
  [499, '0 s'],
  [12_000, '12 s'],
  [59_600, '1 min'],
  [252_000, '4 min 12 s'],
  [3_600_000, '1 h'],
  [3_612_000, '1 h'],
  [7_500_000, '2 h 5 min'],
  [273_600_000, '3 d 4 h'],
])('%d ms: %s', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});
