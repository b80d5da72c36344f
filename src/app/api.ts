/** What stands behind `/api`: the stores, the claims and the projects of this replica. */
import { createClaimForesight } from '../claims/claim-foresight.ts';
import type { RunCanceller } from '../claims/run-canceller.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Config } from '../config/config.ts';
import type { Leases } from '../coordination/lease.ts';
import { leadsHome } from '../domain/routing.ts';
import type { Timing } from '../domain/timing.ts';
import type { ApiDesk } from '../server/api.ts';
import { claimByHand } from './claim-by-hand.ts';
import { explain } from './inquiry/explain.ts';
import type { KnownProjects } from './known-projects.ts';
import type { Stores } from './stores.ts';

export interface ApiDeskParts {
  readonly config: () => Config;
  readonly projects: KnownProjects;
  readonly stores: Stores;
  readonly claims: TicketClaimService;
  readonly canceller: RunCanceller;
  readonly leases: Pick<Leases, 'holder'>;
  readonly timing: Timing;
  /** Aborts when the process has to end: a claim that has begun is better finished, also when nobody waits for its answer. */
  readonly ending: AbortSignal;
}

export function openApiDesk(parts: ApiDeskParts): ApiDesk {
  const { config, projects, stores, claims, canceller, leases, timing, ending } = parts;
  const foresight = createClaimForesight(
    { catalog: projects.current, platformOf: projects.platformOf, records: stores.claimRecords },
    timing,
  );
  const inTime = (): AbortSignal => AbortSignal.any([ending, AbortSignal.timeout(timing.claimDeadlineMs)]);
  return {
    deliveries: stores.deliveries,
    runs: stores.runs,
    decisions: stores.decisions,
    waiting: (run) => stores.admissions.whyWaiting(run, projects.withRemoved()),
    pickTicket(project, text) {
      const connection = config().connections.get(project);
      if (connection === undefined) return 'no-project';
      const ticketId = connection.descriptor.parseTicketId(text, connection.source);
      return ticketId === undefined ? 'no-ticket' : { project, ticketId };
    },
    cancel: canceller.cancel,
    canClaim: (run) => leadsHome(projects.current(), run),
    claim: (ticket, again) => claimByHand({ projects, claims, timing }, { ...ticket, again }, inTime()),
    explain: (ticket, trigger) =>
      explain(
        { catalog: projects.current, foresight, stores: { ...stores, leases } },
        { ...ticket, trigger },
        inTime(),
      ),
  };
}
