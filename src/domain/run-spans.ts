/**
 * A run's way in spans, from when it was first heard of until its end is shown on the ticket (docs/traces.md). Pure: whoever
 * does a step tells its span, and the times that are on record come from there.
 *
 *   ticket                                  told last, by whoever has read the label of the end back
 *   +- delivery | poll                      until the claim; told with `ticket`, since the run had no id before
 *   +- claim --- read ticket, label         each claim that went on with the run
 *   +- backlog, queue --- read ticket, postponed
 *   +- attempt 1, 2, ... --- runner         what the pipeline adds goes below its runner
 *   +- label, comment, repair
 */
import type { Span, SpanAttributes, SpanFacts } from '../foundation/trace.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { AttemptEnding, Run, RunState } from './run.ts';

/** Key of the root. */
const WHOLE_WAY = 'ticket';

export const attemptKey = (attempt: number): string => `attempt/${attempt}`;
export const runnerKey = (attempt: number): string => `runner/${attempt}`;
export const queueKey = (turn: number): string => `queue/${turn}`;
export const claimKey = (fence: number): string => `claim/${fence}`;

/** A step of a run; right below the whole unless it says otherwise. */
export function step(run: string, name: string, facts: Partial<SpanFacts> = {}): SpanFacts {
  return { trace: run, name, parent: WHOLE_WAY, ...facts };
}

/** A lifecycle label that is written. */
export function labelStep(
  run: string,
  from: readonly Lifecycle[],
  to: Lifecycle | undefined,
  facts: Partial<SpanFacts> = {},
): SpanFacts {
  const attributes = { 'agentsmith.label.from': from.join(' ') || 'none', 'agentsmith.label.to': to ?? 'none' };
  return step(run, 'label', { kind: 'client', attributes, ...facts });
}

/** What was put right. @param outcome ours, a word group */
export function repairStep(run: string, kind: string, outcome: string): SpanFacts {
  return step(run, 'repair', { attributes: { 'agentsmith.repair': kind, 'agentsmith.outcome': outcome } });
}

/** The whole way of a run that has ended, and how it came in. */
export function wholeWay(run: Run, shownAtMs: number): readonly Span[] {
  const createdAtMs = run.createdAtMs;
  const heardAtMs = Math.min(createdAtMs, run.deliveredAtMs ?? createdAtMs, createdAtMs - (run.foundMs ?? 0));
  const whole: Span = {
    trace: run.id,
    name: WHOLE_WAY,
    key: WHOLE_WAY,
    startMs: heardAtMs,
    endMs: shownAtMs,
    attributes: {
      ...about(run),
      ...resultOf(run.state),
      'agentsmith.attempts': run.attempt,
      'agentsmith.interruptions': run.interrupted,
    },
    failure: run.state === 'failed' ? 'failed' : undefined,
  };
  if (heardAtMs === createdAtMs) return [whole];
  const name = run.deliveredAtMs === heardAtMs ? 'delivery' : 'poll';
  const attributes = { 'agentsmith.delivery': run.delivery };
  const arrival = step(run.id, name, { key: name, kind: 'consumer', ...(name === 'delivery' && { attributes }) });
  return [{ ...arrival, startMs: heardAtMs, endMs: createdAtMs }, whole];
}

/**
 * The waits of a run that leaves the queue, or whose start is put off: for a free slot, then for a worker that starts it.
 * @param run as it was queued
 */
export function waits(run: Run, leftAtMs: number): readonly Span[] {
  const { id, turn, queuedAtMs, sinceMs, backAtMs = 0, admittedAtMs = 0 } = run;
  // What was before its last start was put off has been told then.
  const fromMs = Math.min(Math.max(queuedAtMs ?? sinceMs, backAtMs), leftAtMs);
  // It stays admitted when it is handed back, and 0 says that it still waits for that.
  const admittedMs = admittedAtMs === 0 ? leftAtMs : Math.max(fromMs, admittedAtMs);
  const attributes = { 'agentsmith.turn': turn };
  const backlog = step(id, 'backlog', { key: `backlog/${turn}`, attributes });
  const queue = step(id, 'queue', { key: queueKey(turn), attributes });
  return [
    ...(admittedMs > fromMs ? [{ ...backlog, startMs: fromMs, endMs: admittedMs }] : []),
    ...(leftAtMs > admittedMs || admittedAtMs > 0 ? [{ ...queue, startMs: admittedMs, endMs: leftAtMs }] : []),
  ];
}

/** The latest attempt of a run, which has ended. @param run as it was while the attempt was at work */
export function attemptSpan(run: Run, how: AttemptEnding, endMs: number): Span {
  const number = run.attempt;
  return {
    ...step(run.id, 'attempt', { key: attemptKey(number) }),
    startMs: run.startedAtMs ?? run.sinceMs,
    endMs,
    attributes: {
      ...about(run),
      ...resultOf(how),
      'agentsmith.attempt': number,
      'agentsmith.fence': run.attemptFence,
      'agentsmith.worker': run.worker,
      'agentsmith.turn': run.turn,
    },
    failure: how === 'completed' || how === 'cancelled' || how === 'handed-on' ? undefined : how,
  };
}

/** What a run is, in words that may be searched for. Names of OpenTelemetry's conventions where there are any. */
function about(run: Run): SpanAttributes {
  return {
    'agentsmith.ticket': run.ticket,
    'agentsmith.project': run.project,
    'agentsmith.platform': run.platform,
    'agentsmith.trigger': run.trigger,
    'cicd.pipeline.name': run.pipeline,
    'cicd.pipeline.run.id': run.id,
  };
}

const RESULTS: Readonly<Partial<Record<RunState | AttemptEnding, string>>> = {
  completed: 'success',
  failed: 'failure',
  cancelled: 'cancellation',
  interrupted: 'error',
  superseded: 'error',
};

function resultOf(state: RunState | AttemptEnding): SpanAttributes {
  return { 'agentsmith.state': state, 'cicd.pipeline.result': RESULTS[state] };
}
