/**
 * Work that goes on without its worker, though its run is over: the run was cancelled while its worker was dying or its cluster
 * did not answer, or it was given up (interrupted too often, not startable any more) while nobody could see its work. It is
 * ended here, because the ticket may be asked for again, and its next run has to wait for that. So is what was made ready for
 * a run that is over by now, and never begun; and what a service still does for a run that has ended without it.
 *
 * A run that is over stays over, so a judgement cannot be overtaken by the run; by its work it can, and `end` sees to that.
 *
 * Everything else is left alone: the work of a run that goes on has a worker, or gets one; work that has ended is kept for
 * whoever wants to look at it. A run without a record may have been lost by Redis while it is at work, or be somebody else's.
 */
import { isTerminal } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { aboutRun, type Pass, type Repair } from './repair.ts';

/** Work that has not ended, wherever it is. */
export interface DetachedWork {
  readonly run: string;
  /** What it is and where, for people. */
  readonly name: string;
  /** Ends it, or says that it has to end; unless it has changed since it was seen. May throw: worth another try. */
  end(): Promise<EndOfWork>;
}

/** `refused`: we may not; `why` is for people. */
export type EndOfWork = { readonly kind: 'ended' } | { readonly kind: 'refused'; readonly why: string };

export interface LeftoverWorkDeps {
  readonly list: (signal: AbortSignal) => Promise<readonly DetachedWork[]>;
  readonly runs: Pick<RunReader, 'get'>;
  readonly log: Log;
  readonly onRepair: Repair;
  /** Names of all that should end and may not be ended by us, after each pass. Never throws. */
  readonly onRefused: (names: readonly string[]) => void;
}

export function createLeftoverWork({ list, runs, log, onRepair, onRefused }: LeftoverWorkDeps): Pass {
  return async (term) => {
    const refused: string[] = [];
    for (const work of await list(term.signal)) {
      const run = await runs.get(work.run);
      if (run === undefined || !isTerminal(run.state)) continue;
      term.assertTrusted();
      const problem = await work.end().then(
        (end) => {
          if (end.kind === 'ended') return undefined;
          refused.push(work.name);
          return end.why;
        },
        (error: unknown) => messageOf(error),
      );
      if (problem === undefined) {
        const detail = `the run is ${run.state}`;
        await onRepair({ kind: 'leftover-work', ...aboutRun(run), outcome: 'ended', detail });
      } else {
        log.warn({ run: run.id, work: work.name, error: problem }, 'work of a run that is over not ended yet');
      }
    }
    onRefused(refused);
  };
}
