/** One claim by hand, in the Redis of the running replicas: `agent-smith claim`. */
import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import { createRunCanceller } from '../claims/run-canceller.ts';
import { claimByHand, type HandClaim } from './claim-by-hand.ts';
import { openClaims } from './claims.ts';
import { createKnownProjects } from './known-projects.ts';
import type { AppOptions } from './options.ts';
import { openStores } from './stores.ts';

export interface ClaimOnceOptions extends HandClaim, Pick<AppOptions, 'config' | 'timing' | 'log' | 'redactor'> {}

/** Throws when Redis is not set or cannot be reached, and when the platform cannot be opened. */
export async function claimOnce(options: ClaimOnceOptions): Promise<ClaimOutcome> {
  const { config, timing, log } = options;
  options.redactor.add(config.secrets.all());
  const stores = openStores({ ...options, config: () => config, freshRedis: false });
  if (stores === undefined) throw new Error('REDIS_URL is not set');
  const { redis, queue, limitsOf } = stores;
  const projects = createKnownProjects({
    onRequest: () => {},
    learnSecret: options.redactor.learn,
    limitsOf,
  });
  // The replicas bring the label of a run that was cancelled meanwhile.
  const canceller = createRunCanceller({ ...stores, log });
  const claims = openClaims({ projects, stores, timing, canceller, log, onOutcome: undefined });
  try {
    const unopened = projects.update(config).find(({ project }) => project === options.project);
    if (unopened !== undefined) throw new Error(unopened.problem);
    if (!(await redis.whenUp(AbortSignal.timeout(2 * timing.redisCommandMs)))) {
      throw new Error(`redis cannot be reached: ${redis.status().reason}`);
    }
    const signal = AbortSignal.timeout(timing.claimDeadlineMs);
    return await claimByHand({ projects, claims, timing }, options, signal);
  } finally {
    await queue.close();
    await redis.close();
  }
}
