/** The housekeeping leader's work, put together: every repair is counted, logged and remembered. */
import type { RunCanceller } from '../claims/run-canceller.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { UnwantedRuns } from '../claims/unwanted-runs.ts';
import type { Term } from '../coordination/leader.ts';
import { projectOfRun } from '../domain/routing.ts';
import type { Run } from '../domain/run.ts';
import { repairStep } from '../domain/run-spans.ts';
import { messageOf } from '../foundation/errors.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import { createAdmissionLists } from '../repair/admission-lists.ts';
import { createDeadClaims } from '../repair/dead-claims.ts';
import { createEnqueuedReconciler } from '../repair/enqueued-reconciler.ts';
import type { ForeignLabels } from '../repair/foreign-labels.ts';
import { createHousekeeping } from '../repair/housekeeping.ts';
import { createLeftoverWork } from '../repair/leftover-work.ts';
import { createOrphanedLabels } from '../repair/orphaned-labels.ts';
import { createPlatformPass } from '../repair/platform-pass.ts';
import { createProjection } from '../repair/projection.ts';
import type { Repair } from '../repair/repair.ts';
import { createRetention } from '../repair/retention.ts';
import { createStaleJobDetector } from '../repair/stale-job-detector.ts';
import type { Decision } from '../runs/decision-log.ts';
import { lazyCluster } from '../worker/runners/kubernetes/client-cluster.ts';
import { pauseAfter } from '../worker/turn-processor.ts';
import { listDetachedJobs } from './detached-jobs.ts';
import { createHomelessRuns } from './homeless-runs.ts';
import type { AppOptions, Shared } from './options.ts';
import type { Stores } from './stores.ts';
import { createStuckJobs } from './stuck-jobs.ts';
import { listUnheardServices } from './unheard-services.ts';

export interface HousekeepingParts {
  readonly stores: Stores;
  readonly claims: TicketClaimService;
  readonly canceller: RunCanceller;
  readonly unwanted: UnwantedRuns;
  readonly labels: LabelWriter;
  readonly foreignLabels: Pick<ForeignLabels, 'mayAdopt'>;
  /** Milliseconds left in which nobody is declared dead and nothing is adopted. */
  readonly recoveringMs: () => number;
}

export function openHousekeeping(
  options: AppOptions,
  shared: Shared,
  { stores, claims, canceller, unwanted, labels, foreignLabels, recoveringMs }: HousekeepingParts,
): (term: Term) => Promise<void> {
  const { timing, log } = options;
  const { projects, metrics, trace } = shared;
  const { redis, runs, queue, claimRecords, attemptRecords, labelRecords, decisions } = stores;

  const remember = async (decision: Decision): Promise<void> => {
    await decisions.record(decision).catch((error: unknown) => {
      log.debug({ error: messageOf(error) }, 'decision not recorded');
    });
  };
  const onRepair: Repair = async (facts) => {
    const { kind, outcome, ...about } = facts;
    metrics.repair({ kind });
    log.warn(facts, 'repaired');
    const atMs = trace.nowMs();
    if (facts.run !== undefined) trace.tell({ ...repairStep(facts.run, kind, outcome), startMs: atMs, endMs: atMs });
    await remember({ ...about, by: 'repair', outcome: `${kind}: ${outcome}` });
  };
  const credentialOf = (run: Run): string => {
    const project = projectOfRun(projects.withRemoved(), run);
    return project === undefined ? '' : projects.credentialOf(project);
  };
  const homeless = createHomelessRuns(shared.findings, remember);
  const stuckJobs = createStuckJobs(shared.findings);

  const staleJobs = createStaleJobDetector(
    {
      runs,
      records: attemptRecords,
      queue,
      pauseAfter: (attempt) => pauseAfter(attempt, timing),
      contacts: redis.contacts,
      log,
      onRepair,
      trace,
    },
    timing,
  );
  const lookThrough = createOrphanedLabels(
    {
      catalog: projects.current,
      runs,
      claimRecords,
      claims,
      labels,
      unwanted,
      recoveringMs,
      mayAdopt: foreignLabels.mayAdopt,
      log,
      onRepair,
    },
    timing,
  );
  const platformPass = createPlatformPass(
    {
      // Removed projects are left out: their source may belong to another deployment by now.
      catalog: projects.current,
      platformOf: projects.platformOf,
      runs,
      lookThrough,
      incarnation: redis.incarnation,
    },
    timing,
  );
  const deadClaims = createDeadClaims(
    {
      // The catalog of the claims themselves.
      catalog: projects.withRemoved,
      credentialOf,
      runs,
      claimRecords,
      claims,
      canceller,
      log,
      onRepair,
      onHomeless: homeless.tell,
    },
    timing,
  );
  const { unheard } = stores;
  const { config } = shared;
  const leftoverJobs = createLeftoverWork({
    list: listDetachedJobs(
      { config, cluster: lazyCluster(options.hostEnv), log, onRefused: stuckJobs.tellNamespaces },
      timing,
    ),
    runs,
    log,
    onRepair,
    onRefused: stuckJobs.tellJobs,
  });
  const unheardServices = createLeftoverWork({
    list: listUnheardServices({ config, unheard, runs, timeMs: redis.timeMs }, timing),
    runs,
    log,
    onRepair,
    // Nobody else may be asked: a service is told, or it is not.
    onRefused: () => {},
  });
  const housekeeping = createHousekeeping(
    {
      staleJobs,
      admissionLists: createAdmissionLists({
        admissions: stores.admissions,
        caps: projects.withRemoved,
        log,
        onTidied: () => metrics.repair({ kind: 'admission' }),
      }),
      enqueued: createEnqueuedReconciler({ runs, queue, canceller, log, onRepair }, timing),
      deadClaims,
      projection: createProjection(
        {
          records: labelRecords,
          runs,
          labels,
          credentialOf,
        },
        timing,
      ),
      retention: createRetention({
        records: stores.retention,
        runs,
        log,
        onRepair,
        onStrays: (list, count) => {
          metrics.repair({ kind: 'stray-entry' });
          log.warn({ list, count }, 'entries of runs that are not there taken off');
        },
      }),
      platformPass: options.adoptOrphans ? platformPass : async () => {},
      leftoverJobs,
      unheardServices,
      recoveringMs,
      log,
    },
    timing,
  );
  // What this replica found is the next leader's to find again.
  return (term) =>
    housekeeping(term).finally(() => {
      homeless.forget();
      stuckJobs.forget();
    });
}
