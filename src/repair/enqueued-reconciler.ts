/**
 * EnqueuedReconciler, on records: a queued run without a job gets its job again.
 *
 * The run record decides what should exist; BullMQ is asked whether it does. Adding a job twice changes nothing, and a
 * job whose turn has passed is dropped by the worker, so a pass may be late, double or half done. It needs no platform:
 * claims that died are another loop's business (dead-claims.ts), so that a platform which hangs holds up no job.
 */
import type { Run } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { aboutRun, type Pass, type Repair } from './repair.ts';

const MOST_RUNS = 10_000;

export interface EnqueuedReconcilerDeps {
  readonly runs: Pick<RunReader, 'inState'>;
  readonly queue: Pick<RunQueue, 'isQueued' | 'repair'>;
  readonly log: Log;
  readonly onRepair: Repair;
}

export function createEnqueuedReconciler(
  deps: EnqueuedReconcilerDeps,
  options: { readonly reconcileGraceMs: number },
): Pass {
  const addMissingJob = async (run: Run): Promise<void> => {
    const turn = { run: run.id, turn: run.turn };
    if (await deps.queue.isQueued(turn)) return;
    await deps.queue.repair(turn);
    await deps.onRepair({ kind: 'missing-job', ...aboutRun(run), outcome: 'job added', detail: `turn ${run.turn}` });
  };

  return async (term) => {
    const queued = await deps.runs.inState('queued', { most: MOST_RUNS, minAgeMs: options.reconcileGraceMs });
    for (const run of queued) {
      term.assertTrusted();
      await addMissingJob(run).catch((error: unknown) => {
        deps.log.warn({ run: run.id, error: messageOf(error) }, 'job not added yet');
      });
    }
  };
}
