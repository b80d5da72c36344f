/** What is left of the API budget of each credential, as the platforms said last: to this run or to a replica. */
import type { UsedCredential } from '../../platforms/connections.ts';
import { type Budget, RESERVE_SHARE } from '../../platforms/rate-limits.ts';
import type { DoctorCheck } from './check.ts';

/** Credentials of which nothing is known are left out: their platform names no limit, or did not answer. */
export async function checkBudgets(credentials: readonly UsedCredential[]): Promise<DoctorCheck[]> {
  const looks = await Promise.all(
    credentials.map(async ({ credential, limits }) => judgeBudget(credential, await limits.look())),
  );
  return looks.flat();
}

/** Pure. */
export function judgeBudget(credential: string, { heldMs, window }: Budget): DoctorCheck[] {
  const about = { subject: credential, check: 'api-budget' } as const;
  if (heldMs > 0) {
    const text = `the platform asked to wait: nothing is sent for ${inWords(heldMs)}`;
    const advice = 'If this happens often, poll less often, or divide the projects among several credentials.';
    return [{ ...about, state: 'warning', text, advice }];
  }
  if (window === undefined) return [];
  const { remaining, limit, resetMs } = window;
  const text = `${remaining}${limit === undefined ? '' : ` of ${limit}`} left, begins anew in ${inWords(resetMs)}`;
  if (limit === undefined || remaining > limit * RESERVE_SHARE) return [{ ...about, state: 'ok', text }];
  const advice =
    'Only claims and labels are still sent: poll less often, or divide the projects among several credentials.';
  return [{ ...about, state: 'warning', text, advice }];
}

function inWords(ms: number): string {
  return ms < 120_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}
