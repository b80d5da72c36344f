/**
 * One replica, put together. Who runs where is said here and nowhere else: every replica runs the server and the worker;
 * only the poller leader's term runs pollers; only the housekeeping leader's term runs repair.
 *
 * It starts bottom to top and stops top to bottom. Nothing outside is needed to start: Redis may be unset, unreachable
 * or come later, platforms may be down; the process stays up, says so in `/health`, and goes on by itself.
 */
import type { ClaimOutcome } from './claims/claim-outcome.ts';
import { createTicketClaimService, type TicketClaimDeps } from './claims/ticket-claim-service.ts';
import type { Config } from './config/config.ts';
import { createLeader, type Leader } from './coordination/leader.ts';
import { createLeases } from './coordination/lease.ts';
import type { Catalog, Project } from './domain/project.ts';
import type { Timing } from './domain/timing.ts';
import { messageOf } from './foundation/errors.ts';
import { createFindings, type Findings } from './foundation/findings.ts';
import type { Log } from './foundation/log.ts';
import { sleep } from './foundation/loop.ts';
import type { Redactor } from './foundation/redactor.ts';
import { createPollers, type Pollers } from './ingress/pollers.ts';
import { createLabelWriter } from './labels/label-writer.ts';
import { type Connections, createConnections } from './platforms/connections.ts';
import type { TicketPlatform } from './platforms/contract.ts';
import { createRunConsumer, createRunQueue, type RunConsumer, type RunQueue } from './queue/run-queue.ts';
import { parseRedisUrl } from './redis/address.ts';
import { createRedisConnection, type RedisConnection } from './redis/connection.ts';
import { createEnqueuedReconciler } from './repair/enqueued-reconciler.ts';
import { createHousekeeping } from './repair/housekeeping.ts';
import { createOrphanedLabels } from './repair/orphaned-labels.ts';
import { createProjection } from './repair/projection.ts';
import type { Repair } from './repair/repair.ts';
import { createStaleJobDetector } from './repair/stale-job-detector.ts';
import { createAttemptRecords } from './runs/attempt-records.ts';
import { createClaimRecords } from './runs/claim-records.ts';
import { createDecisionLog } from './runs/decision-log.ts';
import { createLabelRecords } from './runs/label-records.ts';
import { createRunReader, type RunReader } from './runs/run-reader.ts';
import { createHealthCollector } from './server/collect-health.ts';
import { type HealthFacts, readiness } from './server/health.ts';
import { createMetrics, type Metrics } from './server/metrics.ts';
import { createServer } from './server/server.ts';
import { createGuard } from './worker/guard/guard.ts';
import { createCommandRunner } from './worker/runners/command-runner.ts';
import type { HostEnvironment } from './worker/runners/command-environment.ts';
import { createTurnProcessor, type OpenedRunner, pauseAfter, type TurnProcessor } from './worker/turn-processor.ts';

export interface AppOptions {
  readonly config: Config;
  /** Name of this replica in leases, records and logs; unique among the replicas. */
  readonly instance: string;
  readonly version: string;
  readonly timing: Timing;
  readonly host: string;
  readonly port: number;
  /** The environment of the process, of which commands see an allow-list. */
  readonly hostEnv: HostEnvironment;
  /** The Redis server is ours and was started empty just now: finding no data means nothing was lost. */
  readonly freshRedis: boolean;
  /**
   * Whether labels without a record are adopted or reset. Off for `dev` and `demo`, which may look at tickets that
   * belong to another deployment.
   */
  readonly adoptOrphans: boolean;
  readonly log: Log;
  readonly redactor: Redactor;
}

export interface App {
  /** Resolves with the port of the listener; rejects only when that is taken. */
  start(): Promise<number>;
  /** A new good configuration. */
  reload(config: Config): void;
  /** Findings of whoever watches the configuration. */
  readonly findings: Findings;
  health(): HealthFacts;
  /** Ends gracefully: no new work, what runs gets its grace, the rest is handed back. */
  stop(): Promise<void>;
}

const CATALOG_CHECK_MS = 1_000;
const SUMMARY_MS = 60_000;
/** After the grace: for the runners to die and Redis to take the hand-backs. */
const LAST_WRITES_MS = 10_000;

/** Everything that needs Redis. */
interface RedisSide {
  readonly redis: RedisConnection;
  readonly runs: RunReader;
  readonly queue: RunQueue;
  readonly consumer: RunConsumer;
  readonly processor: TurnProcessor;
  readonly pollers: Pollers;
  readonly leaders: readonly Leader[];
  recoveringMs(): number;
  startLeading(): void;
  stop(): Promise<void>;
}

export function createApp(options: AppOptions): App {
  const { log } = options;
  const findings = createFindings();
  let config = options.config;
  let loadedAtMs = Date.now();
  let draining = false;
  const connections = createConnections({
    onRequest: (platform, { purpose, status, kind, durationMs }) =>
      metrics.platformRequest({ platform, purpose, status: String(status ?? kind ?? 'none'), durationMs }),
  });
  const platformOf = (project: Project): TicketPlatform | undefined => connections.platformOf(project.name);
  const collect = createHealthCollector();

  const side = createRedisSide(options, { config: () => config, connections, platformOf, findings, metrics: () => metrics });

  const health = (): HealthFacts => ({
    ...collect({
      redis: side === undefined ? 'unset' : side.redis.status(),
      consumerRunning: side?.consumer.running() ?? false,
      leaders: side?.leaders.map((leader) => leader.status()) ?? [],
      recoveringMs: side?.recoveringMs() ?? 0,
      projects: config.catalog.projects,
      polls: side?.pollers.results() ?? new Map(),
      findings: [...config.findings, ...findings.all()],
    }),
    instance: options.instance,
    version: options.version,
    draining,
    config: {
      state: findings.all().some(({ code }) => code === 'config-bad-reload') ? 'last-good' : 'ok',
      hash: config.catalog.hash,
      loadedAtMs,
    },
    activeRuns: side?.processor.active() ?? 0,
  });

  const metrics: Metrics = createMetrics(async () => {
    const facts = health();
    const counted = new Map<string, number>();
    for (const { code } of facts.findings) counted.set(code, (counted.get(code) ?? 0) + 1);
    const [runs, queueDepth] = side?.redis.status().state === 'up' ? await countWork(side, log) : [{}, undefined];
    return {
      runs,
      queueDepth,
      activeRuns: facts.activeRuns,
      findings: Object.fromEntries(counted),
      leaderEpoch: Object.fromEntries(facts.roles.map(({ role, epoch }) => [role, epoch ?? 0])),
      ready: readiness(facts).code === 200,
    };
  });
  const server = createServer({ health, metrics, log });

  const reload = (next: Config): void => {
    config = next;
    loadedAtMs = Date.now();
    options.redactor.add(next.secrets.all());
    for (const { project, problem } of openConnections(next, connections)) {
      findings.raise({ code: 'platform-not-open', severity: 'error', text: `Project ${project}: ${problem}` }, project);
    }
  };
  reload(config);

  return {
    findings,
    health,
    reload,
    async start() {
      const port = await server.listen({ host: options.host, port: options.port });
      side?.startLeading();
      log.info({ port, projects: config.catalog.projects.length, instance: options.instance }, 'listening');
      if (side === undefined) log.warn('REDIS_URL is not set: nothing is polled or run');
      return port;
    },
    async stop() {
      draining = true;
      log.info('shutting down');
      await side?.stop();
      await server.close();
      log.info('stopped');
    },
  };
}

interface Shared {
  readonly config: () => Config;
  readonly connections: Connections;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly findings: Findings;
  /** Asked late: metrics read this side's gauges and are made after it. */
  readonly metrics: () => Metrics;
}

/** What a claim needs of Redis: the same for a replica and for a claim by hand. */
function createClaiming(
  options: Pick<AppOptions, 'timing' | 'log' | 'freshRedis'>,
  shared: Pick<Shared, 'config' | 'platformOf'> & { readonly onOutcome: TicketClaimDeps['onOutcome'] },
) {
  const { timing, log } = options;
  const { config, platformOf } = shared;
  const catalog = (): Catalog => config().catalog;
  const url = config().secrets.redisUrl();
  if (url === undefined) return undefined;
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace: config().redis.namespace,
    timing,
    blockMs: config().agent.consumeBlockSeconds * 1000,
    freshServer: options.freshRedis,
    log,
  });
  const claimRecords = createClaimRecords(redis, { ...timing, mostRunsPerDay: () => config().maxRunsPerTicketPerDay });
  const decisions = createDecisionLog(redis);
  const queue = createRunQueue({ redis, log });
  const claims = createTicketClaimService(
    { catalog, platformOf, records: claimRecords, queue, decisions, log, onOutcome: shared.onOutcome },
    timing,
  );
  return { redis, catalog, claimRecords, decisions, queue, claims };
}

function createRedisSide(options: AppOptions, shared: Shared): RedisSide | undefined {
  const { timing, log } = options;
  const { config, platformOf, findings, metrics } = shared;
  const claiming = createClaiming(options, {
    config,
    platformOf,
    onOutcome: ({ request, outcome }) =>
      metrics().claim({
        platform: config().catalog.projects.find(({ name }) => name === request.project)?.source.platform ?? 'unknown',
        outcome: outcome.kind,
        trigger: request.trigger,
      }),
  });
  if (claiming === undefined) return undefined;
  const { redis, catalog, claimRecords, decisions, queue, claims } = claiming;
  const { agent } = config();
  const attemptRecords = createAttemptRecords(redis, timing);
  const labelRecords = createLabelRecords(redis);
  const runs = createRunReader(redis);
  /** Ends claims and last writes only when the process itself has to end. */
  const ending = new AbortController();

  const labels = createLabelWriter(
    {
      catalog,
      platformOf,
      runs,
      records: labelRecords,
      findings,
      log,
      onConfirmed: (run) => metrics().labelConfirmed({ state: run.state, lagMs: Date.now() - run.sinceMs }),
    },
    timing,
  );

  const guard = createGuard({ timing, log });
  const commandRunner = createCommandRunner({ guard, log, redactor: options.redactor }, { hostEnv: options.hostEnv });
  const openRunner = (policy: string): OpenedRunner => {
    const opened = config().openPipeline(policy);
    if (!opened.ok) return opened;
    const { timeoutMs, maxAttempts, ...command } = opened.spec;
    return { ok: true, timeoutMs, maxAttempts, start: (request) => commandRunner.start({ ...request, command }) };
  };
  const processor = createTurnProcessor(
    {
      catalog,
      platformOf,
      openRunner,
      records: attemptRecords,
      queue,
      labels,
      decisions,
      log,
      onEnded: (run, end) => {
        if (end.kind !== 'finished') return;
        metrics().runEnded({
          project: run.project,
          pipeline: run.pipeline ?? '',
          state: end.state,
          durationMs: run.startedAtMs === undefined ? undefined : Date.now() - run.startedAtMs,
        });
      },
    },
    { ...timing, worker: options.instance },
  );
  const consumer = createRunConsumer({
    redis,
    log,
    slots: agent.maxParallelJobs,
    blockMs: agent.consumeBlockSeconds * 1000,
    timing,
    onTurn: (turn) => processor.process(turn),
  });

  const pollers = createPollers(
    {
      catalog,
      platformOf,
      credentialOf: (project) => shared.connections.credentialOf(project.name),
      claims,
      claimSignal: ending.signal,
      findings,
      log,
      onPoll: (result) => metrics().poll(result),
    },
    { ...timing, catalogCheckMs: CATALOG_CHECK_MS, summaryMs: SUMMARY_MS },
  );

  const onRepair: Repair = async ({ kind, run, outcome, detail }) => {
    metrics().repair({ kind });
    log.warn({ ticket: run.ticket, run: run.id, project: run.project, kind, outcome, detail }, 'repaired');
    await decisions
      .record({ ticket: run.ticket, project: run.project, by: 'repair', run: run.id, outcome: `${kind}: ${outcome}`, detail })
      .catch((error: unknown) => log.debug({ error: messageOf(error) }, 'decision not recorded'));
  };
  const recoveringMs = (): number =>
    Math.max(0, (redis.incarnation()?.sinceMs ?? 0) + timing.recoveryRepairMs - Date.now());
  const housekeeping = createHousekeeping(
    {
      staleJobs: createStaleJobDetector(
        {
          runs,
          records: attemptRecords,
          queue,
          pauseAfter: (interrupted) => pauseAfter(interrupted, timing),
          contacts: redis.contacts,
          log,
          onRepair,
        },
        timing,
      ),
      enqueued: createEnqueuedReconciler({ runs, queue, claimRecords, claims, log, onRepair }, timing),
      projection: createProjection({ records: labelRecords, labels }),
      orphanedLabels: options.adoptOrphans
        ? createOrphanedLabels(
            {
              catalog,
              platformOf,
              runs,
              claimRecords,
              labelRecords,
              claims,
              labels,
              log,
              onOrphan: async ({ ticket, project, action }) => {
                metrics().repair({ kind: 'orphaned-label' });
                log.warn({ ticket: ticket.key, project: project.name, action }, 'orphaned label');
                await decisions.record({
                  ticket: ticket.key,
                  project: project.name,
                  by: 'repair',
                  outcome: `orphaned label: ${action}`,
                });
              },
            },
            timing,
          )
        : async () => {},
      recoveringMs: async () => recoveringMs(),
      log,
    },
    timing,
  );

  const leases = createLeases(redis, timing);
  const leaders = [
    createLeader(leases, { role: 'poller', instance: options.instance, timing, log, work: (term) => pollers.lead(term) }),
    createLeader(leases, { role: 'housekeeping', instance: options.instance, timing, log, work: housekeeping }),
  ];
  const leading = new AbortController();
  let terms: Promise<void>[] = [];

  return {
    redis,
    runs,
    queue,
    consumer,
    processor,
    pollers,
    leaders,
    recoveringMs,
    startLeading() {
      terms = leaders.map((leader) => leader.run(leading.signal));
    },
    async stop() {
      leading.abort();
      await consumer.pause();
      await waitForIdle(processor, config().agent.shutdownGraceSeconds * 1000);
      const lastWrites = setTimeout(() => {
        processor.giveUp();
        ending.abort();
      }, LAST_WRITES_MS);
      await processor.drain();
      await Promise.all([...terms, labels.idle()]);
      clearTimeout(lastWrites);
      ending.abort();
      await guard.close();
      // BullMQ waits for a Redis that may never come back; what matters has been written by now.
      const patience = new AbortController();
      await Promise.race([
        Promise.all([consumer.close(), queue.close()]).catch((error: unknown) => {
          log.debug({ error: messageOf(error) }, 'queue not closed in order');
        }),
        sleep(timing.redisCommandMs, patience.signal),
      ]);
      patience.abort();
      await redis.close();
    },
  };
}

/** Until no attempt is at work, or the grace is over. */
async function waitForIdle(processor: TurnProcessor, graceMs: number): Promise<void> {
  const idle = new AbortController();
  const grace = sleep(graceMs, idle.signal);
  const finished = (async () => {
    while (processor.active() > 0 && (await sleep(Math.min(50, graceMs), idle.signal)));
  })();
  await Promise.race([grace, finished]);
  idle.abort();
}

async function countWork(side: RedisSide, log: Log): Promise<[Record<string, number>, number | undefined]> {
  try {
    return await Promise.all([side.runs.counts(), side.queue.depth()]);
  } catch (error) {
    log.debug({ error: messageOf(error) }, 'work not counted');
    return [{}, undefined];
  }
}

function openConnections(config: Config, connections: Connections): { project: string; problem: string }[] {
  const specs = [...config.connections.values()].flatMap((connection) => {
    const state = config.secrets.credential(connection.project);
    if (!state.ok || connection.credentialName === undefined) return [];
    return [{ ...connection, credentialName: connection.credentialName, credential: state.credential }];
  });
  return connections.update(specs);
}

export interface ClaimOnceOptions extends Pick<AppOptions, 'config' | 'timing' | 'log' | 'redactor'> {
  readonly project: string;
  readonly ticketId: string;
}

/** One claim by hand, in the Redis of the running replicas. Throws when that cannot be reached. */
export async function claimOnce(options: ClaimOnceOptions): Promise<ClaimOutcome> {
  const { config, timing, log } = options;
  options.redactor.add(config.secrets.all());
  const connections = createConnections({ onRequest: () => {} });
  const unopened = openConnections(config, connections).find(({ project }) => project === options.project);
  if (unopened !== undefined) throw new Error(unopened.problem);
  const claiming = createClaiming(
    { timing, log, freshRedis: false },
    {
      config: () => config,
      platformOf: (project) => connections.platformOf(project.name),
      onOutcome: undefined,
    },
  );
  if (claiming === undefined) throw new Error('REDIS_URL is not set');
  const { redis, queue, claims } = claiming;
  try {
    if (!(await redis.whenUp(AbortSignal.timeout(timing.redisSocketMs)))) {
      throw new Error(`redis cannot be reached: ${redis.status().reason}`);
    }
    return await claims.claim(
      { project: options.project, ticketId: options.ticketId, trigger: 'manual' },
      AbortSignal.timeout(timing.claimDeadlineMs),
    );
  } finally {
    await queue.close();
    await redis.close();
  }
}
