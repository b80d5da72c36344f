/**
 * One attempt of a run, from its start script to its last word in the record (PROTOCOL 4, steps 2 to 6).
 *
 *   start runner --> beat, beat, beat ... --> runner ended --> finish | hand back | nothing (superseded)
 *
 * Invariants
 * - Nothing is written in the name of an attempt after a beat said `superseded`: that takes its trust.
 * - A run is handed back only after its runner is gone: `ended` says so.
 * - What was frozen because trust had ended goes on only after an accepted beat, and that is a start like any other:
 *   while Redis recovers from a loss of data there is none, because whoever was given the run meanwhile reports first.
 * - Beats go on until the record has taken the attempt's end, so a short outage of Redis costs nothing.
 * What a crash leaves behind: a heartbeat that expires, a guard that ends the runner before that, and a record that the
 * stale-job detector hands back.
 */
import { cancelReason, countedAttempts, MOST_INTERRUPTED, type Run } from '../domain/run.ts';
import { mayBeOwnAct, outranked } from '../domain/withdrawal.ts';
import { type Moment, now } from '../foundation/clock.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every, sleep } from '../foundation/loop.ts';
import type { AttemptName, AttemptRecords, Finish, HandBack } from '../runs/attempt-records.ts';
import type { RememberedEnd } from '../runs/run-end.ts';
import type { RunnerEnd, RunnerHandle, StopReason } from './runners/runner.ts';
import type { Trust } from './trust.ts';

export interface AttemptDeps {
  readonly records: Pick<AttemptRecords, 'beat' | 'restore' | 'finish' | 'handBack'>;
  readonly handle: RunnerHandle;
  readonly trust: Trust;
  readonly redis: RedisWitness;
  readonly log: Log;
  /** Aborts when the process must end now: what could not be recorded is left to the stale-job detector. */
  readonly giveUp: AbortSignal;
}

/** What the worker knows about its Redis beyond the answers to beats. */
export interface RedisWitness {
  /** Its own host refuses connections: most likely it is down for everybody. */
  refused(): boolean;
  /** It has lost data, or came back, so short a time ago that no attempt may start. */
  recovering(): boolean;
}

export interface AttemptOptions {
  readonly heartbeatMs: number;
  readonly redisProbeMs: number;
  /** A runner that is told of no beat for so long has been ended by its leash. */
  readonly trustKillMs: number;
  /** What its own last act may have asked for is done only if it is still at work after so long. */
  readonly lastActMs: number;
  readonly maxAttempts: number;
  /** As `Runner.leashed`. */
  readonly leashed: boolean;
}

/** How the attempt ended in the records. */
export type AttemptEnd =
  | ({ readonly kind: 'finished' } & RememberedEnd)
  /** The run has another turn. `handedOn`: its work goes on meanwhile. */
  | { readonly kind: 'handed-back'; readonly turn: number; readonly reason: string; readonly handedOn?: boolean }
  /** Another attempt owns the run: nothing was written. */
  | { readonly kind: 'superseded' }
  /** Nothing could be recorded before the process had to end. */
  | { readonly kind: 'unrecorded' };

export interface Attempt {
  /** Never rejects. */
  readonly ended: Promise<AttemptEnd>;
  /** Stops the runner because this worker shuts down; the run gets another turn. */
  drain(): void;
  /** The same, unless its work would end with that. */
  letGo(): void;
  /** Does not wait for the next beat, which tells what people want. */
  beatNow(): void;
}

/** Why we stopped the runner ourselves; decides what is recorded. The first reason counts. */
type StopCause =
  | { readonly kind: Exclude<StopReason, 'cancelled'> }
  | { readonly kind: 'cancelled'; readonly by: string };

/** `run` is the record as `start` made it: this is the worker's memory of the attempt. */
export function superviseAttempt(run: Run, deps: AttemptDeps, options: AttemptOptions): Attempt {
  const { records, handle, trust, redis } = deps;
  const name: AttemptName = { run: run.id, ticket: run.ticket, attempt: run.attempt, fence: run.attemptFence };
  const log = deps.log.child({ ticket: run.ticket, run: run.id, project: run.project, attempt: run.attempt });
  const over = new AbortController();
  let cause: StopCause | undefined;
  /** Who wants the run to end: Redis may lose that. The attempt may have a moment to do so by itself. */
  let wish: string | undefined;

  const stop = (why: StopCause): void => {
    // The first reason is recorded; that the worker leaves is news also for a runner that takes its time to cancel.
    if (cause !== undefined && why.kind === 'drained') return handle.stop(why.kind);
    if (cause !== undefined && why.kind !== 'superseded') return;
    cause = why;
    handle.stop(why.kind);
  };

  /** The runner that is ending anyway comes first: what it says then is how the attempt ended. */
  const cancel = async (by: string): Promise<void> => {
    if (wish !== undefined && !outranked(by).includes(wish)) return;
    wish = by;
    const isDue = await sleep(mayBeOwnAct(by) ? options.lastActMs : 0, over.signal);
    if (isDue) stop({ kind: 'cancelled', by });
  };

  const spare = (at: Moment): void => {
    trust.spare(at);
    handle.spare(at);
  };

  /** All that is left to tell is its end. */
  let endKnown = false;
  /** A hand-back is on its way, or its answer was lost. */
  let givenAway = false;
  /**
   * A Redis that has forgotten the attempt has also forgotten by whom it was replaced. So it is written again only by whoever
   * cannot have been: one that is trusted, or that Redis was down for as for everybody, and has not given it away. An end is
   * always told: it starts nothing.
   */
  const mayRestore = (): boolean => endKnown || !(givenAway || trust.lost());

  /** With the wish that Redis may have lost as well: who was told that the run will end must not see it start again. */
  const asKnown = (): Run => (wish === undefined ? run : { ...run, cancelRequested: wish });

  /** One beat. False when this attempt is not the record's any more. */
  const beat = async (): Promise<boolean> => {
    const sentAt = now();
    const reply = await records.beat(name);
    switch (reply.kind) {
      case 'ok':
        if (reply.cancelRequested !== undefined) void cancel(reply.cancelRequested);
        break;
      case 'unknown':
        if (mayRestore()) log.warn({}, 'redis forgot this attempt, writing it again');
        else log.warn({}, 'redis forgot this attempt, which may have been replaced');
        if (mayRestore() && (await records.restore(asKnown()))) break;
        trust.revoke();
        return false;
      case 'superseded':
        trust.revoke();
        return false;
      default:
        return unreachable(reply);
    }
    if (!trust.trusted() && redis.recovering()) {
      spare(sentAt);
      return true;
    }
    trust.renew(sentAt);
    handle.beat(sentAt);
    return true;
  };

  /** Cuts the pause after the beat at work short, or the pause that is on. */
  let hurry = new AbortController();
  const beating = every(
    {
      intervalMs: options.heartbeatMs,
      signal: over.signal,
      sleep: (ms, signal) => sleep(ms, AbortSignal.any([signal, hurry.signal])),
      onError: (error) => {
        log.warn({ error: messageOf(error), trustLeftMs: Math.round(trust.leftMs()) }, 'heartbeat not accepted');
        if (redis.refused()) spare(now());
        else if (trust.lost()) stop({ kind: 'trust-lost' });
      },
    },
    async () => {
      // Before the question is sent: who hurries us while the answer is on its way may want something that it does not say.
      hurry = new AbortController();
      if (await beat()) return;
      stop({ kind: 'superseded' });
      over.abort();
    },
  );

  /** Writes the end of the attempt: again and again until Redis answers or the process has to end. */
  const persist = async (write: () => Promise<AttemptEnd | undefined>): Promise<AttemptEnd> => {
    for (;;) {
      try {
        const written = await write();
        if (written !== undefined) return written;
        // Refused. If Redis has merely forgotten the attempt, a beat writes it again, and then its end can be written.
        if (!(await beat())) return { kind: 'superseded' };
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'end of attempt not recorded yet');
        if (!(await sleep(options.redisProbeMs, deps.giveUp))) return { kind: 'unrecorded' };
      }
    }
  };

  const finish = (end: Omit<Finish, 'onlyIfDead'>): Promise<AttemptEnd> => {
    endKnown = true;
    return persist(async () => {
      const reply = await records.finish(name, { ...end, onlyIfDead: false });
      if (typeof reply === 'object') return { kind: 'finished', ...reply };
      const { state, reason, result } = end;
      return reply === 'finished' ? { kind: reply, state, reason, result } : undefined;
    });
  };

  const handBack = async (how: Omit<HandBack, 'onlyIfDead'>, output: string): Promise<AttemptEnd> => {
    // What was handed on is cut off by that: it would have gone on elsewhere, and nobody has told whoever does the work.
    const endCancelled = (by: string): Promise<AttemptEnd> => {
      const interrupted = how.interrupted || how.handedOn === true;
      return finish({ state: 'cancelled', reason: cancelReason(by), output, interrupted });
    };
    if (wish !== undefined) return await endCancelled(wish);
    if (how.interrupted && run.interrupted + 1 >= MOST_INTERRUPTED) {
      const reason = `interrupted ${MOST_INTERRUPTED} times, last: ${how.reason}`;
      return await finish({ state: 'failed', reason, output, interrupted: true });
    }
    return await persist(async () => {
      const doubtful = givenAway;
      givenAway = true;
      const reply = await records.handBack(name, { ...how, onlyIfDead: false });
      givenAway = doubtful;
      if (reply.kind === 'cancel-requested') return await endCancelled(reply.by);
      if (reply.kind !== 'handed-back') return undefined;
      return { ...reply, reason: how.reason, ...(how.handedOn === true && { handedOn: true }) };
    });
  };

  /** What the end of the runner, and our own reasons for stopping it, mean for the run. */
  const record = async (end: RunnerEnd): Promise<AttemptEnd> => {
    const { outputTail: output, result } = end;
    if (cause?.kind === 'superseded') return { kind: 'superseded' };
    switch (end.kind) {
      case 'exited':
        return await finish(
          end.code === 0
            ? { state: 'completed', reason: 'exit code 0', output, result }
            : { state: 'failed', reason: `exit code ${end.code}`, output, result },
        );
      case 'reported':
        return await finish({ state: end.done ? 'completed' : 'failed', reason: end.reason, output, result });
      case 'signalled':
        return await finish({ state: 'failed', reason: `killed by ${end.signal}`, output, result });
      case 'timed-out':
        return await finish({ state: 'failed', reason: timeOutReason(end), output });
      case 'not-started': {
        // Another replica may have the program: it counts as an attempt, and is tried again while there are any left.
        return countedAttempts(run) >= options.maxAttempts
          ? await finish({ state: 'failed', reason: end.reason, output })
          : await handBack({ interrupted: false, reason: end.reason }, output);
      }
      case 'lost':
        return await handBack({ interrupted: true, reason: end.reason }, output);
      case 'stopped': {
        if (cause?.kind === 'cancelled') {
          return await finish({ state: 'cancelled', reason: cancelReason(cause.by), output });
        }
        const handedOn = cause?.kind === 'drained' && !options.leashed;
        return await handBack({ interrupted: !handedOn, handedOn, reason: cause?.kind ?? end.reason }, output);
      }
      default:
        return unreachable(end);
    }
  };

  /**
   * A runner that fails to say how it ended may have left something at work. It is told of no further beat, so its leash ends
   * that; undefined if this process has to end before.
   */
  const runnerGone = async (): Promise<RunnerEnd | undefined> => {
    try {
      return await handle.ended;
    } catch (error) {
      over.abort();
      const reason = `the runner failed: ${messageOf(error)}`;
      log.error({ err: error }, 'runner failed; its run gets another turn when nothing of it can be at work any more');
      return (await sleep(options.trustKillMs, deps.giveUp)) ? { kind: 'lost', reason, outputTail: '' } : undefined;
    }
  };

  const ended = (async (): Promise<AttemptEnd> => {
    try {
      const runnerEnd = await runnerGone();
      const end: AttemptEnd = runnerEnd === undefined ? { kind: 'unrecorded' } : await record(runnerEnd);
      log.info({ outcome: end.kind, ...('reason' in end ? { reason: end.reason } : {}) }, 'attempt ended');
      return end;
    } finally {
      over.abort();
      await beating;
    }
  })();

  const drain = (): void => stop({ kind: 'drained' });
  return { ended, drain, letGo: () => (options.leashed ? undefined : drain()), beatNow: () => hurry.abort() };
}

function timeOutReason({ timeoutMs, detail }: Extract<RunnerEnd, { kind: 'timed-out' }>): string {
  return `timed out after ${timeoutMs / 1000} s${detail === undefined ? '' : `: ${detail}`}`;
}
