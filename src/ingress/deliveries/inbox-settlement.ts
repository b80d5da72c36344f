/** What an outcome of a claim means for the deliveries that asked for it. Pure. */
import { type ClaimFailure, type ClaimOutcome, describeOutcome } from '../../claims/claim-outcome.ts';
import { cancelReason } from '../../domain/run.ts';
import { unreachable } from '../../foundation/errors.ts';
import type { CancelReply } from '../../runs/cancellations.ts';
import type { Settlement } from '../../runs/delivery-records.ts';

export interface InboxPatience {
  /** Another claim is at work on the ticket, and may yet fail. */
  readonly inboxContendedMs: number;
  readonly inboxRetryMs: number;
  readonly inboxRetryMaxMs: number;
  readonly inboxGiveUpMs: number;
  /** So long replicas may differ about the configuration while it is changed. */
  readonly inboxConfigMs: number;
  /** One look was not enough, a second one so much later is. */
  readonly secondReadMs: number;
}

/** What became of a ticket: of its claim, or of the run that it has, when people have taken that back. */
export type InboxOutcome = ClaimOutcome | Extract<CancelReply, { readonly kind: 'cancelled' | 'requested' }>;

export interface Asked {
  /** Of the oldest delivery: the pauses grow with it. */
  readonly ageMs: number;
  /** One of the deliveries was routed by another configuration than the one that judges now. */
  readonly routedElsewhere: boolean;
  /** One of them may have taken back the live run of the ticket. */
  readonly mayTakeBack: boolean;
}

/** @param outcome undefined: no project wants the ticket; `unforeseen`: the claim threw, which is a bug */
export function settlementOf(
  outcome: InboxOutcome | 'unforeseen' | undefined,
  { ageMs, routedElsewhere, mayTakeBack }: Asked,
  patience: InboxPatience,
): Settlement {
  // Each pause is as long as everything before it, so they double.
  const pauseMs = Math.min(Math.max(ageMs, patience.inboxRetryMs), patience.inboxRetryMaxMs);
  const failing = (said: string, inMs = pauseMs): Settlement => ({
    kind: 'failed',
    outcome: said,
    again: { inMs, untilAgeMs: patience.inboxGiveUpMs },
  });
  // Who has the older configuration, this replica or the one that took the delivery in, nobody can tell yet.
  const doubt = routedElsewhere ? { inMs: pauseMs, untilAgeMs: patience.inboxConfigMs } : undefined;
  if (outcome === undefined) return { kind: 'ignored', outcome: 'no-project', again: doubt };
  if (outcome === 'unforeseen') return failing('failed: unforeseen');
  if (outcome.kind === 'cancelled' || outcome.kind === 'requested') {
    return { kind: 'processed', outcome: cancelReason(outcome.by), run: outcome.run };
  }
  // A platform may tell of a change before all of its servers show it.
  const secondLook = { inMs: patience.secondReadMs, untilAgeMs: patience.secondReadMs };
  const said = describeOutcome(outcome);
  switch (outcome.kind) {
    case 'claimed':
      return { kind: 'processed', outcome: said, run: outcome.run };
    case 'already-claimed':
      // The label of a run that has ended is still being written: what is asked for now is another run.
      if (outcome.state === 'unconfirmed') return failing(said);
      return { kind: 'processed', outcome: said, run: outcome.run, again: mayTakeBack ? secondLook : undefined };
    case 'not-eligible': {
      if (outcome.reason === 'seen-once') return failing(said, patience.secondReadMs);
      const again = outcome.reason === 'no-trigger-label' ? doubt : undefined;
      return {
        kind: 'processed',
        outcome: said,
        again: again ?? secondLook,
      };
    }
    case 'rejected':
      // A token that is missing may be there tomorrow.
      if (outcome.reason === 'project-disabled') return failing(said);
      return { kind: 'ignored', outcome: said, again: doubt };
    case 'failed':
      if (outcome.failure === 'contended') return failing(said, patience.inboxContendedMs);
      return isFinal(outcome.failure) ? { kind: 'failed', outcome: said } : failing(said);
    default:
      return unreachable(outcome);
  }
}

/** What no time will mend. */
function isFinal(failure: ClaimFailure): boolean {
  return failure === 'unsupported';
}
