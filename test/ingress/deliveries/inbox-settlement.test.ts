/** What each outcome of a claim means for the deliveries that asked (PROTOCOL 8), as a table; and how the pauses grow. */
import { expect, test } from 'vitest';
import { CLAIM_FAILURES, type ClaimOutcome, failed, notEligible, rejected } from '../../../src/claims/claim-outcome.ts';
import { NOT_ELIGIBLE_REASONS } from '../../../src/domain/eligibility.ts';
import { DEFAULT_TIMING } from '../../../src/domain/timing.ts';
import { type Asked, type InboxOutcome, settlementOf } from '../../../src/ingress/deliveries/inbox-settlement.ts';

const FRESH: Asked = { ageMs: 0, routedElsewhere: false, mayTakeBack: false };
const FOREIGN: Asked = { ageMs: 0, routedElsewhere: true, mayTakeBack: false };
const DAY_MS = 86_400_000;

const settle = (outcome: InboxOutcome | 'unforeseen' | undefined, asked = FRESH) =>
  settlementOf(outcome, asked, DEFAULT_TIMING);
const alreadyClaimed = (state: string): ClaimOutcome => ({ kind: 'already-claimed', run: 'r1', state });

test('a run is what was asked for, whoever asked for it first', () => {
  const claimed: ClaimOutcome = { kind: 'claimed', run: 'r1', project: 'api', pipeline: 'fix-bug' };
  expect(settle(claimed)).toEqual({ kind: 'processed', outcome: 'claimed', run: 'r1' });
  expect(settle(alreadyClaimed('queued'))).toEqual({
    kind: 'processed',
    outcome: 'already-claimed: queued',
    run: 'r1',
  });
});

test('people may have taken the run back: ended, or looked at once more, for a platform that lags behind its own word', () => {
  const taken: Asked = { ...FRESH, mayTakeBack: true };
  const secondLook = { inMs: DEFAULT_TIMING.secondReadMs, untilAgeMs: DEFAULT_TIMING.secondReadMs };
  expect(settle(alreadyClaimed('running'), taken)).toMatchObject({ kind: 'processed', again: secondLook });
  const takenBack = { run: 'r1', by: 'closing the ticket' };
  const processed = { kind: 'processed', outcome: 'cancelled by closing the ticket', run: 'r1' };
  expect(settle({ kind: 'cancelled', ...takenBack }, taken)).toEqual(processed);
  expect(settle({ kind: 'requested', state: 'running', ...takenBack }, taken)).toEqual(processed);
});

test.each([
  ...CLAIM_FAILURES.filter((kind) => kind !== 'unsupported').map((kind) => failed(kind, '')),
  rejected('project-disabled', ''),
  alreadyClaimed('unconfirmed'),
  notEligible('seen-once'),
  'unforeseen' as const,
])('%j may be otherwise later: tried for a day', (outcome) => {
  const { kind, again } = settle(outcome);
  expect(kind).toBe('failed');
  expect(again?.untilAgeMs).toBe(DAY_MS);
});

test('what no time mends has failed at once', () => {
  expect(settle(failed('unsupported', ''))).toEqual({ kind: 'failed', outcome: 'failed: unsupported' });
});

test.each(NOT_ELIGIBLE_REASONS.filter((reason) => reason !== 'seen-once'))('%s: looked at once more', (reason) => {
  const { secondReadMs } = DEFAULT_TIMING;
  expect(settle(notEligible(reason))).toEqual({
    kind: 'processed',
    outcome: `not-eligible: ${reason}`,
    again: { inMs: secondReadMs, untilAgeMs: secondReadMs },
  });
});

test.each([undefined, rejected('unknown-project', ''), rejected('trigger-not-allowed', ''), rejected('no-runner', '')])(
  '%j is for a configuration to say: at once by the one that routed it, in five minutes by another one',
  (outcome) => {
    expect(settle(outcome)).toMatchObject({ kind: 'ignored', again: undefined });
    expect(settle(outcome, FOREIGN)).toMatchObject({ kind: 'ignored', again: { untilAgeMs: 300_000 } });
  },
);

test('a trigger label may be one by the other configuration alone', () => {
  expect(settle(notEligible('no-trigger-label'), FOREIGN).again?.untilAgeMs).toBe(300_000);
  expect(settle(notEligible('closed'), FOREIGN).again?.untilAgeMs).toBe(DEFAULT_TIMING.secondReadMs);
});

test('pauses double from five seconds to five minutes', () => {
  const pauses: number[] = [];
  for (let ageMs = 0; ageMs < 1_000_000; ageMs += pauses.at(-1) ?? 0) {
    pauses.push(settle(failed('unavailable', ''), { ...FRESH, ageMs }).again?.inMs ?? 0);
  }
  expect(pauses.map((ms) => ms / 1000)).toEqual([5, 5, 10, 20, 40, 80, 160, 300, 300, 300]);
});
