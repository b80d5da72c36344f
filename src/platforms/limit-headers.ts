/**
 * What headers say about limits. A wait is capped: a mistaken header must not silence a credential for the life of the
 * process, and after an hour it costs one request to be told again.
 */

/** The longest wait that is believed; GitHub's primary window is as long. */
export const LONGEST_WAIT_MS = 3_600_000;

/** Milliseconds to wait by a `Retry-After` header (seconds, or an HTTP date); undefined when there is none to honour. */
export function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get('retry-after')?.trim();
  if (value === undefined || value === '') return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - serverTimeMs(headers);
  return boundedWaitMs(ms);
}

/** The server's own time from `Date`, so that a wrong clock on our side does not lengthen a wait; else ours. */
export function serverTimeMs(headers: Headers): number {
  const date = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(date) ? Date.now() : date;
}

/** The wait rounded up and capped; undefined when there is nothing to wait for. */
export function boundedWaitMs(ms: number): number | undefined {
  return ms > 0 ? Math.min(Math.ceil(ms), LONGEST_WAIT_MS) : undefined;
}

/** A count or a time that a header holds as a plain number that can be one; undefined when it is missing or anything else. */
export function numberIn(headers: Headers, name: string): number | undefined {
  const value = headers.get(name) ?? '';
  return /^\d{1,15}(\.\d+)?$/.test(value) ? Number(value) : undefined;
}
