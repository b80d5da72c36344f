/**
 * Ends live runs that people have taken back on the ticket itself: they closed it, removed the trigger label, or moved it
 * away. Whoever has a hint that it may be so asks here: a delivery, a poll, the platform pass. The fresh ticket decides,
 * never the hint; and an answer that is an error says nothing.
 *
 * A sight without the run's own label may be older than the run. Then that label is put back first, as the table of labels
 * asks anyway, and what the ticket shows afterwards counts.
 */
import type { Catalog, Project } from '../domain/project.ts';
import { projectOfRun } from '../domain/routing.ts';
import type { Run } from '../domain/run.ts';
import type { Ticket, TicketKey } from '../domain/ticket.ts';
import { showsItsRun, WITHDRAWALS, withdrawalOf } from '../domain/withdrawal.ts';
import { type Call, PlatformError, type TicketPlatform } from '../platforms/contract.ts';
import type { CancelReply } from '../runs/cancellations.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { RunCanceller } from './run-canceller.ts';

export interface UnwantedRuns {
  /**
   * What came of the run of a ticket, or undefined: it goes on. Reads the ticket, unless its run has ended or is still being
   * claimed. Throws `PlatformError` when the platform does not answer, `OperationError` when Redis does not.
   */
  look(ticket: TicketKey, call: Call): Promise<CancelReply | undefined>;
  /** The same for a run whose ticket has just been read. */
  judge(run: Run, ticket: Ticket, call: Call): Promise<CancelReply | undefined>;
}

export interface UnwantedRunsDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly runs: Pick<RunReader, 'ofTicket'>;
  readonly canceller: RunCanceller;
  /** Brings the label of a run to its ticket. Never throws. */
  readonly showLabel: (run: string) => Promise<void>;
}

export function createUnwantedRuns(deps: UnwantedRunsDeps): UnwantedRuns {
  const homeOf = (run: Run): { readonly project: Project; readonly platform: TicketPlatform } | undefined => {
    const project = projectOfRun(deps.catalog(), run);
    const platform = project === undefined ? undefined : deps.platformOf(project);
    return project === undefined || platform === undefined ? undefined : { project, platform };
  };

  const judge: UnwantedRuns['judge'] = async (run, ticket, call) => {
    const home = homeOf(run);
    if (home === undefined) return undefined;
    let withdrawal = withdrawalOf(run, ticket, home.project.source);
    // Where it is now, it shows no label of ours that we may put there.
    const isDoubtful = withdrawal !== undefined && withdrawal !== WITHDRAWALS.moved && !showsItsRun(ticket);
    if (isDoubtful) {
      await deps.showLabel(run.id);
      const second = await home.platform.readTicket(run.ticketId, call);
      withdrawal = showsItsRun(second) ? withdrawalOf(run, second, home.project.source) : undefined;
    }
    return withdrawal === undefined ? undefined : await deps.canceller.cancel(run, withdrawal);
  };

  return {
    judge,
    async look(key, call) {
      const run = await deps.runs.ofTicket(key);
      if (run?.state !== 'queued' && run?.state !== 'running') return undefined;
      const home = homeOf(run);
      const ticket = await home?.platform.readTicket(run.ticketId, call).catch(unlessGone);
      return ticket === undefined ? undefined : await judge(run, ticket, call);
    },
  };
}

/** A ticket that is not shown may be hidden from our token: what is at work goes on, what waits is asked about before it starts. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof PlatformError) || error.kind !== 'not-found') throw error;
}
