/**
 * What an answer of a service means for the run. Pure.
 *
 * Only a refusal ends a run as failed, and only the words of the service end it as done. Whatever leaves open what became of
 * the work is asked again under the same key.
 */
import { readTold, type Told } from '../../../domain/told.ts';
import { oneLine } from '../../../foundation/one-line.ts';

export interface Answer {
  readonly status: number;
  /** Names in lower case; of several of one name the first. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Undefined when it is longer than anybody reads. */
  readonly body: string | undefined;
}

export type Verdict =
  | { readonly kind: 'told'; readonly told: Told }
  /** The work goes on, and its result comes by a callback. */
  | { readonly kind: 'accepted' }
  /** To be asked again, not before `waitMs` if that was said; `why` is a word group. */
  | { readonly kind: 'again'; readonly why: string; readonly waitMs?: number }
  /** It will never be done like this; `reason` is a sentence for people. */
  | { readonly kind: 'refused'; readonly reason: string };

/** What an answer may hold, in bytes. */
export const MOST_ANSWER_BYTES = 1024 * 1024;

/** They say "not now" and nothing about the run: a pause in the request, at work under this key already, too early, too many. */
const NOT_NOW: ReadonlySet<number> = new Set([408, 409, 425, 429]);
const MOST_EXCERPT = 200;

/** `redact` is given each text before it is cut: afterwards a secret would not be known any more. */
export function judgeAnswer(
  answer: Answer,
  result: 'answer' | 'callback',
  nowMs: number,
  redact: (text: string) => string,
): Verdict {
  const { status, body } = answer;
  if (saysNotNow(status)) return again(answer, `status ${status}`, nowMs);
  if (status >= 300 && status < 400) return refused(`answered ${status}: redirects are not followed`);
  if (status >= 400) return refused(`refused the run: status ${status}${excerpt(body, redact)}`);
  if (body === undefined) return refused('answered more than 1 MiB');
  if (/^\s*</.test(body)) return refused('answered a page instead of JSON, so its URL may lead elsewhere');
  const waits = result === 'callback' ? accepted : again(answer, 'it is still at work', nowMs);
  if (body.trim() === '')
    return status === 202 || result === 'callback' ? waits : { kind: 'told', told: { state: 'done' } };

  let value: unknown;
  try {
    value = JSON.parse(body, (_, part: unknown) => (typeof part === 'string' ? redact(part) : part));
  } catch {
    // Without a length nobody can tell the end of an answer from the end of its connection.
    return hasLength(answer) ? refused('answered no JSON') : again(answer, 'its answer was cut off', nowMs);
  }
  const read = readTold(value);
  if (read.ok) return { kind: 'told', told: read.told };
  const { state } = (typeof value === 'object' ? (value ?? {}) : {}) as { readonly state?: unknown };
  const isSilent = state === undefined && (status === 202 || result === 'callback');
  return isSilent || state === 'running' ? waits : refused(`answered JSON that tells no result: ${read.problem}`);
}

const accepted: Verdict = { kind: 'accepted' };

/** It has to be asked again: the status says nothing about what was asked. */
export function saysNotNow(status: number): boolean {
  return status >= 500 || NOT_NOW.has(status);
}

function refused(what: string): Verdict {
  return { kind: 'refused', reason: `The service ${what}.` };
}

function again({ headers }: Answer, why: string, nowMs: number): Verdict {
  const waitMs = retryAfterMs(headers['retry-after'], nowMs);
  return { kind: 'again', why, ...(waitMs !== undefined && { waitMs }) };
}

/** Seconds, or a date. */
function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

function hasLength({ headers }: Answer): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

/** The first words of a refusal, which mostly say what is wrong. */
function excerpt(body: string | undefined, redact: (text: string) => string): string {
  const words = body === undefined || /^\s*</.test(body) ? '' : oneLine(redact(body), MOST_EXCERPT);
  return words === '' ? '' : `, ${words}`;
}
