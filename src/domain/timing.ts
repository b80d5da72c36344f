/**
 * Every duration of the protocol in one record, so that tests and chaos runs can shrink them all by one factor and keep
 * their proportions. Milliseconds throughout. The order of the values matters: a test checks the inequalities that the
 * protocol rests on (a runner is killed before its heartbeat expires, a claim ends before its lock, and so on).
 */
export interface Timing {
  /** Leadership: how long a lease lives, how often it is renewed, how long before its end it is no longer trusted. */
  readonly leaseTtlMs: number;
  readonly leaseRenewMs: number;
  readonly leaseMarginMs: number;

  /** A claim: its whole time, one HTTP call in it, its lock, and the lock that must be left to begin the label write. */
  readonly claimDeadlineMs: number;
  readonly claimCallMs: number;
  readonly claimLockTtlMs: number;
  readonly claimLockReserveMs: number;
  /** A definite failure of a ticket's claim backs off from here, doubling up to the maximum. */
  readonly claimBackoffMs: number;
  readonly claimBackoffMaxMs: number;

  /** One listing of one project. */
  readonly listingDeadlineMs: number;
  /** Back-off of a failing project. */
  readonly pollBackoffMaxMs: number;

  /**
   * Webhooks: how long a delivery may take to be written before it is refused; how long a ticket of the inbox is one
   * taker's; how often a replica looks for tickets that are due.
   */
  readonly deliveryWriteMs: number;
  /** A replica that ends goes on to take deliveries for so long; a listener whose port is taken is tried again so often. */
  readonly lingerMs: number;
  readonly listenAgainMs: number;
  readonly inboxLeaseMs: number;
  readonly inboxScanMs: number;
  /** The inbox again: after another claim of the same ticket; after a failure, growing with its age up to the maximum; never again. */
  readonly inboxContendedMs: number;
  readonly inboxRetryMs: number;
  readonly inboxRetryMaxMs: number;
  readonly inboxGiveUpMs: number;
  /** So long replicas may differ about the configuration while it is changed: none of them refuses then what another took in. */
  readonly inboxConfigMs: number;
  /**
   * How often platforms are asked for what they could not deliver; how far apart they are asked to send again; how long
   * that may take to arrive. How often a replica notes that it can take deliveries.
   */
  readonly missedScanMs: number;
  readonly redeliveryPauseMs: number;
  readonly redeliveryWaitMs: number;
  readonly listeningMs: number;
  /** So long a change that a listing found may wait for its delivery before deliveries count as stopped. */
  readonly engineDoubtMs: number;

  /** The attempt: heartbeat and what its absence means. Trust runs from the sending time of the last accepted beat. */
  readonly heartbeatMs: number;
  readonly heartbeatTtlMs: number;
  readonly trustTermMs: number;
  readonly trustKillMs: number;
  /** From SIGTERM to SIGKILL of a command that is stopped or timed out. */
  readonly stopGraceMs: number;
  /** A service of the http runner: first and longest pause before it is asked again; how long it may take to be told of an end. */
  readonly httpRetryMs: number;
  readonly httpRetryMaxMs: number;
  readonly httpNoticeMs: number;
  /** A service that cannot be told of an end which came between two attempts is not told after so long. */
  readonly httpEndGiveUpMs: number;
  /** A ticket that is closed, say, may have been closed by its own attempt as the last act: so long that may still take. */
  readonly lastActMs: number;
  /** First and longest time that a run whose ticket cannot be read is put off. */
  readonly attemptRetryMs: number;
  readonly attemptRetryMaxMs: number;
  /** Of a project whose turns cannot start, one after the other: how often one is tried. */
  readonly startProbeMs: number;
  /** Back-off after the second and after every further interrupted attempt. */
  readonly interruptedBackoffMs: number;
  readonly interruptedBackoffMaxMs: number;

  /** How often a replica feeds the queue out of the backlogs, and how long its word on its free slots is believed. */
  readonly admitMs: number;
  readonly freeSlotsMs: number;

  /** BullMQ's own lock and stalled check; equal in all replicas. */
  readonly queueLockMs: number;
  readonly queueStalledMs: number;

  /** Repair loops and their patience. */
  readonly staleScanMs: number;
  readonly staleConfirmMs: number;
  readonly reconcileScanMs: number;
  readonly reconcileGraceMs: number;
  readonly projectionScanMs: number;
  readonly projectionGraceMs: number;
  readonly platformPassMs: number;
  /** Label writes that are refused for this long end as `unwritable`. */
  readonly labelGiveUpMs: number;
  /** Two reads that must agree are at least this far apart. */
  readonly secondReadMs: number;
  /** A fresh confirmation is doubted this long: one read that shows "asked again" is not enough. */
  readonly confirmedDoubtMs: number;
  /** So long somebody else's lifecycle labels on a source are remembered, and nothing is adopted there. */
  readonly foreignLabelsMs: number;

  /**
   * Retention: how often what is old is looked for; how long a run lives after its end, its output after that, a ticket
   * after its last claim, end or decision, a delivery after its arrival.
   */
  readonly retentionScanMs: number;
  readonly runTtlMs: number;
  readonly outputTtlMs: number;
  readonly ticketTtlMs: number;
  readonly deliveryTtlMs: number;

  /** How often a replica says which configuration it runs, and how long replicas may differ while it is rolled out. */
  readonly configNoteMs: number;
  readonly configDriftMs: number;

  /**
   * After Redis lost data: no claims until the first, no attempts until the second, nobody declared dead until the
   * third. A worker that is cut off has ended its runners by the second.
   */
  readonly recoveryClaimsMs: number;
  readonly recoveryStartsMs: number;
  readonly recoveryRepairMs: number;

  /**
   * Kubernetes: one request; how long the server keeps a watch open, and how long one may be silent; pauses while it does not
   * answer; how long after its own deadline a Job is ended from here; how long one that is to end may take to be gone.
   */
  readonly clusterCallMs: number;
  readonly clusterWatchMs: number;
  readonly clusterQuietMs: number;
  readonly clusterRetryMs: number;
  readonly clusterRetryMaxMs: number;
  readonly clusterOverdueMs: number;
  readonly clusterRemoveMs: number;

  /** Traces: how often spans are sent, how long one sending and the last one may take, how often the clock is set. */
  readonly traceBatchMs: number;
  readonly traceExportMs: number;
  readonly traceFlushMs: number;
  readonly traceClockMs: number;

  /** Redis: one command, connection probe. */
  readonly redisCommandMs: number;
  readonly redisProbeMs: number;
  readonly redisSocketMs: number;
}

const DAY_MS = 86_400_000;

export const DEFAULT_TIMING: Timing = {
  leaseTtlMs: 30_000,
  leaseRenewMs: 10_000,
  leaseMarginMs: 5_000,
  claimDeadlineMs: 20_000,
  claimCallMs: 8_000,
  claimLockTtlMs: 30_000,
  claimLockReserveMs: 10_000,
  claimBackoffMs: 60_000,
  claimBackoffMaxMs: 3_600_000,
  listingDeadlineMs: 20_000,
  pollBackoffMaxMs: 600_000,
  deliveryWriteMs: 1_500,
  lingerMs: 5_000,
  listenAgainMs: 10_000,
  inboxLeaseMs: 30_000,
  inboxScanMs: 500,
  inboxContendedMs: 2_000,
  inboxRetryMs: 5_000,
  inboxRetryMaxMs: 300_000,
  inboxGiveUpMs: 86_400_000,
  inboxConfigMs: 300_000,
  missedScanMs: 600_000,
  redeliveryPauseMs: 1_000,
  redeliveryWaitMs: 20_000,
  listeningMs: 5_000,
  engineDoubtMs: 30_000,
  heartbeatMs: 5_000,
  heartbeatTtlMs: 35_000,
  trustTermMs: 20_000,
  trustKillMs: 30_000,
  stopGraceMs: 10_000,
  httpRetryMs: 1_000,
  httpRetryMaxMs: 60_000,
  httpNoticeMs: 5_000,
  httpEndGiveUpMs: 86_400_000,
  lastActMs: 1_000,
  attemptRetryMs: 5_000,
  attemptRetryMaxMs: 300_000,
  startProbeMs: 10_000,
  interruptedBackoffMs: 30_000,
  interruptedBackoffMaxMs: 120_000,
  admitMs: 1_000,
  freeSlotsMs: 5_000,
  queueLockMs: 20_000,
  queueStalledMs: 10_000,
  staleScanMs: 10_000,
  staleConfirmMs: 10_000,
  reconcileScanMs: 10_000,
  reconcileGraceMs: 10_000,
  projectionScanMs: 2_000,
  projectionGraceMs: 10_000,
  platformPassMs: 600_000,
  labelGiveUpMs: 86_400_000,
  secondReadMs: 10_000,
  confirmedDoubtMs: 60_000,
  foreignLabelsMs: 3_600_000,
  retentionScanMs: 600_000,
  runTtlMs: 30 * DAY_MS,
  outputTtlMs: 7 * DAY_MS,
  ticketTtlMs: 90 * DAY_MS,
  // Platforms send a failed delivery again for up to seven days.
  deliveryTtlMs: 14 * DAY_MS,
  configNoteMs: 15_000,
  configDriftMs: 300_000,
  recoveryClaimsMs: 20_000,
  recoveryStartsMs: 35_000,
  recoveryRepairMs: 60_000,
  clusterCallMs: 8_000,
  clusterWatchMs: 300_000,
  clusterQuietMs: 90_000,
  clusterRetryMs: 500,
  clusterRetryMaxMs: 30_000,
  clusterOverdueMs: 60_000,
  clusterRemoveMs: 60_000,
  traceBatchMs: 2_000,
  traceExportMs: 10_000,
  traceFlushMs: 2_000,
  traceClockMs: 30_000,
  redisCommandMs: 2_000,
  redisProbeMs: 1_000,
  redisSocketMs: 8_000,
};

/** The same protocol, `factor` times as fast or slow: `scaleTiming(DEFAULT_TIMING, 0.1)` is ten times faster. */
export function scaleTiming(timing: Timing, factor: number): Timing {
  const scaled = Object.entries(timing).map(([name, ms]) => [name, Math.max(1, Math.round((ms as number) * factor))]);
  return Object.fromEntries(scaled) as Timing;
}
