/**
 * StaleJobDetector: finds running attempts whose worker is dead and gives their runs another turn.
 *
 * An attempt is dead when its heartbeat was missing on two passes some time apart, in one unbroken term, with unbroken
 * contact to Redis, outside recovery. The ticket's label plays no part in that. The script that hands back looks at the
 * heartbeat once more, so a worker that reports in the last moment keeps its run.
 * A crash after any step leaves the run as it was, or handed back without a job: the reconciler's business.
 */
import { cancelReason, MOST_INTERRUPTED, type Run } from '../domain/run.ts';
import { attemptSpan } from '../domain/run-spans.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { createSecondLook } from '../foundation/second-look.ts';
import { NO_TRACE, type Trace } from '../foundation/trace.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { AttemptName, AttemptRecords } from '../runs/attempt-records.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { aboutRun, MOST_RUNS, type Pass, type Repair } from './repair.ts';

/** Attempts that were missed once; each may be missed in another round. */
const MOST_MISSING = 10 * MOST_RUNS;

export type Verdict = 'hand-back' | 'cancel' | 'fail';

/** What becomes of a run whose attempt is dead. Pure. */
export function judgeDead(run: Pick<Run, 'cancelRequested' | 'interrupted'>): Verdict {
  if (run.cancelRequested !== undefined) return 'cancel';
  return run.interrupted + 1 >= MOST_INTERRUPTED ? 'fail' : 'hand-back';
}

export interface StaleJobDetectorDeps {
  readonly runs: Pick<RunReader, 'inState'>;
  readonly records: Pick<AttemptRecords, 'beating' | 'handBack' | 'finish'>;
  readonly queue: Pick<RunQueue, 'add'>;
  /** Milliseconds before the turn that follows this attempt. */
  readonly pauseAfter: (attempt: number) => number;
  /** Changes whenever the contact to Redis was broken: passes before and after it do not add up. */
  readonly contacts: () => number;
  readonly log: Log;
  readonly onRepair: Repair;
  /** Told of attempts whose worker can tell nothing any more. Default: nobody collects. */
  readonly trace?: Trace;
}

export function createStaleJobDetector(deps: StaleJobDetectorDeps, options: { readonly staleConfirmMs: number }): Pass {
  const { trace = NO_TRACE } = deps;
  const missing = createSecondLook({ apartMs: options.staleConfirmMs, most: MOST_MISSING });

  const bury = async (run: Run): Promise<void> => {
    const name: AttemptName = { run: run.id, ticket: run.ticket, attempt: run.attempt, fence: run.attemptFence };
    const reason = `its worker ${run.worker ?? ''} died`;
    const verdict = judgeDead(run);
    let outcome: Verdict | 'told' = verdict;
    if (verdict === 'hand-back') {
      const reply = await deps.records.handBack(name, { onlyIfDead: true, interrupted: true, reason });
      if (reply.kind === 'cancel-requested') return await bury({ ...run, cancelRequested: reply.by });
      if (reply.kind !== 'handed-back') return;
      await deps.queue.add({ run: run.id, turn: reply.turn }, { delayMs: deps.pauseAfter(run.attempt) });
    } else {
      const state = verdict === 'cancel' ? 'cancelled' : 'failed';
      const why =
        run.cancelRequested === undefined ? `interrupted ${MOST_INTERRUPTED} times` : cancelReason(run.cancelRequested);
      const reply = await deps.records.finish(name, {
        state,
        reason: why,
        output: '',
        onlyIfDead: true,
        interrupted: true,
      });
      if (reply === 'superseded' || reply === 'alive') return;
      // Its service had told a result, and that is its end.
      if (reply !== 'finished') outcome = 'told';
    }
    missing.forget(run.id);
    trace.tell(attemptSpan(run, 'interrupted', trace.nowMs()));
    await deps.onRepair({ kind: 'dead-attempt', ...aboutRun(run), outcome, detail: reason });
  };

  const cursor: RoundCursor = { next: undefined };
  return async (term) => {
    const running = await deps.runs.inState('running', { most: MOST_RUNS, cursor });
    const beating = await deps.records.beating(running.map(({ ticket }) => ticket));
    for (const [index, run] of running.entries()) {
      if (beating[index] === true) {
        missing.forget(run.id);
        continue;
      }
      const sight = `${term.epoch} ${deps.contacts()} ${run.attemptFence}`;
      if (!missing.confirms(run.id, sight)) continue;
      term.assertTrusted();
      await bury(run).catch((error: unknown) => {
        deps.log.warn({ run: run.id, error: messageOf(error) }, 'dead attempt not handed back yet');
      });
    }
  };
}
