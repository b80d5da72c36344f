/**
 * The records of a turn (PROTOCOL 4, steps 0 and 1): a queued run is taken from the queue, and ends, waits or is handed to its
 * next attempt. Each function is one Lua script, its answer a plain value. All throw `OperationError` when Redis is away.
 */
import type { Run } from '../domain/run.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { endAsTold, type RememberedEnd, type TerminalState, textOfResult } from './run-end.ts';
import { hashOf, runOf } from './run-record.ts';

export type TakeReply =
  | { readonly kind: 'taken'; readonly run: Run }
  | { readonly kind: 'dropped'; readonly state: string };

/** What a turn that cannot start now leaves its run. */
export interface Postponement {
  /** Its earlier attempt may be at work without a worker. */
  readonly keepsPlaces: boolean;
  /** Something is wrong. Otherwise it is this worker, or Redis, that cannot start it now. */
  readonly isVain: boolean;
}

/** Milliseconds until it may be tried again. */
export type PostponeReply =
  /** It waits in its backlog, and has another turn. */
  | { readonly kind: 'put-off'; readonly pauseMs: number }
  /** It stays admitted: the job of this turn is to come later. */
  | { readonly kind: 'set-aside'; readonly pauseMs: number }
  | { readonly kind: 'dropped' };

export interface TurnRecords {
  take(run: string, turn: number): Promise<TakeReply>;
  /** The taken turn cannot start now. */
  postpone(run: Run, how: Postponement): Promise<PostponeReply>;
  /**
   * Ends a run that waits in the queue: like this, or as what its service had told before. Undefined when its turn has passed,
   * or nobody can tell while Redis recovers.
   */
  endQueued(
    run: Pick<Run, 'id' | 'ticket' | 'turn'>,
    state: TerminalState,
    reason: string,
  ): Promise<RememberedEnd | undefined>;
}

export interface TurnRecordsOptions {
  readonly attemptRetryMs: number;
  readonly attemptRetryMaxMs: number;
  readonly recoveryStartsMs: number;
  readonly projectionGraceMs: number;
  readonly runTtlMs: number;
  readonly ticketTtlMs: number;
}

/** Turns of a project in a row that could not start. One ticket that cannot be read is not the fault of its project. */
const MOST_VAIN_TURNS = 10;

export function createTurnRecords(redis: RedisConnection, options: TurnRecordsOptions): TurnRecords {
  const { keys } = redis;
  const flag = (value: boolean): string => (value ? '1' : '0');

  /** `told`: what is known to have been told of the run. It never changes once it is there, so this asks twice at most. */
  const endQueuedAs = async (
    run: Pick<Run, 'id' | 'ticket' | 'turn'>,
    end: RememberedEnd,
    told = '',
  ): Promise<RememberedEnd | undefined> => {
    const [kind, news = ''] = await redis.script(
      'end-queued',
      [
        keys.run(run.id),
        keys.ticket(run.ticket),
        keys.runs('queued'),
        keys.runs(end.state),
        keys.unconfirmed,
        keys.incarnation,
        keys.callback(run.id),
        keys.result(run.id),
        keys.unheard,
      ],
      [
        run.id,
        run.turn,
        end.state,
        end.reason,
        options.runTtlMs,
        options.ticketTtlMs,
        options.projectionGraceMs,
        options.recoveryStartsMs,
        told,
        textOfResult(end.result),
      ],
    );
    if (kind !== 'told') return kind === 'finished' ? end : undefined;
    return await endQueuedAs(run, endAsTold(end, String(news)), String(news));
  };

  return {
    async take(run, turn) {
      const [kind, value = ''] = await redis.script(
        'take-turn',
        [keys.run(run), keys.offered, keys.setAside],
        [turn, run],
      );
      const record = kind === 'taken' && Array.isArray(value) ? runOf(hashOf(value)) : undefined;
      return record === undefined ? { kind: 'dropped', state: String(value) } : { kind: 'taken', run: record };
    },
    async postpone(run, { keepsPlaces, isVain }) {
      const [kind, ms] = await redis.script(
        'postpone-turn',
        [keys.run(run.id), keys.setAside],
        [
          run.turn,
          run.id,
          flag(keepsPlaces),
          flag(isVain),
          options.attemptRetryMs,
          options.attemptRetryMaxMs,
          MOST_VAIN_TURNS,
          // Longer than the pauses between the vain turns of one run.
          2 * options.attemptRetryMaxMs,
        ],
      );
      return kind === 'put-off' || kind === 'set-aside' ? { kind, pauseMs: Number(ms) } : { kind: 'dropped' };
    },
    endQueued: (run, state, reason) => endQueuedAs(run, { state, reason }),
  };
}
