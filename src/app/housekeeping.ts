/** The housekeeping leader's work, put together: every repair is counted, logged and remembered. */
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Term } from '../coordination/leader.ts';
import { messageOf } from '../foundation/errors.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import { createEnqueuedReconciler } from '../repair/enqueued-reconciler.ts';
import { createHousekeeping } from '../repair/housekeeping.ts';
import { createOrphanedLabels } from '../repair/orphaned-labels.ts';
import { createProjection } from '../repair/projection.ts';
import type { Repair } from '../repair/repair.ts';
import { createStaleJobDetector } from '../repair/stale-job-detector.ts';
import type { Decision } from '../runs/decision-log.ts';
import { pauseBefore } from '../worker/turn-processor.ts';
import type { AppOptions, Shared } from './options.ts';
import type { Stores } from './stores.ts';

export interface HousekeepingParts {
  readonly stores: Stores;
  readonly claims: TicketClaimService;
  readonly labels: LabelWriter;
  /** Milliseconds left in which nobody is declared dead and nothing is adopted. */
  readonly recoveringMs: () => number;
}

export function openHousekeeping(
  options: AppOptions,
  shared: Shared,
  { stores, claims, labels, recoveringMs }: HousekeepingParts,
): (term: Term) => Promise<void> {
  const { timing, log } = options;
  const { projects, metrics } = shared;
  const { redis, runs, queue, claimRecords, attemptRecords, labelRecords, decisions } = stores;

  const remember = async (decision: Decision): Promise<void> => {
    await decisions.record(decision).catch((error: unknown) => {
      log.debug({ error: messageOf(error) }, 'decision not recorded');
    });
  };
  const onRepair: Repair = async ({ kind, run, outcome, detail }) => {
    const { ticket, project, id } = run;
    metrics.repair({ kind });
    log.warn({ ticket, run: id, project, kind, outcome, detail }, 'repaired');
    await remember({ ticket, project, by: 'repair', run: id, outcome: `${kind}: ${outcome}`, detail });
  };

  const staleJobs = createStaleJobDetector(
    {
      runs,
      records: attemptRecords,
      queue,
      pauseBefore: (turn) => pauseBefore(turn, timing),
      contacts: redis.contacts,
      log,
      onRepair,
    },
    timing,
  );
  const orphanedLabels = createOrphanedLabels(
    {
      // Removed projects are left out: their source may belong to another deployment by now.
      catalog: projects.current,
      platformOf: projects.platformOf,
      runs,
      claimRecords,
      claims,
      labels,
      recoveringMs,
      log,
      onOrphan: async ({ ticket: { key: ticket }, project: { name: project }, action }) => {
        metrics.repair({ kind: 'orphaned-label' });
        log.warn({ ticket, project, action }, 'orphaned label');
        await remember({ ticket, project, by: 'repair', outcome: `orphaned label: ${action}` });
      },
    },
    timing,
  );
  return createHousekeeping(
    {
      staleJobs,
      enqueued: createEnqueuedReconciler({ runs, queue, claimRecords, claims, log, onRepair }, timing),
      projection: createProjection({ records: labelRecords, labels }),
      orphanedLabels: options.adoptOrphans ? orphanedLabels : async () => {},
      recoveringMs,
      log,
    },
    timing,
  );
}
