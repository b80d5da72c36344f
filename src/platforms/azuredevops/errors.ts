/** How Azure DevOps says things: limits, conflicts and missing rights by their codes, a lost sign-in by a page. */
import { z } from 'zod';
import type { Dialect } from '../error-kinds.ts';
import { numberIn, serverTimeMs } from '../limit-headers.ts';

/** The budget is counted over a sliding window of five minutes. */
const WINDOW_MS = 300_000;

/** The revision that was tested is not the current one; the status differs between versions. */
const CONFLICT = /\b(?:VS403351|TF26071)\b/;
const LIMITED = /\bTF400733\b/;
/** No right to save under this area, to do this at all, or to make a new tag; with 400 or 403. */
const FORBIDDEN = /\b(?:TF237111|TF401027|TF401289)\b/;

const refusal = z.object({ message: z.string().catch(''), typeKey: z.string().catch('') });

export const azureDevOpsDialect: Dialect = {
  limit(headers) {
    const limit = numberIn(headers, 'x-ratelimit-limit');
    const remaining = numberIn(headers, 'x-ratelimit-remaining');
    const resetSeconds = numberIn(headers, 'x-ratelimit-reset');
    // An answer that was delayed is the warning before refusals: leave it alone for as long as it was held up.
    const delaySeconds = numberIn(headers, 'x-ratelimit-delay');
    return {
      ...(limit !== undefined && { limit, windowMs: WINDOW_MS }),
      ...(remaining !== undefined && { remaining }),
      ...(resetSeconds !== undefined && { resetMs: Math.max(0, resetSeconds * 1000 - serverTimeMs(headers)) }),
      ...(delaySeconds !== undefined && { waitMs: delaySeconds * 1000 }),
    };
  },
  // An expired token is answered with the page on which people sign in, as 203 or by a redirect to it.
  isSignIn(status, headers) {
    if (status === 203) return /\bhtml\b/i.test(headers.get('content-type') ?? '');
    return status === 302 && /\/_signin\b/i.test(headers.get('location') ?? '');
  },
  kind(_status, data) {
    const { success, data: said } = refusal.safeParse(data);
    if (!success) return undefined;
    if (CONFLICT.test(said.message) || said.typeKey === 'WorkItemRevisionMismatchException') return 'conflict';
    if (LIMITED.test(said.message)) return 'rate-limited';
    return FORBIDDEN.test(said.message) ? 'auth' : undefined;
  },
};
