/** docs/explain.md is what people are sent to: it knows every gate and every reason, and no other. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { adviceOn } from '../../src/claims/claim-advice.ts';
import { CLAIM_FAILURES, failed, notEligible, REJECTED_REASONS, rejected } from '../../src/claims/claim-outcome.ts';
import { CLAIM_GATES } from '../../src/claims/explain-gates.ts';
import { NOT_ELIGIBLE_REASONS } from '../../src/domain/eligibility.ts';

const page = readFileSync(new URL('../../docs/explain.md', import.meta.url), 'utf8');
const rows = (pattern: RegExp): string[] => [...page.matchAll(pattern)].map(([, reason = '']) => reason);

test.each([
  ['not-eligible', NOT_ELIGIBLE_REASONS],
  ['rejected', REJECTED_REASONS],
  ['failed', CLAIM_FAILURES],
])('every reason of %s has its row, with what it means and what to do', (outcome, reasons) => {
  const told = rows(new RegExp(`^\\| ${outcome} \\| \`([a-z-]+)\` \\| .{10,} \\| .{10,} \\|$`, 'gm'));
  expect(told.toSorted()).toEqual([...reasons].toSorted());
});

test('every gate has its row, in the order of the claim', () => {
  expect(rows(/^\| ([a-z -]+) \| .*\? \|$/gm)).toEqual([...CLAIM_GATES]);
});

test('every outcome without a run comes with advice', () => {
  const outcomes = [
    ...NOT_ELIGIBLE_REASONS.map(notEligible),
    ...REJECTED_REASONS.map((reason) => rejected(reason, '')),
    ...CLAIM_FAILURES.map((failure) => failed(failure, '')),
    ...['queued', 'running', 'unconfirmed'].map((state) => ({ kind: 'already-claimed', run: 'r', state }) as const),
  ];
  expect(outcomes.map(adviceOn).filter((advice) => !/^[a-z].{15,}[^.]$/.test(advice))).toEqual([]);
});
