/**
 * One replica, put together. Who runs where is said here and nowhere else: every replica runs the server and the worker;
 * only the poller leader's term runs pollers; only the housekeeping leader's term runs repair.
 *
 * It starts bottom to top and stops top to bottom. Nothing outside is needed to start: Redis may be unset, unreachable
 * or come later, platforms may be down; the process stays up, says so in `/health`, and goes on by itself.
 */
import { openApiDesk } from './app/api.ts';
import { openCancelling } from './app/cancelling.ts';
import { openClaims, reportLoop } from './app/claims.ts';
import { watchConfigDrift } from './app/config-drift.ts';
import { openHousekeeping } from './app/housekeeping.ts';
import { createKnownProjects } from './app/known-projects.ts';
import { openMissedRecovery } from './app/missed.ts';
import type { AppOptions, Shared } from './app/options.ts';
import { createReplicaState } from './app/replica-state.ts';
import { createSharedView, type SharedView } from './app/shared-view.ts';
import { openStores, type Stores } from './app/stores.ts';
import { openTraces, type Traces } from './app/traces.ts';
import { openWebhooks, type Webhooks } from './app/webhooks.ts';
import { openWorkSite, type WorkSite } from './app/work-site.ts';
import type { Config } from './config/config.ts';
import type { WebhookListener as WebhookListenerSettings } from './config/settings.ts';
import { createLeader, type Leader, type Term } from './coordination/leader.ts';
import { createLeases } from './coordination/lease.ts';
import { keepNoting } from './coordination/listening.ts';
import { createFindings, type Findings } from './foundation/findings.ts';
import { sleep } from './foundation/loop.ts';
import { takesWebhooks } from './ingress/missed/missed-plan.ts';
import { createPollers, type Pollers } from './ingress/polls/pollers.ts';
import { reportReplication } from './redis/replication.ts';
import { watchServerSettings } from './redis/server-settings.ts';
import { watchWrites } from './redis/write-watch.ts';
import { createForeignLabels } from './repair/foreign-labels.ts';
import { type ApiDesk, apiRoutes } from './server/api.ts';
import { callbackRoutes } from './server/callback-routes.ts';
import type { HealthFacts } from './server/health.ts';
import { createMetrics } from './server/metrics.ts';
import { createServer } from './server/server.ts';
import { createWebhookListener, type WebhookListener } from './server/webhook-listener.ts';
import { webhookRoutes } from './server/webhook-routes.ts';

export interface App {
  /** Resolves with the port of the listener; rejects only when that is taken. */
  start(): Promise<number>;
  /** A new good configuration. */
  reload(config: Config): void;
  /** Findings of whoever watches the configuration. */
  readonly findings: Findings;
  health(): HealthFacts;
  /** Ends gracefully: no new work, what runs gets its grace, the rest is handed back. Also after a failed start. */
  stop(): Promise<void>;
}

const CATALOG_CHECK_MS = 1_000;
const SUMMARY_MS = 60_000;
/** So long after Redis lost its data, a replica that takes the lead makes sure that every project has been listed since. */
const LOSS_MATTERS_MS = 86_400_000;

export function createApp(options: AppOptions): App {
  const { log, timing } = options;
  const findings = createFindings();
  let config = options.config;
  let loadedAtMs = Date.now();
  let draining = false;
  const metrics = createMetrics(() => state.gauges());
  const stores = openStores({
    ...options,
    config: () => config,
    onReplicaWait: (isConfirmed) => {
      reportReplication(findings, isConfirmed);
      metrics.replicaWait({ result: isConfirmed ? 'confirmed' : 'unconfirmed' });
    },
  });
  const projects = createKnownProjects({
    learnSecret: options.redactor.learn,
    limitsOf: stores?.limitsOf,
    onRequest: (platform, { purpose, status, kind, durationMs }) => {
      metrics.platformRequest({ platform, purpose, status: String(status ?? kind ?? 'none'), durationMs });
    },
  });
  const api = apiRoutes({
    token: () => config.secrets.apiToken(),
    desk: () => side?.desk,
    redact: options.redactor.redact,
    log,
  });
  const traces = openTraces(options, stores?.redis, metrics);
  const ownListener = listenerOf(options.config);
  const webhooks = webhookRoutes(
    { receiver: () => side?.webhooks.receiver, leaving: () => draining, log },
    { path: ownListener?.path ?? '/webhook' },
  );
  // Services come in where webhooks do, and those of the same network where everything does.
  const callbacks = callbackRoutes({
    records: () => stores?.callbackRecords,
    log,
    onAnswered: (result) => metrics.callback({ result }),
  });
  const fromOutside: typeof webhooks = (app) => {
    webhooks(app);
    callbacks(app);
  };
  const listener =
    ownListener && createWebhookListener(fromOutside, { ...ownListener, retryMs: timing.listenAgainMs }, log);
  const state = createReplicaState({
    ...options,
    config: () => config,
    loadedAtMs: () => loadedAtMs,
    draining: () => draining,
    projects,
    findings,
    listener: () => listener?.state() ?? 'up',
    side: () => side,
  });
  const server = createServer({
    health: state.health,
    freshen: async () => side?.view.freshen(),
    metrics,
    log,
    mounts: listener === undefined ? [api, fromOutside] : [api, callbacks],
  });

  const reload = (next: Config): void => {
    config = next;
    loadedAtMs = Date.now();
    options.redactor.add(next.secrets.all());
    for (const { name } of projects.current().projects) findings.clear('platform-not-open', name);
    for (const { project, problem } of projects.update(next)) {
      const text = `Project ${project}: its platform cannot be opened, so it takes no part; the log says why.`;
      findings.raise({ code: 'platform-not-open', severity: 'error', text }, project);
      log.error({ project, problem }, 'platform not opened');
    }
  };
  reload(config);
  const side =
    stores === undefined
      ? undefined
      : openRedisSide(
          options,
          { config: () => config, projects, findings, metrics, trace: traces.trace },
          { stores, traces, listenerUp: () => listener === undefined || listener.state() === 'up' },
        );
  const stopping = new AbortController();
  let started = false;

  return {
    findings,
    health: state.health,
    reload,
    async start() {
      await traces.start();
      const port = await server.listen({ host: options.host, port: options.port });
      if (listener !== undefined) await openListener(listener, config.engine, stopping.signal);
      side?.start();
      started = true;
      log.info({ port, projects: config.catalog.projects.length, instance: options.instance }, 'listening');
      if (side === undefined) log.warn('REDIS_URL is not set: nothing is polled or run');
      return port;
    },
    async stop() {
      draining = true;
      stopping.abort();
      log.info('shutting down');
      // Whoever sends something here learns late that this replica goes: what still comes is kept for the others.
      const lingered = started && isSentTo(config) ? sleep(timing.lingerMs, new AbortController().signal) : undefined;
      await side?.stopWork();
      await lingered;
      await Promise.all([server.close(), listener?.close()]);
      await side?.close();
      log.info('stopped');
    },
  };
}

/** Everything that needs Redis. */
interface RedisSide {
  readonly stores: Stores;
  readonly workSite: WorkSite;
  readonly view: SharedView;
  readonly leaders: readonly Leader[];
  readonly desk: ApiDesk;
  readonly webhooks: Webhooks;
  /** Milliseconds left in which nobody is declared dead and nothing is adopted. */
  recoveringMs(): number;
  start(): void;
  /** Works on nothing any more; what arrives can still be kept. */
  stopWork(): Promise<void>;
  close(): Promise<void>;
}

interface RedisSideParts {
  readonly stores: Stores;
  readonly traces: Traces;
  /** Whether this replica can be reached by webhooks. */
  readonly listenerUp: () => boolean;
}

function openRedisSide(options: AppOptions, shared: Shared, parts: RedisSideParts): RedisSide {
  const { stores, traces, listenerUp } = parts;
  const { timing, log, instance } = options;
  const { config, projects, findings, metrics, trace } = shared;
  const { redis } = stores;
  // A server that was started for this process alone ends with it: there is nothing to keep.
  if (!options.freshRedis) watchServerSettings(redis, findings, log);

  /** A claim that has begun is better finished than taken over: this aborts only when the process has to end. */
  const ending = new AbortController();
  const foreignLabels = createForeignLabels(
    { catalog: projects.withRemoved, incarnation: redis.incarnation, findings },
    timing,
  );
  const workSite = openWorkSite(options, shared, stores, foreignLabels.seen);
  const { labels } = workSite;
  const { canceller, unwanted } = openCancelling(options, shared, { stores, labels, ending: ending.signal });
  const claims = openClaims({
    projects,
    stores,
    timing,
    canceller,
    log,
    trace,
    onOutcome: ({ request: { project, ticketId, trigger }, outcome }) => {
      reportLoop(findings, project, ticketId, outcome);
      const platform = projects.withRemoved().projects.find(({ name }) => name === project)?.source.platform;
      metrics.claim({ platform: platform ?? 'unknown', outcome: outcome.kind, trigger });
      if (outcome.kind === 'rejected' && outcome.reason === 'trigger-not-allowed') metrics.syncSkipped({ trigger });
    },
  });
  const view = createSharedView({
    board: stores.pollBoard,
    missedBoard: stores.missedBoard,
    admissions: stores.admissions,
    projects: () => projects.current().projects.map(({ name }) => name),
    credentials: projects.credentials,
    ownPolls: () => pollers.results(),
    instance,
    log,
  });
  const pollers: Pollers = createPollers(
    {
      catalog: projects.current,
      platformOf: projects.platformOf,
      credentialOf: projects.credentialOf,
      windowOf: (project) => projects.budgetOf(project)?.window,
      claims,
      unwanted,
      runs: stores.runs,
      claimSignal: ending.signal,
      findings,
      log,
      lossOfData: () =>
        recoveringMs() === 0 && redis.recoveringMs(LOSS_MATTERS_MS) > 0 ? redis.incarnation() : undefined,
      listenerUp,
      arrivals: stores.deliveries.arrivals,
      onPoll: (result) => {
        metrics.poll(result);
        const { platform, recovered } = result;
        if (recovered > 0) metrics.missedRecovered({ platform, by: 'listing', count: recovered });
        view.publish(result);
      },
      onCatalog: view.retain,
    },
    { ...timing, catalogCheckMs: CATALOG_CHECK_MS, summaryMs: SUMMARY_MS },
  );
  const webhooks = openWebhooks(options, shared, { stores, claims, unwanted, claimSignal: ending.signal });
  const missed = openMissedRecovery(options, shared, { stores, receiver: webhooks.receiver });
  const recoveringMs = (): number => redis.recoveringMs(timing.recoveryRepairMs);
  const housekeeping = openHousekeeping(options, shared, {
    stores,
    claims,
    canceller,
    unwanted,
    labels,
    foreignLabels,
    recoveringMs,
  });

  const poll = async (term: Term): Promise<void> => void (await Promise.all([pollers.lead(term), missed.lead(term)]));
  const canTake = (): boolean => listenerUp() && projects.current().projects.some(takesWebhooks);

  const leases = createLeases(redis, timing);
  const leaders = [
    createLeader(leases, { role: 'poller', instance, timing, log, work: poll }),
    createLeader(leases, { role: 'housekeeping', instance, timing, log, work: housekeeping }),
  ];
  const desk = openApiDesk({
    config,
    projects,
    stores,
    claims,
    canceller,
    leases,
    timing,
    ending: ending.signal,
  });
  const leading = new AbortController();
  let terms: Promise<void>[] = [];
  let noting: Promise<unknown> = Promise.resolve();

  return {
    stores,
    workSite,
    view,
    leaders,
    desk,
    webhooks,
    recoveringMs,
    start() {
      webhooks.start();
      const noted = { board: stores.configBoard, instance, hash: () => config().catalog.hash };
      noting = Promise.all([
        keepNoting({ listening: stores.listening, canTake, log }, timing, ending.signal),
        watchConfigDrift({ ...noted, findings, log }, timing, ending.signal),
        watchWrites(redis, { findings, log }, timing, ending.signal),
      ]);
      terms = leaders.map((leader) => leader.run(leading.signal));
    },
    async stopWork() {
      leading.abort();
      const inboxIdle = webhooks.stop();
      await workSite.pause();
      const graceMs = config().agent.shutdownGraceSeconds * 1000;
      // After the grace: time for the runners to die and for Redis to take what became of them.
      const lastWrites = setTimeout(
        () => {
          workSite.giveUp();
          ending.abort();
        },
        graceMs + timing.stopGraceMs + timing.redisSocketMs,
      );
      await workSite.drain(graceMs);
      await Promise.all([...terms, inboxIdle, workSite.labels.idle()]);
      clearTimeout(lastWrites);
      ending.abort();
      await noting;
      await Promise.all([workSite.close(timing.redisCommandMs), traces.close()]);
    },
    close: () => redis.close(),
  };
}

/** The listener for webhooks alone that the configuration asks for; none where it takes no webhooks at all. */
function listenerOf({ engine, server }: Config): WebhookListenerSettings | undefined {
  return engine === 'polling' ? undefined : server.webhookListener;
}

/** Whether platforms send deliveries, or services their results. */
function isSentTo({ catalog, openPipeline }: Config): boolean {
  if (catalog.projects.some(({ triggers }) => triggers.has('webhook'))) return true;
  return [...catalog.pipelines.values()].some(({ policy }) => {
    const opened = openPipeline(policy);
    return opened.ok && opened.spec.work.runner === 'http' && opened.spec.work.callbackUrl !== undefined;
  });
}

/** With `auto` a listener that cannot be opened is no reason to end: until it can be, polling goes on. */
async function openListener(listener: WebhookListener, engine: Config['engine'], signal: AbortSignal): Promise<void> {
  if (engine === 'auto') void listener.keepTrying(signal);
  else await listener.start();
}
