/** What an outcome of a claim means for the deliveries that asked for it. Pure. */
import { type ClaimFailure, type ClaimOutcome, describeOutcome } from '../claims/claim-outcome.ts';
import { unreachable } from '../foundation/errors.ts';
import type { Settlement } from '../runs/delivery-records.ts';

export interface InboxPatience {
  /** Another claim is at work on the ticket, and may yet fail. */
  readonly inboxContendedMs: number;
  readonly inboxRetryMs: number;
  readonly inboxRetryMaxMs: number;
  readonly inboxGiveUpMs: number;
  /** One look was not enough, a second one so much later is. */
  readonly secondReadMs: number;
}

/** The configuration has changed since the delivery was routed. */
export const WANTED_BY_NOBODY: Settlement = { kind: 'ignored', outcome: 'no-project', dependsOnConfiguration: true };

/** @param ageMs of the oldest delivery: the pauses grow with it */
export function settlementOf(outcome: ClaimOutcome, ageMs: number, patience: InboxPatience): Settlement {
  const said = describeOutcome(outcome);
  const later = (delayMs: number): Settlement => ({ kind: 'later', outcome: said, delayMs });
  // Each pause is as long as everything before it, so they double.
  const patiently = (): Settlement => later(Math.min(Math.max(ageMs, patience.inboxRetryMs), patience.inboxRetryMaxMs));
  switch (outcome.kind) {
    case 'claimed':
      return { kind: 'processed', outcome: said, run: outcome.run };
    case 'already-claimed':
      // The label of a run that has ended is still being written: what is asked for now is another run.
      if (outcome.state === 'unconfirmed') return patiently();
      return { kind: 'processed', outcome: said, run: outcome.run };
    case 'not-eligible':
      return outcome.reason === 'seen-once' ? later(patience.secondReadMs) : { kind: 'processed', outcome: said };
    case 'rejected':
      // A token that is missing may be there tomorrow.
      if (outcome.reason === 'project-disabled') return patiently();
      return { kind: 'ignored', outcome: said, dependsOnConfiguration: true };
    case 'failed':
      if (outcome.failure === 'contended') return later(patience.inboxContendedMs);
      return isFinal(outcome.failure) ? { kind: 'failed', outcome: said } : patiently();
    default:
      return unreachable(outcome);
  }
}

/** What no time will mend. */
function isFinal(failure: ClaimFailure): boolean {
  return failure === 'unsupported';
}
