/**
 * The records of an attempt (PROTOCOL 4): each function is one Lua script, its answer a plain value. A write is
 * accepted only from the attempt whose fence the record names. All throw `OperationError` when Redis is away.
 */
import type { AttemptEnding, Run } from '../domain/run.ts';
import type { TicketKey } from '../domain/ticket.ts';
import { OperationError } from '../foundation/errors.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { endAsTold, type RememberedEnd, textOfResult } from './run-end.ts';
import { flatten, hashOf, runOf } from './run-record.ts';
import { createTurnRecords, type TurnRecords, type TurnRecordsOptions } from './turn-records.ts';

/** What names one attempt exactly. */
export interface AttemptName {
  readonly run: string;
  readonly ticket: TicketKey;
  readonly attempt: number;
  readonly fence: number;
}

export type StartReply =
  /** The record as it is now: with the number and fence of the attempt, and the worker. */
  | { readonly kind: 'started'; readonly run: Run }
  | { readonly kind: 'recovering' }
  | { readonly kind: 'dropped'; readonly state: string }
  | { readonly kind: 'cancel-requested'; readonly by: string };

export type BeatReply =
  | { readonly kind: 'ok'; readonly cancelRequested: string | undefined }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'unknown' };

export interface HandBack {
  /** Only if the heartbeat is missing: the judgement of the stale-job detector. */
  readonly onlyIfDead: boolean;
  /** Died, drained or lost trust: does not count towards `max_attempts`. */
  readonly interrupted: boolean;
  /** Its worker has let go of it in good order, and its work goes on: not interrupted, and no attempt is used up either. */
  readonly handedOn?: boolean;
  readonly reason: string;
}

export type HandBackReply =
  | { readonly kind: 'handed-back'; readonly turn: number }
  | { readonly kind: 'superseded' }
  | { readonly kind: 'alive' }
  /** Somebody wants the run to end: nothing was written, it gets no further turn. */
  | { readonly kind: 'cancel-requested'; readonly by: string };

export interface Finish extends RememberedEnd {
  /** Redacted tail of the runner's output; empty when there is none. */
  readonly output: string;
  readonly onlyIfDead: boolean;
  /** The attempt did not come to its own end: its worker died, drained or lost trust. */
  readonly interrupted?: boolean;
}

/** An end stands for `finished`: not as the caller said, but as its service had told before. */
export type FinishReply = 'finished' | 'superseded' | 'alive' | RememberedEnd;

/** Those of its turn too: a worker has both in hand. */
export interface AttemptRecords extends TurnRecords {
  start(run: Run, worker: string): Promise<StartReply>;
  beat(name: AttemptName): Promise<BeatReply>;
  /**
   * Writes the attempt again from the worker's memory after Redis lost it: as one at work, or with its end. False when a newer
   * fence is there, or the end of its run.
   */
  restore(run: Run, end?: RememberedEnd): Promise<boolean>;
  /** Safe to say twice: an answer may be lost. Throws also when Redis lost data before the answer was here. */
  finish(name: AttemptName, end: Finish): Promise<FinishReply>;
  handBack(name: AttemptName, how: HandBack): Promise<HandBackReply>;
  /** Which of the tickets have a live heartbeat, in the same order. */
  beating(tickets: readonly TicketKey[]): Promise<boolean[]>;
}

export interface AttemptRecordsOptions extends TurnRecordsOptions {
  readonly heartbeatTtlMs: number;
  readonly outputTtlMs: number;
}

export function createAttemptRecords(redis: RedisConnection, options: AttemptRecordsOptions): AttemptRecords {
  const { keys } = redis;
  const flag = (value: boolean): string => (value ? '1' : '0');

  /** `told`: what is known to have been told of the run. It never changes once it is there, so this asks twice at most. */
  const finishAs = async (name: AttemptName, end: Finish, told = ''): Promise<FinishReply> => {
    const incarnation = redis.incarnation();
    const [kind, news = ''] = await redis.script(
      'finish',
      [
        keys.run(name.run),
        keys.ticket(name.ticket),
        keys.heartbeat(name.ticket),
        keys.output(name.run),
        keys.runs('running'),
        keys.runs(end.state),
        keys.unconfirmed,
        keys.result(name.run),
        keys.unheard,
        keys.callback(name.run),
      ],
      [
        name.run,
        name.fence,
        end.state,
        end.reason,
        end.output,
        options.outputTtlMs,
        options.runTtlMs,
        options.ticketTtlMs,
        options.projectionGraceMs,
        flag(end.onlyIfDead),
        end.interrupted === true ? 'interrupted' : end.state,
        textOfResult(end.result),
        told,
      ],
    );
    // Lost while the answer waited for a replica: whoever remembers this end must not take it for part of the new data.
    if (redis.incarnation() !== incarnation) throw new OperationError('finish', new Error('redis lost data meanwhile'));
    if (kind === 'finished' && told !== '') return { state: end.state, reason: end.reason, result: end.result };
    if (kind !== 'told') return kind as 'finished' | 'superseded' | 'alive';
    return await finishAs(name, endAsTold(end, String(news)), String(news));
  };

  return {
    ...createTurnRecords(redis, options),
    async start(run, worker) {
      const [kind = '', value = ''] = await redis.script(
        'start-attempt',
        [
          keys.run(run.id),
          keys.ticket(run.ticket),
          keys.heartbeat(run.ticket),
          keys.incarnation,
          keys.runs('queued'),
          keys.runs('running'),
          keys.unconfirmed,
        ],
        [run.id, run.turn, worker, options.heartbeatTtlMs, options.recoveryStartsMs, options.projectionGraceMs],
      );
      switch (kind) {
        case 'started': {
          const started = Array.isArray(value) ? runOf(hashOf(value)) : undefined;
          if (started === undefined) throw new Error('start-attempt answered without a record');
          return { kind, run: started };
        }
        case 'recovering':
          return { kind };
        case 'dropped':
          return { kind, state: String(value) };
        case 'cancel-requested':
          return { kind, by: String(value) };
        default:
          throw new Error(`start-attempt answered ${String(kind)}`);
      }
    },
    async beat(name) {
      const [kind = '', by = ''] = await redis.script(
        'heartbeat',
        [keys.run(name.run), keys.ticket(name.ticket), keys.heartbeat(name.ticket)],
        [name.run, name.attempt, name.fence, options.heartbeatTtlMs],
      );
      switch (kind) {
        case 'ok':
          return { kind, cancelRequested: by === '' ? undefined : String(by) };
        case 'superseded':
        case 'unknown':
          return { kind };
        default:
          throw new Error(`heartbeat answered ${String(kind)}`);
      }
    },
    async restore(run, end) {
      const [kind] = await redis.script(
        'restore-attempt',
        [
          keys.run(run.id),
          keys.ticket(run.ticket),
          keys.heartbeat(run.ticket),
          keys.runs('queued'),
          keys.runs('running'),
          keys.unconfirmed,
          keys.runs('received'),
          keys.runs(end?.state ?? 'running'),
          keys.result(run.id),
        ],
        [
          run.id,
          run.attempt,
          run.attemptFence,
          options.heartbeatTtlMs,
          options.projectionGraceMs,
          options.ticketTtlMs,
          end?.state ?? '',
          end?.reason ?? '',
          options.runTtlMs,
          textOfResult(end?.result),
          ...flatten({ ...run, labelState: 'unconfirmed' }),
        ],
      );
      return kind === 'restored';
    },
    finish: (name, end) => finishAs(name, end),
    async handBack(name, how) {
      const [kind, told] = await redis.script(
        'hand-back',
        [
          keys.run(name.run),
          keys.ticket(name.ticket),
          keys.heartbeat(name.ticket),
          keys.runs('running'),
          keys.runs('queued'),
          keys.unconfirmed,
          keys.setAside,
        ],
        [name.run, name.fence, flag(how.onlyIfDead), endingOf(how), how.reason, options.projectionGraceMs],
      );
      if (kind === 'handed-back') return { kind, turn: Number(told) };
      if (kind === 'cancel-requested') return { kind, by: String(told) };
      return { kind: kind as 'superseded' | 'alive' };
    },
    beating: (tickets) =>
      redis.read('look at heartbeats', async (client) =>
        tickets.length === 0
          ? []
          : (await client.mget(tickets.map((ticket) => keys.heartbeat(ticket)))).map((value) => value !== null),
      ),
  };
}

function endingOf({ interrupted, handedOn = false }: HandBack): AttemptEnding {
  if (handedOn) return 'handed-on';
  return interrupted ? 'interrupted' : 'failed';
}
