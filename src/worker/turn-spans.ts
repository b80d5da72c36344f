/** What a worker tells of the turns and attempts of a run: domain/run-spans.ts shows where that belongs. */
import type { AttemptEnding, Run } from '../domain/run.ts';
import { attemptKey, attemptSpan, queueKey, runnerKey, step, waits } from '../domain/run-spans.ts';
import { unreachable } from '../foundation/errors.ts';
import type { Span, Trace } from '../foundation/trace.ts';
import type { AttemptEnd } from './attempt.ts';
import type { RunnerEnd, RunnerHandle } from './runners/runner.ts';

export interface TurnSpans {
  /** The turn comes back after a pause. @param why ours, in words */
  postponed(run: Run, why: string, pauseMs: number): void;
  /** It is queued no more, or its next turn is another story. @param run as it was while it was queued; @param atMs default: now */
  leftQueue(run: Run, atMs?: number): void;
  /** Tells of the runner when that has ended. @param run as its attempt began */
  runner(run: Run, handle: Pick<RunnerHandle, 'ended'>): void;
  attempt(run: Run, end: AttemptEnd): void;
}

export function createTurnSpans(trace: Trace): TurnSpans {
  return {
    postponed(run, why, pauseMs) {
      const startMs = trace.nowMs();
      const attributes = { 'agentsmith.reason': why };
      const facts = step(run.id, 'postponed', { parent: queueKey(run.turn), attributes });
      trace.tell({ ...facts, startMs, endMs: startMs + pauseMs });
    },
    leftQueue(run, atMs = trace.nowMs()) {
      waits(run, atMs).forEach(trace.tell);
    },
    runner({ id, attempt }, { ended }) {
      const startMs = trace.nowMs();
      const facts = step(id, 'runner', { key: runnerKey(attempt), parent: attemptKey(attempt), kind: 'client' });
      const tell = (said: Pick<Span, 'attributes' | 'failure'>): void =>
        trace.tell({ ...facts, ...said, startMs, endMs: trace.nowMs() });
      // Whoever supervises the attempt deals with a runner that breaks its word.
      void ended.then((end) => tell(toldBy(end))).catch(() => tell({ failure: 'runner-failed' }));
    },
    attempt(run, end) {
      const how = endingOf(end);
      if (how !== undefined) trace.tell(attemptSpan(run, how, trace.nowMs()));
    },
  };
}

/** Undefined: nobody knows yet, and whoever buries the attempt tells of it. */
function endingOf(end: AttemptEnd): AttemptEnding | undefined {
  switch (end.kind) {
    case 'finished':
      return end.state;
    case 'handed-back':
      return end.handedOn === true ? 'handed-on' : 'interrupted';
    case 'superseded':
      return end.kind;
    case 'unrecorded':
      return undefined;
    default:
      return unreachable(end);
  }
}

/** Reasons may be those of a service or of a cluster, so they are left out. */
function toldBy(end: RunnerEnd): Pick<Span, 'attributes' | 'failure'> {
  const attributes = {
    'agentsmith.runner.end': end.kind,
    'process.exit.code': end.kind === 'exited' ? end.code : undefined,
  };
  const isGood = end.kind === 'exited' ? end.code === 0 : end.kind === 'reported' && end.done;
  return { attributes, failure: isGood || end.kind === 'stopped' ? undefined : end.kind };
}
