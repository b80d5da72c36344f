/** What the repair loops have in common: one pass of one loop in a term, and how a repair is told. */
import type { Term } from '../coordination/leader.ts';
import type { Run } from '../domain/run.ts';
import type { TicketKey } from '../domain/ticket.ts';

/** One pass. May throw: the loop goes on with the next. Safe to do twice. */
export type Pass = (term: Term) => Promise<void>;

export interface RepairFacts {
  /**
   * `label-repair`: the ticket has a record, which its label contradicted; `orphaned-label`: it has none.
   * `superseded-run`: the ticket has a newer run; `lost-ticket`: it had lost its record of the run. `leftover-work`: what
   * went on without a worker for a run that is over.
   */
  readonly kind:
    | 'dead-attempt'
    | 'missing-job'
    | 'dead-claim'
    | 'label-repair'
    | 'orphaned-label'
    | 'superseded-run'
    | 'leftover-work'
    | 'lost-ticket';
  readonly ticket: TicketKey;
  readonly project: string;
  /** Undefined when the ticket had no record. */
  readonly run?: string;
  /** One word group. */
  readonly outcome: string;
  readonly detail?: string;
}

/** Tells the decision log and the metrics. Never throws. */
export type Repair = (facts: RepairFacts) => Promise<void>;

/** Runs of one state that one pass looks at; the next pass goes on behind them. */
export const MOST_RUNS = 10_000;

/** Whom a repair of a run is about. */
export function aboutRun({ id, ticket, project }: Run): Pick<RepairFacts, 'run' | 'ticket' | 'project'> {
  return { run: id, ticket, project };
}
