/** How GitHub says that we ask too much, and that something is there already. */
import { z } from 'zod';
import type { Dialect } from '../error-kinds.ts';
import { serverTimeMs } from '../retry-after.ts';

/** The secondary limit is a 403 or 429 that often has no header at all: only its words tell it from a lack of rights. */
const SECONDARY_LIMIT = /secondary rate limit|abuse detection/i;
const PRIMARY_LIMIT = /api rate limit exceeded/i;

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
    if (remaining === undefined) return {};
    if (remaining > 0 || resetSeconds === undefined) return { remaining };
    return { remaining, waitMs: resetSeconds * 1000 - serverTimeMs(headers) };
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

function numberIn(headers: Headers, name: string): number | undefined {
  const value = headers.get(name) ?? '';
  return /^\d+$/.test(value) ? Number(value) : undefined;
}
