/**
 * EnqueuedReconciler, on records: a queued run without a job gets its job again; one that is to end, ends.
 *
 * The run record decides what should exist; BullMQ is asked whether it does. Adding a job twice changes nothing, and a
 * job whose turn has passed is dropped by the worker, so a pass may be late, double or half done. A run that waits in the
 * backlog has no job, and gets it from whoever admits it. It needs no platform:
 * claims that died are another loop's business (dead-claims.ts), so that a platform which hangs holds up no job.
 */
import type { RunCanceller } from '../claims/run-canceller.ts';
import type { Run } from '../domain/run.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { aboutRun, MOST_RUNS, type Pass, type Repair } from './repair.ts';

/**
 * What a run that has waited for a while wants. A claim or hand-back that is still at work adds its job itself. One that
 * somebody has cancelled while Redis recovered, or whose canceller died half-way, waits for no free slot. Pure.
 */
export function decideJob(
  { state, cancelRequested }: Pick<Run, 'state' | 'cancelRequested'>,
  hasLiveJob: boolean,
): 'leave' | 'add' | 'cancel' {
  if (state !== 'queued') return 'leave';
  if (cancelRequested !== undefined) return 'cancel';
  return hasLiveJob ? 'leave' : 'add';
}

export interface EnqueuedReconcilerDeps {
  readonly runs: Pick<RunReader, 'admitted'>;
  readonly queue: Pick<RunQueue, 'isQueued' | 'repair'>;
  readonly canceller: RunCanceller;
  readonly log: Log;
  readonly onRepair: Repair;
}

export function createEnqueuedReconciler(
  deps: EnqueuedReconcilerDeps,
  options: { readonly reconcileGraceMs: number },
): Pass {
  const putRight = async (run: Run): Promise<void> => {
    const turn = { run: run.id, turn: run.turn };
    const decision = decideJob(run, await deps.queue.isQueued(turn));
    switch (decision) {
      case 'leave':
        return;
      case 'add':
        await deps.queue.repair(turn);
        await deps.onRepair({
          kind: 'missing-job',
          ...aboutRun(run),
          outcome: 'job added',
          detail: `turn ${run.turn}`,
        });
        return;
      case 'cancel':
        await deps.canceller.cancel(run, run.cancelRequested ?? '');
        return;
      default:
        unreachable(decision);
    }
  };

  const cursor: RoundCursor = { next: undefined };
  return async (term) => {
    const queued = await deps.runs.admitted({ most: MOST_RUNS, minAgeMs: options.reconcileGraceMs, cursor });
    for (const run of queued) {
      term.assertTrusted();
      await putRight(run).catch((error: unknown) => {
        deps.log.warn({ run: run.id, error: messageOf(error) }, 'job not added yet');
      });
    }
  };
}
