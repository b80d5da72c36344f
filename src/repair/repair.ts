/** What the repair loops have in common: one pass of one loop in a term, and how a repair is told. */
import type { Term } from '../coordination/leader.ts';
import type { Run } from '../domain/run.ts';

/** One pass. May throw: the loop goes on with the next. Safe to do twice. */
export type Pass = (term: Term) => Promise<void>;

export interface RepairFacts {
  readonly kind: 'dead-attempt' | 'missing-job' | 'dead-claim' | 'orphaned-label';
  readonly run: Run;
  readonly outcome: string;
  readonly detail: string;
}

/** Tells the decision log and the metrics. Never throws. */
export type Repair = (facts: RepairFacts) => Promise<void>;
