/**
 * What happens when a job is taken from the queue (PROTOCOL 4, steps 0 to 2): the record is asked, the ticket is read,
 * and only then does an attempt start. A job that is not worth it any more is dropped; a run whose ticket cannot be read
 * now is put off, and no attempt is used for that.
 */

import type { Catalog, Project } from '../domain/project.ts';
import { projectOfRun } from '../domain/routing.ts';
import { cancelReason, mayHaveLeftWork, type Run } from '../domain/run.ts';
import { queueKey, runnerKey, step } from '../domain/run-spans.ts';
import type { Ticket } from '../domain/ticket.ts';
import { withdrawalOf } from '../domain/withdrawal.ts';
import { now } from '../foundation/clock.ts';
import { messageOf, OperationError, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { NO_TRACE, type Trace, traced } from '../foundation/trace.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import { type Call, PlatformError, type TicketPlatform } from '../platforms/contract.ts';
import type { RunQueue, Turn, TurnOutcome } from '../queue/run-queue.ts';
import type { AttemptRecords } from '../runs/attempt-records.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import type { TerminalState } from '../runs/run-end.ts';
import { type Attempt, type AttemptEnd, type RedisWitness, superviseAttempt } from './attempt.ts';
import type { RunnerHandle, RunnerQuestion, RunnerRequest } from './runners/runner.ts';
import { createTrust } from './trust.ts';
import { createTurnSpans } from './turn-spans.ts';

/** A pipeline that can be started: the run's policy snapshot, opened with today's environment. */
export type OpenedRunner =
  | {
      readonly ok: true;
      readonly maxAttempts: number;
      readonly timeoutMs: number;
      /** As `Runner.leashed`. */
      readonly leashed: boolean;
      /** As `Runner.blockedBy`. */
      readonly blockedBy?: (question: RunnerQuestion) => Promise<string | undefined>;
      readonly start: (request: RunnerRequest) => RunnerHandle;
    }
  | { readonly ok: false; readonly problem: string };

export interface TurnProcessorDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly openRunner: (policy: string) => OpenedRunner;
  readonly records: AttemptRecords;
  readonly queue: Pick<RunQueue, 'add'>;
  readonly labels: Pick<LabelWriter, 'project'>;
  readonly decisions: Pick<DecisionLog, 'record'>;
  readonly redis: RedisWitness;
  readonly log: Log;
  /** An attempt has started: the run as its record shows it now. */
  readonly onStarted?: (run: Run) => void;
  readonly onEnded?: (run: Run, end: AttemptEnd) => void;
  /** Default: nobody collects. */
  readonly trace?: Trace;
}

export interface TurnProcessorOptions {
  /** Name of this worker in records and logs. */
  readonly worker: string;
  readonly claimCallMs: number;
  readonly attemptRetryMs: number;
  readonly interruptedBackoffMs: number;
  readonly interruptedBackoffMaxMs: number;
  readonly heartbeatMs: number;
  readonly trustTermMs: number;
  readonly trustKillMs: number;
  readonly lastActMs: number;
  readonly redisProbeMs: number;
}

export interface TurnProcessor {
  /** Works on one turn to its end. Throws only for bugs: a Redis that is away makes it come back later. */
  process(turn: Turn): Promise<TurnOutcome>;
  /**
   * This worker will shut down: hands back at once what goes on without it, and starts nothing of that kind any more. What would
   * end with it goes on.
   */
  letGo(): void;
  /** Starts nothing more and stops the runners at work; resolves when all of them are gone and every turn is given back. */
  drain(): Promise<void>;
  /** Stops waiting for a Redis that does not take the ends of attempts. */
  giveUp(): void;
  /** Somebody wants a run to end, perhaps one that is at work here: the records are asked now. */
  lookAtOnce(): void;
  /** Attempts at work. */
  active(): number;
}

/** Taken this often without a start: something kills every worker that takes it. */
const MOST_TAKES = 10;

const OVER: TurnOutcome = { kind: 'over' };
const LEAVING = 'this worker shuts down';

export function createTurnProcessor(deps: TurnProcessorDeps, options: TurnProcessorOptions): TurnProcessor {
  const { records, labels, trace = NO_TRACE } = deps;
  const spans = createTurnSpans(trace);
  const turns = new Set<Promise<TurnOutcome>>();
  const attempts = new Set<Attempt>();
  let isLeaving = false;
  const ending = new AbortController();
  const stopped = new AbortController();

  /** What adoptable runners began is at work without a worker: it counts towards the caps until the next attempt adopts it. */
  const mayBeAtWork = (run: Run): boolean => {
    if (!mayHaveLeftWork(run)) return false;
    const runner = deps.openRunner(run.policy ?? '');
    return !(runner.ok && runner.leashed);
  };

  const later = async (run: Run, why: string, isVain = true): Promise<TurnOutcome> => {
    const put = await records.postpone(run, { keepsPlaces: mayBeAtWork(run), isVain });
    if (put.kind === 'dropped') return OVER;
    const delayMs = isLeaving && put.kind === 'set-aside' ? 0 : put.pauseMs;
    deps.log.info({ ticket: run.ticket, run: run.id, project: run.project, why, delayMs }, 'turn postponed');
    spans.postponed(run, why, delayMs);
    if (put.kind === 'put-off') spans.leftQueue(run);
    await decide(run, `postponed: ${why}`);
    return put.kind === 'set-aside' ? { kind: 'later', delayMs } : OVER;
  };

  const end = async (run: Run, state: TerminalState, reason: string): Promise<TurnOutcome> => {
    const ended = await records.endQueued(run, state, reason);
    if (ended !== undefined) {
      const about = { ticket: run.ticket, run: run.id, project: run.project };
      deps.log.info({ ...about, outcome: ended.state, reason: ended.reason }, 'run ended');
      spans.leftQueue(run);
      await decide(run, `${ended.state}: ${ended.reason}`);
      // The record has ended: its label may be written by anybody, at any time.
      void labels.project(run.id, { mayWrite: () => !stopped.signal.aborted, signal: stopped.signal });
      deps.onEnded?.(run, { kind: 'finished', ...ended });
    }
    return OVER;
  };

  const decide = async (run: Run, outcome: string): Promise<void> => {
    await deps.decisions
      .record({ ticket: run.ticket, project: run.project, by: 'attempt', run: run.id, outcome })
      .catch((error: unknown) => deps.log.debug({ error: messageOf(error) }, 'decision not recorded'));
  };

  /** Step 1: the ticket as it is now, or what else to do. */
  const readTicket = async (run: Run, project: Project, platform: TicketPlatform): Promise<Ticket | TurnOutcome> => {
    try {
      const call: Call = { purpose: 'attempt', deadlineMs: options.claimCallMs, signal: ending.signal };
      const read = () => platform.readTicket(run.ticketId, call);
      const ticket = await traced(
        trace,
        step(run.id, 'read ticket', { kind: 'client', parent: queueKey(run.turn) }),
        read,
      );
      const withdrawal = withdrawalOf(run, ticket, project.source);
      return withdrawal === undefined ? ticket : await end(run, 'cancelled', cancelReason(withdrawal));
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (ending.signal.aborted) return await later(run, LEAVING, false);
      if (error.kind === 'not-found') return await end(run, 'cancelled', 'the ticket is gone');
      return await later(run, `the ticket cannot be read (${error.kind})`);
    }
  };

  /** Steps 2 to 6. */
  const attempt = async (
    run: Run,
    project: Project,
    ticket: Ticket,
    runner: Extract<OpenedRunner, { ok: true }>,
  ): Promise<TurnOutcome> => {
    if (isLeaving && !runner.leashed) return await later(run, LEAVING, false);
    if (ending.signal.aborted) return await later(run, LEAVING, false);
    const startedAt = now();
    const reply = await records.start(run, options.worker);
    switch (reply.kind) {
      case 'recovering':
        return await later(run, 'redis lost data, live workers report first', false);
      case 'dropped':
        return OVER;
      case 'cancel-requested':
        return await end(run, 'cancelled', cancelReason(reply.by));
      case 'started':
        break;
      default:
        return unreachable(reply);
    }
    const running = reply.run;
    spans.leftQueue(run, running.startedAtMs);
    deps.log.info(
      { ticket: run.ticket, run: run.id, project: run.project, attempt: running.attempt, pipeline: run.pipeline },
      'attempt started',
    );
    deps.onStarted?.(running);
    const trust = createTrust({ ...options, startedAt });
    const handle = runner.start({
      run: run.id,
      attempt: running.attempt,
      adopts: mayHaveLeftWork(running),
      fence: running.attemptFence,
      project: run.project,
      pipeline: run.pipeline ?? '',
      platform: run.platform,
      ticket,
      code: project.code,
      timeoutMs: runner.timeoutMs,
      trustedSince: startedAt,
      traceparent: trace.contextOf(run.id, runnerKey(running.attempt)),
    });
    spans.runner(running, handle);
    const supervised = superviseAttempt(
      running,
      { records, handle, trust, redis: deps.redis, log: deps.log, giveUp: stopped.signal },
      { ...options, maxAttempts: runner.maxAttempts, leashed: runner.leashed },
    );
    attempts.add(supervised);
    if (ending.signal.aborted) supervised.drain();
    else if (isLeaving) supervised.letGo();
    // Never waited for and never a reason to stop: the projection loop brings what is missed here.
    void labels.project(run.id, { mayWrite: () => trust.leftMs() > options.claimCallMs, signal: stopped.signal });
    const outcome = await supervised.ended;
    attempts.delete(supervised);
    spans.attempt(running, outcome);
    deps.onEnded?.(running, outcome);
    await conclude(running, outcome);
    return OVER;
  };

  /** After the record: the label, and the next turn's job. Both are repaired if this process dies here. */
  const conclude = async (run: Run, outcome: AttemptEnd): Promise<void> => {
    if (outcome.kind === 'superseded' || outcome.kind === 'unrecorded') return;
    await decide(run, `${outcome.kind === 'finished' ? outcome.state : outcome.kind}: ${outcome.reason}`);
    if (outcome.kind === 'handed-back') {
      // Nothing went wrong with what was handed on, and its work should have a worker.
      const delayMs = outcome.handedOn === true ? 0 : pauseAfter(run.attempt, options);
      await deps.queue
        .add({ run: run.id, turn: outcome.turn }, { delayMs })
        .catch((error: unknown) =>
          deps.log.warn({ run: run.id, error: messageOf(error) }, 'job not added, repair will'),
        );
    }
    void labels.project(run.id, { mayWrite: () => !stopped.signal.aborted, signal: stopped.signal });
  };

  const work = async (turn: Turn): Promise<TurnOutcome> => {
    const taken = await records.take(turn.run, turn.turn);
    if (taken.kind === 'dropped') {
      deps.log.debug({ run: turn.run, turn: turn.turn, state: taken.state }, 'turn dropped');
      return OVER;
    }
    const { run } = taken;
    if (run.takes > MOST_TAKES) return await end(run, 'failed', `taken ${MOST_TAKES} times without a start`);
    if (run.cancelRequested !== undefined) return await end(run, 'cancelled', cancelReason(run.cancelRequested));
    const project = projectOfRun(deps.catalog(), run);
    const platform = project === undefined ? undefined : deps.platformOf(project);
    if (project === undefined || platform === undefined) return await later(run, 'its project is not connected');
    const ticket = await readTicket(run, project, platform);
    if ('kind' in ticket) return ticket;
    const runner = deps.openRunner(run.policy ?? '');
    if (!runner.ok) return await end(run, 'failed', runner.problem);
    const blocked = await runner.blockedBy?.({ run: run.id, ticket, adopts: mayHaveLeftWork(run) });
    if (blocked !== undefined) return await later(run, blocked);
    return await attempt(run, project, ticket, runner);
  };

  return {
    async process(turn) {
      if (ending.signal.aborted) return { kind: 'later', delayMs: 0 };
      const working = work(turn);
      turns.add(working);
      try {
        return await working;
      } catch (error) {
        if (!(error instanceof OperationError)) throw error;
        // Whatever the record says by now, the job only points to it: coming back is always right.
        deps.log.warn({ run: turn.run, error: messageOf(error) }, 'turn comes back, redis did not answer');
        return { kind: 'later', delayMs: options.attemptRetryMs };
      } finally {
        turns.delete(working);
      }
    },
    letGo() {
      isLeaving = true;
      for (const running of attempts) running.letGo();
    },
    async drain() {
      isLeaving = true;
      ending.abort();
      for (const running of attempts) running.drain();
      await Promise.allSettled(turns);
    },
    giveUp: () => stopped.abort(),
    lookAtOnce() {
      for (const running of attempts) running.beatNow();
    },
    active: () => attempts.size,
  };
}

/** Before a turn that follows a hand-back: none after the first attempt, then 30 s, then 2 min. */
export function pauseAfter(
  attempt: number,
  options: Pick<TurnProcessorOptions, 'interruptedBackoffMs' | 'interruptedBackoffMaxMs'>,
): number {
  if (attempt <= 1) return 0;
  return attempt === 2 ? options.interruptedBackoffMs : options.interruptedBackoffMaxMs;
}
