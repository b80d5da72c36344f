/** How Jira says things: its limits on Cloud and on Data Center, failed logins, and what is wrong with a field. */
import { z } from 'zod';
import type { Dialect, ObservedLimit } from '../error-kinds.ts';
import { numberIn, serverTimeMs } from '../limit-headers.ts';

/** Somebody whose login failed is often answered as if nobody had signed in: an empty search, a 404. */
const FAILED_LOGIN = /AUTHENTICATED_FAILED|AUTHENTICATION_DENIED|AUTHORISATION_FAILED/i;
/** Said when labels are not on the screen for editing, and to whoever may not edit the issue. */
const NOT_SETTABLE = /cannot be set/i;
/** Said in a query of a project that is not there, or not for us. */
const NO_PROJECT = /does not exist for the field 'project'/i;

const refusal = z.object({
  errorMessages: z.array(z.string()).catch([]),
  errors: z.record(z.string(), z.string()).catch({}),
});

export const jiraDialect: Dialect = {
  limit(headers, status) {
    const intervalSeconds = numberIn(headers, 'x-ratelimit-interval-seconds');
    return intervalSeconds === undefined
      ? cloudLimit(headers, status)
      : bucketLimit(headers, status, intervalSeconds * 1000);
  },
  isSignIn(status, headers) {
    // An outage or a limit says nothing about us.
    if (status >= 500 || status === 429) return false;
    return FAILED_LOGIN.test(headers.get('x-seraph-loginreason') ?? '') || headers.get('x-ausername') === 'anonymous';
  },
  kind(status, data) {
    const { success, data: said } = refusal.safeParse(data);
    if (!success || status !== 400) return undefined;
    if (NOT_SETTABLE.test(said.errors.labels ?? '')) return 'auth';
    return said.errorMessages.some((message) => NO_PROJECT.test(message)) ? 'not-found' : undefined;
  },
  words(data) {
    const { success, data: said } = refusal.safeParse(data);
    if (!success) return undefined;
    const words = [...said.errorMessages, ...Object.values(said.errors)].join(' ');
    return words === '' ? undefined : words;
  },
};

/** The end of the window is told as an ISO time, often in whole minutes. */
function cloudLimit(headers: Headers, status: number): ObservedLimit {
  const limit = numberIn(headers, 'x-ratelimit-limit');
  const remaining = numberIn(headers, 'x-ratelimit-remaining');
  const resetMs = Date.parse(headers.get('x-ratelimit-reset') ?? '') - serverTimeMs(headers);
  const isSpent = status === 429 || remaining === 0;
  return {
    ...(limit !== undefined && { limit }),
    ...(remaining !== undefined && { remaining }),
    ...(resetMs > 0 && { resetMs, ...(isSpent && { waitMs: resetMs }) }),
    // Only writes to this one issue are too many; a burst of one kind of request holds back everything, to be safe.
    ...(headers.get('ratelimit-reason') === 'jira-per-issue-on-write' && { only: 'path' as const }),
  };
}

/** Data Center fills a bucket by a batch in each interval: what is left may be used, and more comes with the next. */
function bucketLimit(headers: Headers, status: number, intervalMs: number): ObservedLimit {
  const limit = numberIn(headers, 'x-ratelimit-limit');
  const remaining = numberIn(headers, 'x-ratelimit-remaining');
  const says = numberIn(headers, 'retry-after') ?? 0;
  return {
    ...(limit !== undefined && { limit }),
    ...(remaining !== undefined && { remaining }),
    resetMs: intervalMs,
    windowMs: intervalMs,
    // `Retry-After: 0` beside tokens that are left is no wait; beside a refusal it says nothing.
    ...(status === 429 && says === 0 && { waitMs: intervalMs }),
  };
}
