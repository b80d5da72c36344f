/** What an HTTP answer means, for all platforms alike; what one of them says in its own words is in its `Dialect`. */
import { type Answer, dataOf, isJson, isPage } from './answer.ts';
import type { PlatformErrorKind } from './contract.ts';

/** What an answer says about the budget of its credential. */
export interface ObservedLimit {
  /** Requests (or the platform's own units) of the whole window, and what is left of them. */
  readonly limit?: number;
  readonly remaining?: number;
  /** Milliseconds until the window begins anew. */
  readonly resetMs?: number;
  /** Length of the window, ms. */
  readonly windowMs?: number;
  /** Milliseconds in which no call should be made; `Retry-After` is read for all platforms alike. */
  readonly waitMs?: number;
  /** The wait is for this method and path alone (Jira limits writes to one issue); otherwise for the credential. */
  readonly only?: 'path';
}

/** How one platform says things. Every member may be left out. */
export interface Dialect {
  /** Reads the budget from the headers. */
  limit?(headers: Headers, status: number): ObservedLimit;
  /** Whether people are sent to sign in instead of an answer: the credential is not taken, whatever the status says. */
  isSignIn?(status: number, headers: Headers): boolean;
  /** Overrules the kind of an answer with a status from 400 on. `data` is its body, undefined when that is not JSON. */
  kind?(status: number, data: unknown): PlatformErrorKind | undefined;
  /** What the platform says in words in the body of a refusal, where it does not say it in `message`. */
  words?(data: unknown): string | undefined;
}

interface Refusal {
  readonly kind: PlatformErrorKind;
  /** Says what came instead, without anything that we sent. */
  readonly text: string;
}

/**
 * Why the answer cannot be used; undefined when it can: a 2xx or 304, or a redirect that says where to.
 * @param waitMs how long the answer asks to wait; a 403 that asks to wait is a limit, not a lack of rights.
 */
export function refusalOf(answer: Answer, waitMs: number, dialect: Dialect = {}): Refusal | undefined {
  const { status, headers } = answer;
  if (dialect.isSignIn?.(status, headers) === true) return { kind: 'auth', text: `answered ${status}: sign in` };
  if (status < 400) {
    const usable = status < 300 ? !isPage(answer) : status === 304 || headers.has('location');
    return usable ? undefined : { kind: 'invalid-response', text: `answered ${status} without JSON` };
  }
  const data = dataOf(answer);
  const kind = dialect.kind?.(status, data) ?? (status === 403 && waitMs > 0 ? 'rate-limited' : kindOfStatus(status));
  if (couldBeAnybodys(kind, status, answer)) {
    return { kind: 'invalid-response', text: `answered ${status} with something that is not the API's` };
  }
  return { kind, text: `answered ${status}${wordsOf(dialect.words?.(data) ?? messageIn(data))}` };
}

/** The kind of a status from 400 on, as HTTP means it. */
function kindOfStatus(status: number): PlatformErrorKind {
  switch (status) {
    case 401:
    case 403:
      return 'auth';
    case 404:
    case 410:
      return 'not-found';
    case 409:
    case 412:
      return 'conflict';
    case 408:
    case 425:
      return 'unavailable';
    case 429:
      return 'rate-limited';
    default:
      return status >= 500 ? 'unavailable' : 'invalid-response';
  }
}

/** Whether the server says that it did not do it. 408 and 425 may come from a proxy that gave up waiting. */
export function isDefiniteRefusal(status: number): boolean {
  return status >= 400 && status < 500 && kindOfStatus(status) !== 'unavailable';
}

/**
 * Whether a proxy, or an ingress without a backend, could have said this. `not-found` ends in "this ticket is gone", so
 * it must come from the API itself. An outage, a limit and a 401 may come from anybody: they change nothing.
 */
function couldBeAnybodys(kind: PlatformErrorKind, status: number, answer: Answer): boolean {
  if (kind === 'unavailable' || kind === 'rate-limited' || status === 401) return false;
  return isPage(answer) || (kind === 'not-found' && !isJson(answer));
}

/** Characters. */
const MOST_WORDS = 200;

/** The words of the platform as one short line; empty when it says nothing. */
function wordsOf(text: string): string {
  if (text === '') return '';
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ');
  // Cut between words: half of a token that it quotes would not be known for one any more.
  return ` (${line.length <= MOST_WORDS ? line : line.slice(0, MOST_WORDS).replace(/\S+$/, '...')})`;
}

function messageIn(data: unknown): string {
  if (typeof data !== 'object' || data === null || !('message' in data) || typeof data.message !== 'string') return '';
  return data.message;
}
