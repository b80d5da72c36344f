/** What is wrong with a configuration, said so that it can be put right: place, words, suggestion. Never a value. */
import { closest, distance } from 'fastest-levenshtein';

/** Keys and list indices from the root of the file. */
export type Path = readonly (string | number)[];

export interface Position {
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export interface Problem extends Partial<Position> {
  /** Empty for the file as a whole. */
  readonly path: Path;
  readonly message: string;
}

const PLAIN_KEY = /^[\w-]+$/;

/** `projects.my-api.polling`, with keys that are no plain words in quotes: `pipeline_from_label["a b"]`. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (!PLAIN_KEY.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === '' ? step : `${text}.${step}`;
  }, '');
}

/** One line: `agentsmith.yml:12:5: projects.my-api.poling: unknown key, did you mean "polling"?` */
export function formatProblem(file: string, problem: Problem): string {
  const place = problem.line === undefined ? file : `${file}:${problem.line}:${problem.column ?? 1}`;
  return [place, formatPath(problem.path), problem.message].filter((part) => part !== '').join(': ');
}

/** By line, then column; what has no place comes first. */
export function byPosition(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** `, did you mean "x"?` if a candidate is near enough to be what was meant, otherwise nothing. */
export function suggestion(written: string, candidates: readonly string[]): string {
  if (candidates.length === 0) return '';
  const nearest = closest(written.toLowerCase(), [...candidates]);
  const near = distance(written.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, Math.floor(written.length / 3));
  return near ? `, did you mean ${JSON.stringify(nearest)}?` : '';
}
