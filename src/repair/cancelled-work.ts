/**
 * Work that goes on without its worker, though its run was cancelled: mostly because that worker died, or its cluster did not
 * answer, while the run was being cancelled. It is ended here. So is what was made ready for a run that is over by now, and
 * never begun; and what a service still does for a run that has ended without it.
 *
 * Everything else is left alone: the work of a run that goes on has a worker, or gets one; work that has ended is kept for
 * whoever wants to look at it. A run without a record may have been lost by Redis while it is at work.
 */
import { isTerminal, type Run } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { aboutRun, type Pass, type Repair } from './repair.ts';

/** Work that has not ended, wherever it is. */
export interface DetachedWork {
  readonly run: string;
  /** It is at work, and comes to an end of its own: when its run has failed, that is left to it. */
  readonly endsItself: boolean;
  /** Ends it, or says that it has to end; unless it has changed since it was seen. May throw. */
  end(): Promise<void>;
}

export interface CancelledWorkDeps {
  readonly list: (signal: AbortSignal) => Promise<readonly DetachedWork[]>;
  readonly runs: Pick<RunReader, 'get'>;
  readonly log: Log;
  readonly onRepair: Repair;
}

/** Whether work of this run has to end. Pure. */
export function isUnwanted({ state }: Pick<Run, 'state'>, { endsItself }: Pick<DetachedWork, 'endsItself'>): boolean {
  return state === 'cancelled' || (isTerminal(state) && !endsItself);
}

export function createCancelledWork({ list, runs, log, onRepair }: CancelledWorkDeps): Pass {
  return async (term) => {
    for (const work of await list(term.signal)) {
      const run = await runs.get(work.run);
      if (run === undefined || !isUnwanted(run, work)) continue;
      term.assertTrusted();
      try {
        await work.end();
      } catch (error) {
        log.warn({ run: run.id, error: messageOf(error) }, 'work of a run that is over not ended yet');
        continue;
      }
      await onRepair({ kind: 'cancelled-work', ...aboutRun(run), outcome: 'ended', detail: `the run is ${run.state}` });
    }
  };
}
