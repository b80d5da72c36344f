/** What can come of a claim. Expected outcomes are values; an exception out of a claim is a bug. */
import type { NotEligibleReason } from '../domain/eligibility.ts';
import { unreachable } from '../foundation/errors.ts';
import { PLATFORM_ERROR_KINDS } from '../platforms/contract.ts';

export const REJECTED_REASONS = ['unknown-project', 'project-disabled', 'trigger-not-allowed', 'no-runner'] as const;

/** This configuration can never work; trying again is pointless until it changes. */
export type RejectedReason = (typeof REJECTED_REASONS)[number];

export const CLAIM_FAILURES = [
  ...PLATFORM_ERROR_KINDS,
  'contended',
  'recovering',
  'backing-off',
  'redis-unavailable',
  'out-of-time',
] as const;

/** It did not work now. `contended`: somebody else is claiming the ticket, and may yet fail. */
export type ClaimFailure = (typeof CLAIM_FAILURES)[number];

export type ClaimOutcome =
  | { readonly kind: 'claimed'; readonly run: string; readonly project: string; readonly pipeline: string }
  | { readonly kind: 'already-claimed'; readonly run: string; readonly state: string }
  | { readonly kind: 'not-eligible'; readonly reason: NotEligibleReason }
  | { readonly kind: 'rejected'; readonly reason: RejectedReason; readonly detail: string }
  | { readonly kind: 'failed'; readonly failure: ClaimFailure; readonly detail: string };

/** Every outcome but the one that makes a run. */
export type Unclaimed = Exclude<ClaimOutcome, { readonly kind: 'claimed' }>;

/** The outcome in one word group, for logs, metrics and the decision log: `not-eligible: closed`. */
export function describeOutcome(outcome: ClaimOutcome | { readonly kind: 'would-claim' }): string {
  switch (outcome.kind) {
    case 'claimed':
    case 'would-claim':
      return outcome.kind;
    case 'already-claimed':
      return `${outcome.kind}: ${outcome.state}`;
    case 'not-eligible':
    case 'rejected':
      return `${outcome.kind}: ${outcome.reason}`;
    case 'failed':
      return `${outcome.kind}: ${outcome.failure}`;
    default:
      return unreachable(outcome);
  }
}

export function failed(failure: ClaimFailure, detail: string): Unclaimed & { readonly kind: 'failed' } {
  return { kind: 'failed', failure, detail };
}

export function rejected(reason: RejectedReason, detail: string): Unclaimed {
  return { kind: 'rejected', reason, detail };
}

export function notEligible(reason: NotEligibleReason): Unclaimed {
  return { kind: 'not-eligible', reason };
}
