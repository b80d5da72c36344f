/**
 * Work that goes on without its worker, though its run was cancelled: mostly because that worker died, or its cluster did not
 * answer, while the run was being cancelled. It is ended here. So is what was made ready for a run that is over by now, and
 * never begun.
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
  /** It was let go: something of it may be at work. */
  readonly begun: boolean;
  /** Ends it, unless it has changed since it was seen. May throw. */
  end(): Promise<void>;
}

export interface CancelledWorkDeps {
  readonly list: (signal: AbortSignal) => Promise<readonly DetachedWork[]>;
  readonly runs: Pick<RunReader, 'get'>;
  readonly log: Log;
  readonly onRepair: Repair;
}

/** Whether work of this run has to end. Pure. */
export function isUnwanted({ state }: Pick<Run, 'state'>, { begun }: Pick<DetachedWork, 'begun'>): boolean {
  return state === 'cancelled' || (isTerminal(state) && !begun);
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
