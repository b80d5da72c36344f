/** How a run ends, and how what its service had told before takes the place of what a caller says of it. */
import type { RunResult } from '../domain/run-result.ts';
import { endOfTold, toldInText } from '../domain/told.ts';

export type TerminalState = 'completed' | 'failed' | 'cancelled';

/** What a worker keeps in mind of an end: all but the output. */
export interface RememberedEnd {
  readonly state: TerminalState;
  readonly reason: string;
  /** What the runner says came of it. */
  readonly result?: RunResult | undefined;
}

/**
 * @param news what a script answered: the text of what was told
 * @returns the end that it was promised to be; the caller's, where nobody can read it
 */
export function endAsTold<End extends RememberedEnd>(end: End, news: string): End {
  const told = toldInText(news);
  return told === undefined ? end : { ...end, result: undefined, ...endOfTold(told) };
}

/** As records and scripts have it: '' without one. */
export function textOfResult(result: RunResult | undefined): string {
  return result === undefined ? '' : JSON.stringify(result);
}
