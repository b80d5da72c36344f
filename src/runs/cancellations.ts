/**
 * The wish that a run ends before it has, from whatever replica. It is on the run's record before anybody hears of it, so
 * none is lost with a process; what a message tells at once, the next heartbeat tells as well.
 *
 *   received -> its claim ends it when it commits or gives up, repair when that claim has died
 *   queued   -> ends here; while Redis recovers it may be at work after all, and repair ends it afterwards
 *   running  -> its worker stops it; a dead worker's is ended by the stale-job detector
 */
import { cancelReason, RUN_STATES, type Run, type RunState } from '../domain/run.ts';
import { outranked } from '../domain/withdrawal.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { AttemptRecords } from './attempt-records.ts';
import type { RememberedEnd } from './run-end.ts';

export type CancelReply =
  /** It waited in the queue, and has ended; `by` asked first, but for what `outranked` says. */
  | { readonly kind: 'cancelled'; readonly run: string; readonly by: string }
  /** It waited in the queue, and has ended as what its service had told before. */
  | { readonly kind: 'told'; readonly run: string; readonly end: RememberedEnd }
  /** Whoever has it will end it. */
  | { readonly kind: 'requested'; readonly run: string; readonly by: string; readonly state: RunState }
  | { readonly kind: 'ended'; readonly state: RunState }
  | { readonly kind: 'unknown' };

export interface Cancellations {
  /**
   * `by`: a word for people, on the record and in the closing comment. Safe to say twice. Throws `OperationError` when Redis
   * is away.
   */
  request(run: Pick<Run, 'id' | 'ticket'>, by: string): Promise<CancelReply>;
  /** Calls the listener when a run at work may have to end, until the signal aborts. */
  onRequested(listener: () => void, signal: AbortSignal): void;
}

export function createCancellations(
  redis: Pick<RedisConnection, 'keys' | 'script' | 'subscribe'>,
  records: Pick<AttemptRecords, 'endQueued'>,
): Cancellations {
  const { keys } = redis;
  return {
    async request({ id, ticket }, by) {
      const [kind = '', told = '', seen = '', turn] = await redis.script(
        'request-cancel',
        [keys.run(id)],
        [id, by, keys.cancelRequested, ...outranked(by)],
      );
      switch (kind) {
        case 'unknown':
          return { kind };
        case 'ended':
          return { kind, state: stateOf(told) };
        case 'requested': {
          const [wish, state] = [String(told), stateOf(seen)];
          const waits = state === 'queued' && { id, ticket, turn: Number(turn) };
          const end = waits && (await records.endQueued(waits, 'cancelled', cancelReason(wish)));
          if (!end) return { kind, run: id, by: wish, state };
          return end.state === 'cancelled' ? { kind: end.state, run: id, by: wish } : { kind: 'told', run: id, end };
        }
        default:
          throw new Error(`request-cancel answered ${String(kind)}`);
      }
    },
    onRequested: (listener, signal) => redis.subscribe(keys.cancelRequested, listener, signal),
  };
}

function stateOf(told: unknown): RunState {
  const state = RUN_STATES.find((known) => known === told);
  if (state === undefined) throw new Error(`request-cancel told of a run that is ${String(told)}`);
  return state;
}
