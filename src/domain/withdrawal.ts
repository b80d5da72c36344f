/**
 * What a ticket says about the live run that it has: whether people have taken the wish for it back. The only place that
 * decides this, for whoever reads the ticket: the worker before it starts, a delivery, a poll, the platform pass. Pure.
 * Why so: docs/decisions/0023-what-takes-a-run-back.md.
 */
import { hasLabel, lifecyclesOf } from './lifecycle.ts';
import type { Run } from './run.ts';
import { movedAway, type Ticket, type TicketSource } from './ticket.ts';

/** What people do to a ticket that takes its run back, in words that follow `cancelled by`. */
export const WITHDRAWALS = {
  moved: 'moving the ticket to another project',
  closed: 'closing the ticket',
  unlabelled: 'removing the trigger label',
} as const;

export type Withdrawal = (typeof WITHDRAWALS)[keyof typeof WITHDRAWALS];

/**
 * Undefined: the run is still wanted. A run that `agent-smith:pending` has started is not taken back by its absence: that
 * label is taken off by us.
 */
export function withdrawalOf(
  run: Pick<Run, 'label'>,
  ticket: Pick<Ticket, 'labels' | 'open' | 'scope'>,
  source: Pick<TicketSource, 'scope'>,
): Withdrawal | undefined {
  if (movedAway(ticket, source)) return WITHDRAWALS.moved;
  if (!ticket.open) return WITHDRAWALS.closed;
  if (run.label !== undefined && !hasLabel(ticket.labels, run.label)) return WITHDRAWALS.unlabelled;
  return undefined;
}

/**
 * Whether this sight of a ticket is surely newer than the claim of its live run: it shows what only that has written. A
 * platform may show an older state for a while, in which the ticket was not labelled yet, or closed.
 */
export function showsItsRun({ labels }: Pick<Ticket, 'labels'>): boolean {
  const shown = lifecyclesOf(labels);
  return shown.includes('enqueued') || shown.includes('in-progress');
}

/**
 * Whether an attempt may have done itself, as its last act, what its run is cancelled by: its pull request was merged and
 * closes the ticket, say. Of what a person asks of us that cannot be.
 */
export function mayBeOwnAct(cancelledBy: string): boolean {
  return Object.values<string>(WITHDRAWALS).includes(cancelledBy);
}

/**
 * The earlier wishes that this one takes the place of: a person who asks us counts at once, and not after what was done to the
 * ticket, which may have been the attempt itself.
 */
export function outranked(by: string): readonly string[] {
  return mayBeOwnAct(by) ? [] : Object.values(WITHDRAWALS);
}
