/** What an HTTP answer means, for all platforms alike; what one of them says in its own words is in its `Dialect`. */
import { type Answer, dataOf, isJson, isPage } from './answer.ts';
import type { PlatformErrorKind } from './contract.ts';

/** How one platform says things. Every member may be left out. */
export interface Dialect {
  /** Reads the budget from the headers: requests left, and how long to wait if none are. */
  limit?(headers: Headers): { readonly remaining?: number; readonly waitMs?: number };
  /** Overrules the kind of an answer with a status from 400 on. `data` is its body, undefined when that is not JSON. */
  kind?(status: number, data: unknown): PlatformErrorKind | undefined;
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
  const { status } = answer;
  if (status < 400) {
    const usable = status < 300 ? !isPage(answer) : status === 304 || answer.headers.has('location');
    return usable ? undefined : { kind: 'invalid-response', text: `answered ${status} without JSON` };
  }
  const data = dataOf(answer);
  const kind = dialect.kind?.(status, data) ?? (status === 403 && waitMs > 0 ? 'rate-limited' : kindOfStatus(status));
  if (couldBeAnybodys(kind, status, answer)) {
    return { kind: 'invalid-response', text: `answered ${status} with something that is not the API's` };
  }
  return { kind, text: `answered ${status}${wordsOf(data)}` };
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

/** What the platform says in words, as one short line; empty when it says nothing. */
function wordsOf(data: unknown): string {
  if (typeof data !== 'object' || data === null || !('message' in data) || typeof data.message !== 'string') return '';
  return ` (${data.message.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').slice(0, 200)})`;
}
