/**
 * The only way a live run is ended because somebody wants that: people by the API, or what they did to its ticket. The wish
 * is on the record before this answers; a run that waits in the queue has then ended, and is told of here, as nobody else
 * has it.
 */
import { cancelReason, type Run } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { Cancellations, CancelReply } from '../runs/cancellations.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import type { RememberedEnd, TerminalState } from '../runs/run-end.ts';

/** What is told of the run that is to end. */
export type CancelledRun = Pick<Run, 'id' | 'ticket' | 'project' | 'pipeline'>;

export interface RunCanceller {
  /**
   * @param by in words that follow `cancelled by`
   * Safe to say twice. Throws `OperationError` when Redis is away.
   */
  cancel(run: CancelledRun, by: string): Promise<CancelReply>;
  /** Tells of a run that has been ended as cancelled with another step. Never throws. */
  tell(run: CancelledRun, by: string): Promise<void>;
}

export interface RunCancellerDeps {
  readonly cancellations: Pick<Cancellations, 'request'>;
  readonly decisions: Pick<DecisionLog, 'record'>;
  readonly log: Log;
  /** It has ended here, without an attempt; its label is due. */
  readonly onEnded?: (run: CancelledRun, state: TerminalState) => void;
}

export function createRunCanceller({ cancellations, decisions, log, onEnded }: RunCancellerDeps): RunCanceller {
  const decide = async ({ id, ticket, project }: CancelledRun, outcome: string): Promise<void> => {
    await decisions.record({ ticket, project, by: 'cancel', run: id, outcome }).catch((error: unknown) => {
      log.debug({ run: id, error: messageOf(error) }, 'decision not recorded');
    });
  };

  const tellEnd = async (run: CancelledRun, { state, reason }: RememberedEnd): Promise<void> => {
    log.info({ ...factsOf(run), outcome: state, reason }, 'run ended');
    await decide(run, `${state}: ${reason}`);
    onEnded?.(run, state);
  };
  const tell: RunCanceller['tell'] = (run, by) => tellEnd(run, { state: 'cancelled', reason: cancelReason(by) });

  return {
    tell,
    async cancel(run, by) {
      const reply = await cancellations.request(run, by);
      if (reply.kind === 'cancelled') await tell(run, reply.by);
      if (reply.kind === 'told') await tellEnd(run, reply.end);
      if (reply.kind === 'requested') {
        log.info({ ...factsOf(run), state: reply.state, by: reply.by }, 'run is to end');
        await decide(run, `to be cancelled: ${cancelReason(reply.by)}`);
      }
      return reply;
    },
  };
}

function factsOf({ ticket, id, project }: CancelledRun): object {
  return { ticket, run: id, project };
}
