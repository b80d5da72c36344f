/** What the end of a Job means for its attempt. Pure. */
import { parseRunResult, type RunResult } from '../../../domain/run-result.ts';
import type { RunnerEnd } from '../runner.ts';
import type { JobState, SeenPod } from './cluster.ts';

type FinishedState = Extract<JobState, { kind: 'complete' | 'failed' }>;
type Distribute<End> = End extends unknown ? Omit<End, 'outputTail' | 'result'> : never;
/** How it ended, without what is told beside that. */
export type BareEnd = Distribute<RunnerEnd>;

/** The pod whose end is the Job's: the last one. Times are to the second, so of two of one second the one in order. */
export function lastPod(pods: readonly SeenPod[], job: string): SeenPod | undefined {
  const isDisrupted = (pod: SeenPod): number => (pod.disruption === undefined ? 0 : 1);
  return pods
    .filter(({ owner }) => owner === job)
    .sort((a, b) => b.createdAtMs - a.createdAtMs || isDisrupted(a) - isDisrupted(b))[0];
}

/** `problem` is what kept its pod from starting, as far as that was seen. */
export function endOfJob(
  state: FinishedState,
  pod: SeenPod | undefined,
  { timeoutMs, problem }: { readonly timeoutMs: number; readonly problem: string | undefined },
): BareEnd {
  if (state.kind === 'complete') return { kind: 'exited', code: 0 };
  if (state.reason === 'DeadlineExceeded') {
    return { kind: 'timed-out', timeoutMs, ...(problem !== undefined && { detail: problem }) };
  }
  if (pod?.disruption !== undefined) return { kind: 'reported', done: false, reason: pod.disruption };
  const { exitCode = 0, reason = '' } = pod?.ended ?? {};
  if (reason === 'OOMKilled')
    return { kind: 'reported', done: false, reason: 'its container ran out of memory (OOMKilled)' };
  if (exitCode !== 0) return { kind: 'exited', code: exitCode };
  const words = [state.reason, state.message].filter((text) => text !== '').join(': ');
  return { kind: 'reported', done: false, reason: `its Job failed (${problem ?? words})` };
}

export interface ReadMessage {
  readonly result?: RunResult;
  /** For the output: why there is no result. */
  readonly note?: string;
}

/** The result that the work left in its termination message; anything may be in there, also nothing. */
export function readMessage(message: string, redact: (text: string) => string): ReadMessage {
  if (message.trim() === '') return {};
  const parsed = parseRunResult(message, redact);
  return parsed.ok ? { result: parsed.result } : { note: parsed.problem };
}

/** A line of ours in somebody else's output. */
export function noteInOutput(text: string): string {
  return `[agent-smith: ${text}]\n`;
}
