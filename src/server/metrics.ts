/** Every metric of the house, names `agentsmith_*` (DESIGN 11). The only file that knows prom-client. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BudgetView } from './health.ts';

/** Read at scrape time: what is a state rather than an event. */
export interface Gauges {
  readonly runs: Readonly<Record<string, number>>;
  readonly queueDepth: number | undefined;
  /** Tickets whose deliveries wait to be worked on. */
  readonly inboxDepth: number | undefined;
  readonly activeRuns: number;
  /** Attempts that this replica may have at work at once. */
  readonly slots: number;
  /** Runs whose label is not confirmed yet. */
  readonly unconfirmedLabels: number | undefined;
  readonly findings: Readonly<Record<string, number>>;
  readonly budgets: readonly BudgetView[];
  /** Seconds between the polls of each polled project, as they are now. */
  readonly pollIntervals: Readonly<Record<string, number>>;
  /** The last poll of each project, whoever did it; `atMs` is wall-clock time. */
  readonly lastPolls: readonly { readonly project: string; readonly result: string; readonly atMs: number }[];
  /** Of each project, as far as it is known. */
  readonly backlogs: readonly { readonly project: string; readonly waiting: number; readonly admitted: number }[];
  /** Epoch of each role that this replica leads, 0 for the others. */
  readonly leaderEpoch: Readonly<Record<string, number>>;
  readonly ready: boolean;
}

export interface PlatformRequestFacts {
  readonly platform: string;
  readonly purpose: string;
  /** HTTP status, or the error kind when there was no answer. 304 stands apart from 200. */
  readonly status: string;
  readonly durationMs: number;
}

export interface Metrics {
  claim(facts: { readonly platform: string; readonly outcome: string; readonly trigger: string }): void;
  poll(facts: { readonly platform: string; readonly result: string; readonly durationMs: number }): void;
  platformRequest(facts: PlatformRequestFacts): void;
  runEnded(facts: {
    readonly project: string;
    readonly pipeline: string;
    readonly state: string;
    readonly durationMs: number | undefined;
  }): void;
  labelConfirmed(facts: { readonly state: string; readonly lagMs: number }): void;
  repair(facts: { readonly kind: string }): void;
  /** A webhook request and how it was answered. */
  delivery(facts: { readonly platform: string; readonly result: string }): void;
  /** A result that a service told by a callback, or tried to. */
  callback(facts: { readonly result: string }): void;
  /** What became of the deliveries of one ticket. */
  inboxSettled(facts: { readonly platform: string; readonly outcome: string; readonly deliveries: number }): void;
  /** The first attempt of a run that a delivery asked for. */
  deliveryStarted(facts: { readonly platform: string; readonly latencyMs: number }): void;
  /** Changes whose delivery never came: found by a listing, or asked of the platform. */
  missedRecovered(facts: {
    readonly platform: string;
    readonly by: 'listing' | 'redelivery';
    readonly count: number;
  }): void;
  /** With `durability: replicated`: whether a replica had a write in time. */
  replicaWait(facts: { readonly result: 'confirmed' | 'unconfirmed' }): void;
  /** Spans of traces that were handed to the collector, or dropped. */
  traceSpans(facts: { readonly result: 'sent' | 'lost'; readonly spans: number }): void;
  /** Tickets that the sync policy kept a trigger from. */
  syncSkipped(facts: { readonly trigger: string }): void;
  /** The page in Prometheus' text format, and its content type. */
  page(): Promise<{ readonly contentType: string; readonly text: string }>;
}

const SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60];
const RUN_SECONDS = [1, 5, 15, 60, 300, 900, 1800, 3600, 7200];

export function createMetrics(readGauges: () => Promise<Gauges>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: 'agentsmith_' });

  const claims = new Counter({
    name: 'agentsmith_claims_total',
    help: 'Claims by outcome and trigger',
    labelNames: ['platform', 'outcome', 'trigger'],
    registers,
  });
  const polls = new Counter({
    name: 'agentsmith_polls_total',
    help: 'Polls of projects by result',
    labelNames: ['platform', 'result'],
    registers,
  });
  const pollSeconds = new Histogram({
    name: 'agentsmith_poll_duration_seconds',
    help: 'Duration of one poll of one project, claims included',
    labelNames: ['platform'],
    buckets: SECONDS,
    registers,
  });
  const requests = new Counter({
    name: 'agentsmith_platform_requests_total',
    help: 'Requests to platforms by purpose and status; 304 costs no budget',
    labelNames: ['platform', 'purpose', 'status'],
    registers,
  });
  const requestSeconds = new Histogram({
    name: 'agentsmith_platform_request_duration_seconds',
    help: 'Duration of requests to platforms',
    labelNames: ['platform', 'purpose'],
    buckets: SECONDS,
    registers,
  });
  const perCredential = { labelNames: ['platform', 'credential'], registers };
  const budgetLimit = new Gauge({
    name: 'agentsmith_platform_budget_limit',
    help: 'Requests (or units of the platform) in the window of a credential',
    ...perCredential,
  });
  const budgetRemaining = new Gauge({
    name: 'agentsmith_platform_rate_limit_remaining',
    help: 'How much of that window remains, as any replica was told last',
    ...perCredential,
  });
  const budgetHeld = new Gauge({
    name: 'agentsmith_platform_budget_held_seconds',
    help: 'No call is made with the credential for so long, because the platform asked to wait',
    ...perCredential,
  });
  const pollInterval = new Gauge({
    name: 'agentsmith_poll_effective_interval_seconds',
    help: 'Time between polls of a project: longer than configured while its budget runs low or its polls fail',
    labelNames: ['project'],
    registers,
  });
  const lastPoll = new Gauge({
    name: 'agentsmith_last_poll_timestamp_seconds',
    help: 'When a project was polled last, with what result',
    labelNames: ['project', 'result'],
    registers,
  });
  const runsEnded = new Counter({
    name: 'agentsmith_runs_ended_total',
    help: 'Runs by the state they ended in',
    labelNames: ['project', 'pipeline', 'state'],
    registers,
  });
  const runSeconds = new Histogram({
    name: 'agentsmith_run_duration_seconds',
    help: 'Duration of the last attempt of ended runs',
    labelNames: ['pipeline', 'state'],
    buckets: RUN_SECONDS,
    registers,
  });
  const labelLag = new Histogram({
    name: 'agentsmith_label_lag_seconds',
    help: 'From a transition of a run to its confirmed label',
    labelNames: ['state'],
    buckets: SECONDS,
    registers,
  });
  const repairs = new Counter({
    name: 'agentsmith_repairs_total',
    help: 'Repairs by kind',
    labelNames: ['kind'],
    registers,
  });
  const deliveries = new Counter({
    name: 'agentsmith_webhook_deliveries_total',
    help: 'Webhook requests by how they were answered; duplicate: known already, unproven: no valid signature',
    labelNames: ['platform', 'result'],
    registers,
  });
  const callbacks = new Counter({
    name: 'agentsmith_callbacks_total',
    help: 'Callbacks of services by what came of them; kept: in Redis, unproven: no token that is known',
    labelNames: ['result'],
    registers,
  });
  const settled = new Counter({
    name: 'agentsmith_deliveries_settled_total',
    help: 'Accepted deliveries by what became of them; later: tried again',
    labelNames: ['platform', 'outcome'],
    registers,
  });
  const deliverySeconds = new Histogram({
    name: 'agentsmith_delivery_to_start_seconds',
    help: 'From a delivery to the start of the run that it asked for',
    labelNames: ['platform'],
    buckets: SECONDS,
    registers,
  });
  const missed = new Counter({
    name: 'agentsmith_missed_event_recoveries_total',
    help: 'Changes whose delivery never came: found by a listing, or sent again when the platform was asked',
    labelNames: ['platform', 'by'],
    registers,
  });
  const skipped = new Counter({
    name: 'agentsmith_sync_skipped_total',
    help: 'Claims that the sync policy of their project does not allow',
    labelNames: ['trigger', 'reason'],
    registers,
  });
  const replicaWaits = new Counter({
    name: 'agentsmith_redis_replica_waits_total',
    help: 'Waits for a replica to have a claim, start, end or delivery (durability: replicated) by result',
    labelNames: ['result'],
    registers,
  });
  const traceSpans = new Counter({
    name: 'agentsmith_trace_spans_total',
    help: 'Spans of traces by result; lost: the collector did not take them',
    labelNames: ['result'],
    registers,
  });
  const inbox = new Gauge({
    name: 'agentsmith_inbox_tickets',
    help: 'Tickets whose deliveries wait to be worked on',
    registers,
  });
  const runs = new Gauge({
    name: 'agentsmith_runs',
    help: 'Runs on record by state',
    labelNames: ['state'],
    registers,
  });
  const depth = new Gauge({
    name: 'agentsmith_queue_depth',
    help: 'Jobs of admitted runs that wait for a slot',
    registers,
  });
  const perProject = { labelNames: ['project'], registers };
  const backlog = new Gauge({
    name: 'agentsmith_backlog_runs',
    help: 'Queued runs of a project that wait for a slot, or for their turn under a cap',
    ...perProject,
  });
  const admitted = new Gauge({
    name: 'agentsmith_admitted_runs',
    help: 'Runs of a project that are in the queue or at work: what its cap counts',
    ...perProject,
  });
  const active = new Gauge({ name: 'agentsmith_active_runs', help: 'Attempts at work on this replica', registers });
  const slots = new Gauge({
    name: 'agentsmith_slots',
    help: 'Attempts that this replica may have at work at once',
    registers,
  });
  const unconfirmed = new Gauge({
    name: 'agentsmith_unconfirmed_labels',
    help: 'Runs whose label is not confirmed yet',
    registers,
  });
  const findings = new Gauge({
    name: 'agentsmith_findings',
    help: 'Findings by code',
    labelNames: ['code'],
    registers,
  });
  const epoch = new Gauge({
    name: 'agentsmith_leader_epoch',
    help: 'Epoch of the term that this replica leads, 0 when it follows',
    labelNames: ['role'],
    registers,
  });
  const ready = new Gauge({ name: 'agentsmith_ready', help: '1 when /health/ready answers 200', registers });

  const setAll = (gauge: Gauge, label: string, values: Readonly<Record<string, number>>): void => {
    gauge.reset();
    for (const [name, value] of Object.entries(values)) gauge.set({ [label]: name }, value);
  };

  /** What could not be counted is not shown as nothing. */
  const setOrRemove = (gauge: Gauge, value: number | undefined): void => {
    if (value === undefined) gauge.remove();
    else gauge.set(value);
  };

  const setBudgets = (budgets: readonly BudgetView[]): void => {
    for (const gauge of [budgetLimit, budgetRemaining, budgetHeld]) gauge.reset();
    for (const { platform, credential, limit, remaining, held_for_seconds } of budgets) {
      if (limit !== undefined) budgetLimit.set({ platform, credential }, limit);
      if (remaining !== undefined) budgetRemaining.set({ platform, credential }, remaining);
      budgetHeld.set({ platform, credential }, held_for_seconds);
    }
  };

  const setBacklogs = (backlogs: Gauges['backlogs']): void => {
    for (const gauge of [backlog, admitted]) gauge.reset();
    for (const { project, ...counted } of backlogs) {
      backlog.set({ project }, counted.waiting);
      admitted.set({ project }, counted.admitted);
    }
  };

  const setLastPolls = (polls: Gauges['lastPolls']): void => {
    lastPoll.reset();
    for (const { atMs, ...labels } of polls) lastPoll.set(labels, atMs / 1000);
  };

  return {
    claim: (facts) => claims.inc(facts),
    poll({ platform, result, durationMs }) {
      polls.inc({ platform, result });
      pollSeconds.observe({ platform }, durationMs / 1000);
    },
    platformRequest({ platform, purpose, status, durationMs }) {
      requests.inc({ platform, purpose, status });
      requestSeconds.observe({ platform, purpose }, durationMs / 1000);
    },
    runEnded({ project, pipeline, state, durationMs }) {
      runsEnded.inc({ project, pipeline, state });
      if (durationMs !== undefined) runSeconds.observe({ pipeline, state }, durationMs / 1000);
    },
    labelConfirmed: ({ state, lagMs }) => labelLag.observe({ state }, Math.max(0, lagMs) / 1000),
    repair: ({ kind }) => repairs.inc({ kind }),
    delivery: (facts) => deliveries.inc(facts),
    callback: (facts) => callbacks.inc(facts),
    inboxSettled: ({ platform, outcome, deliveries: count }) => settled.inc({ platform, outcome }, count),
    deliveryStarted: ({ platform, latencyMs }) => deliverySeconds.observe({ platform }, Math.max(0, latencyMs) / 1000),
    missedRecovered: ({ platform, by, count }) => missed.inc({ platform, by }, count),
    replicaWait: (facts) => replicaWaits.inc(facts),
    traceSpans: ({ result, spans }) => traceSpans.inc({ result }, spans),
    syncSkipped: ({ trigger }) => skipped.inc({ trigger, reason: 'policy' }),
    async page() {
      const gauges = await readGauges();
      setAll(runs, 'state', gauges.runs);
      setAll(findings, 'code', gauges.findings);
      setAll(pollInterval, 'project', gauges.pollIntervals);
      setLastPolls(gauges.lastPolls);
      setBudgets(gauges.budgets);
      setBacklogs(gauges.backlogs);
      setAll(epoch, 'role', gauges.leaderEpoch);
      setOrRemove(depth, gauges.queueDepth);
      setOrRemove(inbox, gauges.inboxDepth);
      setOrRemove(unconfirmed, gauges.unconfirmedLabels);
      active.set(gauges.activeRuns);
      slots.set(gauges.slots);
      ready.set(gauges.ready ? 1 : 0);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}
