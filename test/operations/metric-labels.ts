/**
 * The values that labels of metrics can have, where the product knows all of them. The types keep the lists complete: a new
 * outcome, kind or result does not compile before it is here too.
 */
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import { TRIGGERS } from '../../src/domain/project.ts';
import { RUN_STATES } from '../../src/domain/run.ts';
import type { Reception } from '../../src/ingress/deliveries/delivery-receiver.ts';
import type { PollResult } from '../../src/ingress/polls/project-poller.ts';
import type { CallPurpose } from '../../src/platforms/contract.ts';
import { PLATFORMS } from '../../src/platforms/registry.ts';
import type { RepairFacts } from '../../src/repair/repair.ts';
import type { Settlement } from '../../src/runs/delivery-records.ts';
import type { TerminalState } from '../../src/runs/run-end.ts';
import type { CallbackResult } from '../../src/server/callback-routes.ts';
import type { Metrics } from '../../src/server/metrics.ts';
import { productSources } from './pages.ts';
import { findingCodes } from './what-sources-say.ts';

const all = <Value extends string>(values: Readonly<Record<Value, true>>): ReadonlySet<string> =>
  new Set(Object.keys(values));

const POLL_RESULTS = all<PollResult['result']>({
  ok: true,
  auth: true,
  'not-found': true,
  'rate-limited': true,
  conflict: true,
  'invalid-response': true,
  unavailable: true,
  unsupported: true,
  'internal-error': true,
});
const ENDS = all<TerminalState>({ completed: true, failed: true, cancelled: true });
const TRIGGER_NAMES: ReadonlySet<string> = new Set(TRIGGERS);

/** By `metric label`; what is missing is not one of a closed set (a project, a status). */
const VALUES: Readonly<Record<string, ReadonlySet<string>>> = {
  'agentsmith_claims_total outcome': all<ClaimOutcome['kind'] | 'would-claim'>({
    claimed: true,
    'already-claimed': true,
    'not-eligible': true,
    rejected: true,
    failed: true,
    'would-claim': true,
  }),
  'agentsmith_claims_total trigger': TRIGGER_NAMES,
  'agentsmith_sync_skipped_total trigger': TRIGGER_NAMES,
  'agentsmith_sync_skipped_total reason': all({ policy: true }),
  'agentsmith_polls_total result': POLL_RESULTS,
  'agentsmith_last_poll_timestamp_seconds result': POLL_RESULTS,
  'agentsmith_platform_requests_total purpose': all<CallPurpose>({
    discovery: true,
    catchup: true,
    claim: true,
    attempt: true,
    label: true,
    comment: true,
    repair: true,
    setup: true,
    inspect: true,
  }),
  'agentsmith_runs state': new Set(RUN_STATES),
  'agentsmith_runs_ended_total state': ENDS,
  'agentsmith_run_duration_seconds state': ENDS,
  'agentsmith_label_lag_seconds state': new Set(RUN_STATES),
  'agentsmith_repairs_total kind': all<RepairFacts['kind'] | 'admission' | 'stray-entry'>({
    'dead-attempt': true,
    'missing-job': true,
    'dead-claim': true,
    'label-repair': true,
    'orphaned-label': true,
    'superseded-run': true,
    'leftover-work': true,
    'lost-ticket': true,
    admission: true,
    'stray-entry': true,
  }),
  'agentsmith_webhook_deliveries_total result': all<Reception['kind']>({
    accepted: true,
    ignored: true,
    duplicate: true,
    'no-route': true,
    unproven: true,
    unreadable: true,
    'not-persisted': true,
  }),
  'agentsmith_callbacks_total result': all<CallbackResult>({
    kept: true,
    ended: true,
    contradicted: true,
    unproven: true,
    malformed: true,
    'too-large': true,
    'not-persisted': true,
    failed: true,
  }),
  'agentsmith_trace_spans_total result': all<Parameters<Metrics['traceSpans']>[0]['result']>({
    sent: true,
    lost: true,
  }),
  'agentsmith_deliveries_settled_total outcome': all<Settlement['kind'] | 'later'>({
    processed: true,
    ignored: true,
    failed: true,
    later: true,
  }),
  'agentsmith_missed_event_recoveries_total by': all<Parameters<Metrics['missedRecovered']>[0]['by']>({
    listing: true,
    redelivery: true,
  }),
  'agentsmith_redis_replica_waits_total result': all<Parameters<Metrics['replicaWait']>[0]['result']>({
    confirmed: true,
    unconfirmed: true,
  }),
  'agentsmith_leader_epoch role': all({ poller: true, housekeeping: true }),
  'agentsmith_findings code': new Set(productSources().flatMap(findingCodes)),
};

/**
 * @param metric its name, without what a histogram adds to it
 * @returns undefined where anything may stand
 */
export function valuesOf(metric: string, label: string): ReadonlySet<string> | undefined {
  return label === 'platform' ? new Set(PLATFORMS.map(({ slug }) => slug)) : VALUES[`${metric} ${label}`];
}
