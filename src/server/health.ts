/**
 * `/health` and `/health/ready` (DESIGN 9), put together from what each subsystem says of itself. Pure: no I/O, no URL,
 * token or ticket text. Readiness asks one thing: can this replica do its share? Platforms, leaders of the moment and
 * bad reloads are findings, and never turn it off.
 */
import type { EngineKind, FallbackReason } from '../domain/project.ts';
import type { Finding } from '../foundation/findings.ts';

export type SubsystemName = 'redis' | 'queue_consumer' | 'housekeeping' | 'poller' | 'webhooks';
export type SubsystemState = 'up' | 'degraded' | 'down' | 'disabled';

export interface Subsystem {
  readonly name: SubsystemName;
  readonly state: SubsystemState;
  readonly reason: string;
  /** Wall-clock ms. */
  readonly lastChangedMs: number;
  /** Whether a replica is not ready without it: the configuration asks for it, and names nothing that takes its place. */
  readonly wanted: boolean;
}

export interface RoleView {
  readonly role: string;
  readonly position: 'leader' | 'follower';
  readonly holder: string | undefined;
  readonly epoch: number | undefined;
  readonly problem: string | undefined;
}

/** What wakes the ingress of a project. */
export interface EngineView {
  /** `event_engine`, narrowed by the sync policy; `default` when the file names none. */
  readonly configured: 'polling' | 'streaming' | 'auto' | 'default';
  /** As the poller leader decided last; undefined while `auto` is undecided, and for a project that nothing wakes. */
  readonly effective: EngineKind | undefined;
  /** Why `auto` has fallen back. */
  readonly reason: FallbackReason | undefined;
}

export interface ProjectView {
  readonly name: string;
  readonly platform: string;
  readonly engine: EngineView;
  readonly polled: boolean;
  /** Why it takes no part; undefined when all is well. */
  readonly disabled: string | undefined;
  readonly interval_seconds: number | undefined;
  /** Longer than the configured one while the budget of its credential runs low, or while its polls fail. */
  readonly effective_interval_seconds: number | undefined;
  /**
   * Of its queued runs those that wait to be admitted, those of them that could not start, and of its live ones those that are
   * admitted: undefined while nobody can tell.
   */
  readonly backlog: number | undefined;
  readonly put_off: number | undefined;
  readonly admitted: number | undefined;
  readonly max_parallel_jobs: number | undefined;
  readonly last_poll: LastPoll | undefined;
  /** The last gap in its deliveries; undefined while there was none. */
  readonly missed: MissedView | undefined;
}

/** Deliveries that did not arrive, as its platform said when it was asked. */
export interface MissedView {
  readonly at_utc: string;
  /** How long no replica could take deliveries; 0 when it was not that. */
  readonly down_seconds: number;
  readonly recovered: number;
  readonly relevant: number;
  readonly not_arrived: number;
}

/** As its poller saw it: the poller leader, whichever replica is asked. */
export interface LastPoll {
  readonly by: string;
  readonly at_utc: string;
  readonly result: string;
  readonly discovered: number;
  readonly pending: number;
  readonly claimed: number;
  readonly skipped: Readonly<Record<string, number>>;
  readonly truncated: boolean;
  readonly requests: number;
  readonly held_back: boolean;
  readonly retry_after_seconds: number | undefined;
  readonly duration_ms: number;
  /** Of the claimed ones those that a delivery should have brought. */
  readonly recovered: number;
}

/** The API budget of one credential, as the platform said last to any replica. */
export interface BudgetView {
  readonly credential: string;
  readonly platform: string;
  /** These three are unknown where the platform does not tell, or has not since its window began anew. */
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  readonly resets_in_seconds: number | undefined;
  /** No call is made for so long; 0 when calls may be made. */
  readonly held_for_seconds: number;
  /** How many times longer than configured its polls are apart. */
  readonly stretch: number;
}

/** What is collected when somebody asks. */
export interface HealthFacts {
  readonly instance: string;
  readonly version: string;
  readonly draining: boolean;
  readonly subsystems: readonly Subsystem[];
  readonly findings: readonly Finding[];
  readonly roles: readonly RoleView[];
  readonly projects: readonly ProjectView[];
  readonly budgets: readonly BudgetView[];
  readonly config: { readonly state: 'ok' | 'last-good'; readonly hash: string; readonly loadedAtMs: number };
  readonly activeRuns: number;
}

export function healthBody(facts: HealthFacts): object {
  const bad = facts.subsystems.some(({ state, wanted }) => state !== 'up' && (state !== 'disabled' || wanted));
  const alarming = facts.findings.some(({ severity }) => severity !== 'info');
  return {
    status: bad || alarming || facts.draining ? 'degraded' : 'ok',
    instance: facts.instance,
    version: facts.version,
    draining: facts.draining,
    subsystems: facts.subsystems.map(subsystemBody),
    findings: facts.findings,
    roles: facts.roles,
    projects: facts.projects,
    budgets: facts.budgets,
    config: {
      state: facts.config.state,
      hash: facts.config.hash,
      loaded_utc: new Date(facts.config.loadedAtMs).toISOString(),
    },
    active_runs: facts.activeRuns,
  };
}

/** The status code and the body of `/health/ready`. */
export function readiness(facts: HealthFacts): { readonly code: 200 | 503; readonly body: object } {
  const redisUp = facts.subsystems.some(({ name, state }) => name === 'redis' && state === 'up');
  if (!facts.draining && redisUp && facts.subsystems.every(isNoObstacle))
    return { code: 200, body: { status: 'ready' } };
  return {
    code: 503,
    body: { status: 'not_ready', draining: facts.draining, subsystems: facts.subsystems.map(subsystemBody) },
  };
}

function isNoObstacle({ state, wanted }: Subsystem): boolean {
  return state === 'up' || !wanted;
}

function subsystemBody(subsystem: Subsystem): object {
  return {
    name: subsystem.name,
    state: subsystem.state,
    reason: subsystem.reason,
    last_changed_utc: new Date(subsystem.lastChangedMs).toISOString(),
  };
}
