/** What it takes to ask without being a replica: platforms and records, both only to be read. */
import { type ClaimForesight, createClaimForesight } from '../../claims/claim-foresight.ts';
import type { Config } from '../../config/config.ts';
import type { ConnectionsOptions } from '../../platforms/connections.ts';
import { createKnownProjects, type KnownProjects } from '../known-projects.ts';
import type { AppOptions } from '../options.ts';
import { openReadStores, type ReadStores } from './read-stores.ts';

export interface Inquiry {
  /** Not told of any configuration yet. */
  readonly projects: KnownProjects;
  /** Undefined without `REDIS_URL`. */
  readonly stores: ReadStores | undefined;
  readonly foresight: ClaimForesight;
  /** Waits until Redis is up, for as long as a person has patience; what it cannot say is said to be unknown. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

export interface InquiryOptions extends Pick<AppOptions, 'timing' | 'log' | 'redactor'> {
  readonly config: () => Config;
  readonly onRequest?: ConnectionsOptions['onRequest'];
}

export function openInquiry({ config, timing, log, redactor, onRequest = () => {} }: InquiryOptions): Inquiry {
  const stores = openReadStores(config, timing, log);
  const projects = createKnownProjects({
    onRequest,
    learnSecret: redactor.learn,
    limitsOf: stores?.limitsOf,
  });
  return {
    projects,
    stores,
    foresight: createClaimForesight(
      { catalog: projects.current, platformOf: projects.platformOf, records: stores?.claimRecords },
      timing,
    ),
    async settle() {
      await stores?.redis.whenUp(AbortSignal.timeout(2 * timing.redisCommandMs));
    },
    async close() {
      await stores?.redis.close();
    },
  };
}
