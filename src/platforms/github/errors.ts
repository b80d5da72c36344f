/** How GitHub says that we ask too much, and that something is there already. */
import { z } from 'zod';
import type { Dialect } from '../error-kinds.ts';
import { numberIn, serverTimeMs } from '../limit-headers.ts';

/** The secondary limit is a 403 or 429 that often has no header at all: only its words tell it from a lack of rights. */
const SECONDARY_LIMIT = /secondary rate limit|abuse detection/i;
const PRIMARY_LIMIT = /api rate limit exceeded/i;
/** The primary limit is counted by the hour; no header says so. */
const WINDOW_MS = 3_600_000;

const refusal = z.object({
  message: z.string().catch(''),
  errors: z.array(z.object({ code: z.string().catch('') }).catch({ code: '' })).catch([]),
});

export const githubDialect: Dialect = {
  limit(headers) {
    // Search and GraphQL have budgets of their own: an empty one there says nothing about issues.
    if ((headers.get('x-ratelimit-resource') ?? 'core') !== 'core') return {};
    const remaining = numberIn(headers, 'x-ratelimit-remaining');
    const resetSeconds = numberIn(headers, 'x-ratelimit-reset');
    const limit = numberIn(headers, 'x-ratelimit-limit');
    if (remaining === undefined) return {};
    if (resetSeconds === undefined) return { remaining };
    const resetMs = resetSeconds * 1000 - serverTimeMs(headers);
    return {
      remaining,
      resetMs,
      windowMs: WINDOW_MS,
      ...(limit !== undefined && { limit }),
      ...(remaining === 0 && { waitMs: resetMs }),
    };
  },
  kind(status, data) {
    const { success, data: said } = refusal.safeParse(data);
    if (!success) return undefined;
    const limited = SECONDARY_LIMIT.test(said.message) || PRIMARY_LIMIT.test(said.message);
    if (limited && (status === 403 || status === 429)) return 'rate-limited';
    if (status === 422 && said.errors.some(({ code }) => code === 'already_exists')) return 'conflict';
    return undefined;
  },
};
