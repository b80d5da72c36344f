/**
 * The wish that a run ends before it has, from whatever replica. It is on the run's record before anybody hears of it, so
 * none is lost with a process; what a message tells at once, the next heartbeat tells as well.
 */
import { cancelReason, RUN_STATES, type RunState } from '../domain/run.ts';
import type { TicketKey } from '../domain/ticket.ts';
import type { RedisConnection } from '../redis/connection.ts';

export type CancelReply =
  /** It waited in the queue, and has ended. */
  | { readonly kind: 'cancelled' }
  /** Whoever has it will end it; `by` asked first. */
  | { readonly kind: 'requested'; readonly by: string }
  | { readonly kind: 'ended'; readonly state: RunState }
  | { readonly kind: 'unknown' };

export interface Cancellations {
  /** `by`: a word for people, on the record and in the closing comment. Throws `OperationError` when Redis is away. */
  request(run: { readonly id: string; readonly ticket: TicketKey }, by: string): Promise<CancelReply>;
  /** Calls the listener when a run at work is to end, until the signal aborts. */
  onRequested(listener: () => void, signal: AbortSignal): void;
}

export interface CancellationsOptions {
  readonly recoveryStartsMs: number;
  readonly runTtlMs: number;
  readonly ticketTtlMs: number;
  readonly projectionGraceMs: number;
}

export function createCancellations(
  redis: Pick<RedisConnection, 'keys' | 'script' | 'subscribe'>,
  options: CancellationsOptions,
): Cancellations {
  const { keys } = redis;
  return {
    async request({ id, ticket }, by) {
      const [kind = '', told = ''] = await redis.script(
        'request-cancel',
        [
          keys.run(id),
          keys.ticket(ticket),
          keys.runs('queued'),
          keys.runs('cancelled'),
          keys.unconfirmed,
          keys.incarnation,
        ],
        [
          id,
          by,
          cancelReason(by),
          keys.cancelRequested,
          options.recoveryStartsMs,
          options.runTtlMs,
          options.ticketTtlMs,
          options.projectionGraceMs,
        ],
      );
      switch (kind) {
        case 'cancelled':
        case 'unknown':
          return { kind };
        case 'requested':
          return { kind, by: String(told) };
        case 'ended': {
          const state = RUN_STATES.find((known) => known === told);
          if (state === undefined) throw new Error(`request-cancel told of a run that is ${String(told)}`);
          return { kind, state };
        }
        default:
          throw new Error(`request-cancel answered ${String(kind)}`);
      }
    },
    onRequested: (listener, signal) => redis.subscribe(keys.cancelRequested, listener, signal),
  };
}
