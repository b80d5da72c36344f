/** How GitLab tells of its limits, and where it puts the words of a refusal. */
import { z } from 'zod';
import type { Dialect } from '../error-kinds.ts';
import { numberIn, serverTimeMs } from '../limit-headers.ts';

/** Said to the slower of two who create a label at once; whoever comes later is told 409. */
const TAKEN = /has already been taken/;

/** Whatever the window of the server's own settings is: the numbers are given for a minute. */
const WINDOW_MS = 60_000;

const refusal = z.object({
  error: z.string().optional(),
  error_description: z.string().optional(),
  message: z.unknown().optional(),
});

export const gitlabDialect: Dialect = {
  limit(headers) {
    const remaining = numberIn(headers, 'ratelimit-remaining');
    const resetSeconds = numberIn(headers, 'ratelimit-reset');
    const limit = numberIn(headers, 'ratelimit-limit');
    if (remaining === undefined) return {};
    const resetMs = resetSeconds === undefined ? undefined : resetSeconds * 1000 - serverTimeMs(headers);
    return {
      remaining,
      windowMs: WINDOW_MS,
      ...(limit !== undefined && { limit }),
      ...(resetMs !== undefined && { resetMs }),
      ...(remaining === 0 && { waitMs: resetMs ?? WINDOW_MS }),
    };
  },
  kind: (status, data) =>
    status === 400 && TAKEN.test(JSON.stringify(refusal.safeParse(data).data?.message) ?? '') ? 'conflict' : undefined,
  /** `{message}` by GitLab itself, text or field by field; `{error, error_description}` by what stands before it. */
  words(data) {
    const said = refusal.safeParse(data).data;
    if (said === undefined) return undefined;
    const { error, error_description: description, message } = said;
    if (message !== undefined) return typeof message === 'string' ? message : JSON.stringify(message);
    return [error, description].filter((text) => text !== undefined).join(': ');
  },
};
