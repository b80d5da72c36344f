/**
 * EnqueuedReconciler, on records: a queued run without a job gets its job again, and a claim that died is taken over.
 *
 * The run record decides what should exist; BullMQ is asked whether it does. Adding a job twice changes nothing, and a
 * job whose turn has passed is dropped by the worker, so a pass may be late, double or half done.
 */
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Run } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { ClaimRecords } from '../runs/claim-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { Pass, Repair } from './repair.ts';

const MOST_RUNS = 10_000;

export interface EnqueuedReconcilerDeps {
  readonly runs: Pick<RunReader, 'inState'>;
  readonly queue: Pick<RunQueue, 'isQueued' | 'repair'>;
  readonly claimRecords: Pick<ClaimRecords, 'isLocked'>;
  readonly claims: TicketClaimService;
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
    await deps.onRepair({ kind: 'missing-job', run, outcome: 'job added', detail: `turn ${run.turn}` });
  };

  const takeOver = async (run: Run, signal: AbortSignal): Promise<void> => {
    if (await deps.claimRecords.isLocked(run.platform, run.ticket)) return;
    const outcome = await deps.claims.claim(
      { project: run.project, ticketId: run.ticketId, trigger: 'reconcile' },
      signal,
    );
    // The claim has said so itself when it could not go on; the next pass tries again.
    if (outcome.kind === 'failed' || outcome.kind === 'rejected') return;
    await deps.onRepair({ kind: 'dead-claim', run, outcome: outcome.kind, detail: 'taken over' });
  };

  return async (term) => {
    const forEach = async (runs: readonly Run[], act: (run: Run) => Promise<void>): Promise<void> => {
      for (const run of runs) {
        term.assertTrusted();
        await act(run).catch((error: unknown) => {
          deps.log.warn({ run: run.id, error: messageOf(error) }, 'run not reconciled yet');
        });
      }
    };
    const minAgeMs = options.reconcileGraceMs;
    await forEach(await deps.runs.inState('queued', { most: MOST_RUNS, minAgeMs }), addMissingJob);
    await forEach(await deps.runs.inState('received', { most: MOST_RUNS, minAgeMs }), (run) =>
      takeOver(run, term.signal),
    );
  };
}
