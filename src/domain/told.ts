/** What a service says came of a run: in its answer, or by a callback. As untrusted as everything that a pipeline says. Pure. */
import { oneLine } from '../foundation/one-line.ts';
import { type RunResult, readRunResult } from './run-result.ts';

export interface Told {
  readonly state: 'done' | 'failed';
  /** One line, as `oneLine` makes it. */
  readonly reason?: string;
  readonly result?: RunResult;
  /** Why its summary and links were left out, a sentence for whoever wrote the service. */
  readonly problem?: string;
}

export type ReadTold =
  | { readonly ok: true; readonly told: Told }
  /** A sentence for whoever wrote the service; quotes nothing of what it said. */
  | { readonly ok: false; readonly problem: string };

/**
 * From `{"state": "done" | "failed", "reason": text, "summary": text, "links": [...]}`, all optional but the state; other
 * fields are ignored. That the work is done counts also when what is said about it cannot be shown.
 */
export function readTold(value: unknown): ReadTold {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, problem: 'it is no JSON object' };
  }
  const { state, reason, summary, links } = value as Readonly<Record<string, unknown>>;
  if (state !== 'done' && state !== 'failed') return { ok: false, problem: 'its state is neither "done" nor "failed"' };
  const words = typeof reason === 'string' ? oneLine(reason) : '';
  const read = readRunResult({ ...(summary !== undefined && { summary }), ...(links !== undefined && { links }) });
  const says = read.ok && (read.result.summary !== undefined || read.result.links.length > 0);
  return {
    ok: true,
    told: {
      state,
      ...(words !== '' && { reason: words }),
      ...(says && { result: read.result }),
      ...(!read.ok && { problem: read.problem }),
    },
  };
}

/** What it makes of its run; `reason` is for people. */
export function endOfTold({ state, reason, result }: Told): {
  readonly state: 'completed' | 'failed';
  readonly reason: string;
  readonly result?: RunResult;
} {
  return {
    state: state === 'done' ? 'completed' : 'failed',
    reason: reason === undefined ? `the service says ${state}` : `the service says ${state}: ${reason}`,
    ...(result !== undefined && { result }),
  };
}

/** As it is kept in Redis: the same words give the same text, whatever surrounded them. */
export function textOfTold({ state, reason, result }: Told): string {
  return JSON.stringify({ state, reason, ...result });
}

/** What `textOfTold` wrote; undefined for anything else. */
export function toldInText(text: string): Told | undefined {
  const read = readTold(text === '' ? undefined : JSON.parse(text));
  return read.ok ? read.told : undefined;
}
