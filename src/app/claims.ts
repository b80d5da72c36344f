/** The claim service on the stores of this process: the same for a replica and for a claim by hand. */
import {
  createTicketClaimService,
  type TicketClaimDeps,
  type TicketClaimService,
} from '../claims/ticket-claim-service.ts';
import type { Timing } from '../domain/timing.ts';
import type { Log } from '../foundation/log.ts';
import type { KnownProjects } from './known-projects.ts';
import type { Stores } from './stores.ts';

export interface ClaimsParts {
  readonly projects: KnownProjects;
  readonly stores: Stores;
  readonly timing: Timing;
  readonly log: Log;
  readonly onOutcome: TicketClaimDeps['onOutcome'];
}

export function openClaims({ projects, stores, timing, log, onOutcome }: ClaimsParts): TicketClaimService {
  return createTicketClaimService(
    {
      // A claim that had begun before its project was removed may still be finished.
      catalog: projects.withRemoved,
      platformOf: projects.platformOf,
      records: stores.claimRecords,
      queue: stores.queue,
      decisions: stores.decisions,
      log,
      onOutcome,
    },
    timing,
  );
}
