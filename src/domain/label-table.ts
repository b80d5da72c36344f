/**
 * PROTOCOL 5: the lifecycle label is a picture of the record. This is the table that says what to do when the record
 * and the freshly read ticket are laid side by side. Pure; one test per row.
 *
 * Confirmed = since the run entered its state, a read of the ticket showed the projection as its only lifecycle label.
 * Before that every difference is ours to repair; after it every difference is somebody's edit.
 */
import { unreachable } from '../foundation/errors.ts';
import { type Lifecycle, lifecyclesOf, readLifecycle } from './lifecycle.ts';
import { isTerminal, projectionOf, type Run } from './run.ts';

export type LabelAction =
  /** Nothing to do, and why. */
  | { readonly kind: 'leave'; readonly why: string }
  /** The record shows what the label shows: confirm it. */
  | { readonly kind: 'confirm' }
  /** Write this lifecycle label as the only one. */
  | { readonly kind: 'write'; readonly lifecycle: Lifecycle }
  /** A confirmed label was overwritten by a lifecycle label that is not a person's wish: ours again, and counted. */
  | { readonly kind: 'doubt' }
  /** Somebody else keeps writing lifecycle labels here: a finding, no further write. */
  | { readonly kind: 'give-up' }
  /** Claim it: an ordinary claim, or the adoption of an orphaned `enqueued`. */
  | { readonly kind: 'claim'; readonly trigger: 'poll' | 'reconcile' }
  /** Take over the claim that died. */
  | { readonly kind: 'take-over' };

/** How often a contradicted terminal label is written again before it becomes a finding. */
export const MOST_DOUBTS = 3;

export interface LabelFacts {
  readonly run: Run | undefined;
  readonly labels: readonly string[];
  /** A claim holds the ticket's lock right now. */
  readonly locked: boolean;
}

export function decideLabel({ run, labels, locked }: LabelFacts): LabelAction {
  const found = lifecyclesOf(labels);
  if (run === undefined) return withoutRecord(found, labels);

  const projection = projectionOf(run.state);
  if (projection === undefined) {
    return locked ? { kind: 'leave', why: 'a claim is at work' } : { kind: 'take-over' };
  }
  const agrees = found.length === 1 && found[0] === projection;

  if (!isTerminal(run.state)) {
    if (!agrees) return { kind: 'write', lifecycle: projection };
    return run.labelState === 'confirmed' ? { kind: 'leave', why: 'label agrees' } : { kind: 'confirm' };
  }
  if (run.labelState === 'unconfirmed') {
    return agrees ? { kind: 'confirm' } : { kind: 'write', lifecycle: projection };
  }
  return afterConfirmation(run, found, projection, agrees);
}

function withoutRecord(found: readonly Lifecycle[], labels: readonly string[]): LabelAction {
  const shown = readLifecycle(labels);
  switch (shown) {
    case undefined:
    case 'pending':
      return { kind: 'claim', trigger: 'poll' };
    case 'enqueued':
      return { kind: 'claim', trigger: 'reconcile' };
    case 'in-progress':
      return { kind: 'write', lifecycle: 'pending' };
    case 'done':
    case 'failed':
      return found.length === 1
        ? { kind: 'leave', why: 'ended, and no record says otherwise' }
        : { kind: 'write', lifecycle: shown };
    default:
      return unreachable(shown);
  }
}

function afterConfirmation(run: Run, found: readonly Lifecycle[], projection: Lifecycle, agrees: boolean): LabelAction {
  if (agrees) return { kind: 'leave', why: 'label agrees' };
  if (found.includes('enqueued') || found.includes('in-progress')) {
    return run.labelDoubts >= MOST_DOUBTS ? { kind: 'give-up' } : { kind: 'doubt' };
  }
  const asksAgain = found.every((l) => l === 'pending' || l === projection);
  if (asksAgain) return { kind: 'claim', trigger: 'poll' };
  return { kind: 'leave', why: "a person's verdict" };
}

/**
 * Whether somebody else has written a lifecycle label here: one that contradicts a label which had been read back. Known by
 * what it says, never by who wrote it. A person who asks again (`pending`, or nothing) and a person's verdict on a run that
 * has ended are none; nor is what stood there when the table said before that it is left alone.
 */
export function contradicts({ run, labels }: { readonly run: Run; readonly labels: readonly string[] }): boolean {
  if (run.labelState !== 'confirmed') return false;
  const action = decideLabel({ run, labels, locked: false });
  if (isTerminal(run.state)) return action.kind === 'doubt';
  const projection = projectionOf(run.state);
  return projection !== undefined && lifecyclesOf(labels).some((shown) => shown !== projection && shown !== 'pending');
}
