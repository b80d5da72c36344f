/** What a replica says of itself when it is asked: `/health`, `/health/ready` and the gauges of `/metrics`. */
import type { Config } from '../config/config.ts';
import type { LeaderStatus } from '../coordination/leader.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { createHealthCollector } from '../server/collect-health.ts';
import { type HealthFacts, readiness } from '../server/health.ts';
import type { Gauges } from '../server/metrics.ts';
import type { ListenerState } from '../server/webhook-listener.ts';
import type { KnownProjects } from './known-projects.ts';
import type { SharedView } from './shared-view.ts';
import type { Stores } from './stores.ts';
import type { WorkSite } from './work-site.ts';

export interface ReplicaStateDeps {
  readonly instance: string;
  readonly version: string;
  readonly config: () => Config;
  /** Wall-clock ms. */
  readonly loadedAtMs: () => number;
  readonly draining: () => boolean;
  readonly projects: KnownProjects;
  readonly findings: Findings;
  readonly listener: () => ListenerState;
  /** Undefined without Redis in the configuration. */
  readonly side: () => RedisSideState | undefined;
  readonly log: Log;
}

export interface RedisSideState {
  readonly stores: Stores;
  readonly workSite: WorkSite;
  readonly view: SharedView;
  readonly leaders: readonly { status(): LeaderStatus }[];
  recoveringMs(): number;
}

export interface ReplicaState {
  health(): HealthFacts;
  gauges(): Promise<Gauges>;
}

type WorkCounts = Pick<Gauges, 'runs' | 'queueDepth' | 'inboxDepth' | 'unconfirmedLabels'>;

export function createReplicaState(deps: ReplicaStateDeps): ReplicaState {
  const { config, findings, projects } = deps;
  const collect = createHealthCollector();

  const health = (): HealthFacts => {
    const side = deps.side();
    return {
      ...collect({
        redis: side === undefined ? 'unset' : side.stores.redis.status(),
        consumerRunning: side?.workSite.running() ?? false,
        leaders: side?.leaders.map((leader) => leader.status()) ?? [],
        recoveringMs: side?.recoveringMs() ?? 0,
        projects: config().catalog.projects,
        polls: side?.view.polls() ?? new Map(),
        missed: side?.view.missed() ?? new Map(),
        backlogs: side?.view.backlogs(),
        webhookListener: deps.listener(),
        credentials: projects.credentials(),
        findings: [...config().findings, ...findings.all()],
      }),
      instance: deps.instance,
      version: deps.version,
      draining: deps.draining(),
      config: {
        state: findings.all().some(({ code }) => code === 'config-bad-reload') ? 'last-good' : 'ok',
        hash: config().catalog.hash,
        loadedAtMs: deps.loadedAtMs(),
      },
      activeRuns: side?.workSite.active() ?? 0,
    };
  };

  /** What Redis does not tell is left out. */
  const countWork = async (stores: Stores | undefined): Promise<WorkCounts> => {
    const unknown = { runs: {}, queueDepth: undefined, inboxDepth: undefined, unconfirmedLabels: undefined };
    if (stores?.redis.status().state !== 'up') return unknown;
    const { runs, queue, deliveries } = stores;
    try {
      return {
        runs: await runs.counts(),
        queueDepth: await queue.depth(),
        inboxDepth: await deliveries.depth(),
        unconfirmedLabels: await runs.unconfirmed(),
      };
    } catch (error) {
      deps.log.debug({ error: messageOf(error) }, 'work not counted');
      return unknown;
    }
  };

  return {
    health,
    async gauges() {
      const side = deps.side();
      await side?.view.freshen();
      const facts = health();
      const counted = new Map<string, number>();
      for (const { code } of facts.findings) counted.set(code, (counted.get(code) ?? 0) + 1);
      return {
        ...(await countWork(side?.stores)),
        activeRuns: facts.activeRuns,
        slots: side?.workSite.slots ?? 0,
        findings: Object.fromEntries(counted),
        budgets: facts.budgets,
        pollIntervals: Object.fromEntries(
          facts.projects.flatMap(({ name, effective_interval_seconds: seconds }) =>
            seconds === undefined ? [] : [[name, seconds]],
          ),
        ),
        lastPolls: facts.projects.flatMap(({ name: project, last_poll: poll }) =>
          poll === undefined ? [] : [{ project, result: poll.result, atMs: Date.parse(poll.at_utc) }],
        ),
        backlogs: facts.projects.flatMap(({ name: project, backlog, admitted }) =>
          backlog === undefined || admitted === undefined ? [] : [{ project, waiting: backlog, admitted }],
        ),
        leaderEpoch: Object.fromEntries(facts.roles.map(({ role, epoch }) => [role, epoch ?? 0])),
        ready: readiness(facts).code === 200,
      };
    },
  };
}
