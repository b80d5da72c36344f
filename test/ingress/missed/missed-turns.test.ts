import { expect, test } from 'vitest';
import type { Moment } from '../../../src/foundation/clock.ts';
import type { Heard } from '../../../src/ingress/missed/missed-source.ts';
import { isDue } from '../../../src/ingress/missed/missed-turns.ts';
import { openTerm } from './missing.ts';

const SCAN_MS = 600_000;
const at = (ms: number): Moment => ({ monotonicMs: ms, uptimeMs: ms, wallMs: ms });

test.each<[heard: Heard, isFirstOfTerm: boolean, dueAfterMs: number]>([
  ['answer', true, SCAN_MS],
  ['more', true, SCAN_MS],
  ['silence', true, SCAN_MS / 10],
  ['silence', false, SCAN_MS / 10],
  ['over', false, SCAN_MS / 10],
  ['closed', true, SCAN_MS / 10],
  ['closed', false, SCAN_MS],
])(
  'after %s, in the first turn of the term: %o, a source is due again in %i ms',
  (heard, isFirstOfTerm, dueAfterMs) => {
    const term = openTerm();
    const last = { term, number: 1, isFirstOfTerm, heard, at: at(0) };
    expect(isDue(last, term, at(0.79 * dueAfterMs), SCAN_MS)).toBe(false);
    expect(isDue(last, term, at(0.81 * dueAfterMs), SCAN_MS)).toBe(true);
  },
);

test('a new term asks every source at once', () => {
  const [old, term] = [openTerm(), openTerm()];
  const last = { term: old, number: 1, isFirstOfTerm: true, heard: 'answer', at: at(0) } as const;
  expect(isDue(last, term, at(0), SCAN_MS)).toBe(true);
  expect(isDue(undefined, term, at(0), SCAN_MS)).toBe(true);
});
