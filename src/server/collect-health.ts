/** Turns what the rooms say of themselves into the facts that `/health` shows. Pure but for the clock of changes. */
import type { LeaderStatus } from '../coordination/leader.ts';
import type { MissedGap, MissedNote } from '../coordination/missed-board.ts';
import type { PollSummary } from '../coordination/poll-board.ts';
import { type FallbackReason, listingPace, type Project } from '../domain/project.ts';
import type { Finding } from '../foundation/findings.ts';
import { engineMode } from '../ingress/engines/engine-choice.ts';
import { takesWebhooks } from '../ingress/missed/missed-plan.ts';
import { stretchOf } from '../ingress/polls/poll-schedule.ts';
import type { UsedCredential } from '../platforms/connections.ts';
import { holdOf } from '../platforms/rate-limits.ts';
import type { RedisStatus } from '../redis/connection.ts';
import type { BacklogView } from '../runs/admissions.ts';
import type {
  BudgetView,
  EngineView,
  HealthFacts,
  MissedView,
  ProjectView,
  RoleView,
  Subsystem,
  SubsystemName,
  SubsystemState,
} from './health.ts';

export interface RoomStates {
  /** `unset`: there is no REDIS_URL. */
  readonly redis: RedisStatus | 'unset';
  /** Whether the worker takes jobs; false until it has been started and after it was paused. */
  readonly consumerRunning: boolean;
  readonly leaders: readonly LeaderStatus[];
  readonly recoveringMs: number;
  readonly projects: readonly Project[];
  readonly polls: ReadonlyMap<string, PollSummary>;
  /** By project, as last counted; undefined before. One without any run is not in it. */
  readonly backlogs: ReadonlyMap<string, BacklogView> | undefined;
  /** What is known of the missed deliveries of each project. */
  readonly missed: ReadonlyMap<string, MissedNote>;
  /** Whether what takes webhooks in is open. The problem is shown as it is: in words, without an address. */
  readonly webhookListener: 'up' | { readonly problem: string };
  readonly credentials: readonly UsedCredential[];
  readonly findings: readonly Finding[];
}

/** Remembers when each subsystem changed, which is all that it keeps. */
export function createHealthCollector(): (
  states: RoomStates,
) => Pick<HealthFacts, 'subsystems' | 'findings' | 'roles' | 'projects' | 'budgets'> {
  const changed = new Map<SubsystemName, { readonly state: SubsystemState; readonly atMs: number }>();

  const subsystem = (name: SubsystemName, state: SubsystemState, reason: string, wanted = true): Subsystem => {
    const before = changed.get(name);
    const entry = before?.state === state ? before : { state, atMs: Date.now() };
    changed.set(name, entry);
    return { name, state, reason, wanted, lastChangedMs: entry.atMs };
  };

  return (states) => {
    const { redis } = states;
    const polled = states.projects.some((project) => project.polling !== undefined && project.disabled === undefined);
    const onRedis = (name: SubsystemName, up: () => Subsystem): Subsystem => {
      if (redis === 'unset') return subsystem(name, 'disabled', 'REDIS_URL is not set');
      return redis.state === 'up' ? up() : subsystem(name, 'degraded', 'waits for redis');
    };
    const leading = (name: 'poller' | 'housekeeping'): Subsystem =>
      onRedis(name, () => {
        const leader = states.leaders.find(({ role }) => role === name);
        return subsystem(name, 'up', leader?.position ?? 'follower');
      });
    const webhooks = (): Subsystem => {
      const takers = states.projects.filter(takesWebhooks);
      if (takers.length === 0) return subsystem('webhooks', 'disabled', 'no project takes webhooks', false);
      if (states.webhookListener === 'up')
        return onRedis('webhooks', () => subsystem('webhooks', 'up', 'takes deliveries'));
      const { problem } = states.webhookListener;
      // `auto` has asked for what happens now: its projects are polled.
      const isCovered = takers.every((project) => engineMode(project) === 'auto');
      return subsystem('webhooks', isCovered ? 'degraded' : 'down', problem, !isCovered);
    };
    return {
      subsystems: [
        redis === 'unset'
          ? subsystem('redis', 'disabled', 'REDIS_URL is not set')
          : subsystem(
              'redis',
              redis.state === 'up' ? 'up' : 'degraded',
              redis.state === 'up' ? 'connected' : 'unreachable',
            ),
        onRedis('queue_consumer', () =>
          states.consumerRunning
            ? subsystem('queue_consumer', 'up', 'takes jobs')
            : subsystem('queue_consumer', 'down', 'takes no jobs'),
        ),
        leading('housekeeping'),
        polled ? leading('poller') : subsystem('poller', 'disabled', 'no project is polled', false),
        webhooks(),
      ],
      findings: [
        ...states.findings,
        ...states.credentials.flatMap(budgetFindings),
        ...states.projects.flatMap(({ name }) => claimFindings(name, states.polls.get(name))),
        ...fallbackFindings(states.projects, states.polls),
        ...states.projects.filter(takesWebhooks).flatMap(({ name }) => states.missed.get(name)?.finding ?? []),
        // Without Redis nobody can lead or recover: the subsystems say so already.
        ...(redis !== 'unset' && redis.state === 'up'
          ? [...leaderFindings(states.leaders), ...recoveryFindings(states.recoveringMs)]
          : []),
      ],
      roles: states.leaders.map(roleView),
      projects: states.projects.map((project) =>
        projectView(project, {
          poll: states.polls.get(project.name),
          gap: states.missed.get(project.name)?.last,
          backlog: states.backlogs && (states.backlogs.get(project.name) ?? NO_BACKLOG),
        }),
      ),
      budgets: states.credentials.map(budgetView),
    };
  };
}

function leaderFindings(leaders: readonly LeaderStatus[]): Finding[] {
  return leaders.flatMap(({ role, problem }) =>
    problem === undefined
      ? []
      : [
          {
            code: 'term-failed',
            severity: 'warning',
            text: `The last ${role} term of this replica ended early; see the log.`,
          },
        ],
  );
}

function recoveryFindings(recoveringMs: number): Finding[] {
  return recoveringMs <= 0
    ? []
    : [
        {
          code: 'recovering',
          severity: 'warning',
          // An empty Redis that nobody has ever written to looks just like one that has lost everything.
          text: `Redis is new, lost data or was replaced: repair waits ${Math.ceil(recoveringMs / 1000)} s for live workers to report.`,
        },
      ];
}

/** The listing works and the label write does not, as with a token that may only read: nothing else would show it. */
function claimFindings(project: string, poll: PollSummary | undefined): Finding[] {
  const count = poll?.skipped['failed: backing-off'] ?? 0;
  if (count === 0) return [];
  const tickets = count === 1 ? '1 ticket' : `${count} tickets`;
  const text = `Project ${project}: ${tickets} could not be claimed. agent-smith plan names them, agent-smith explain says why.`;
  return [{ code: 'claims-failing', severity: 'warning', text }];
}

const WHY_POLLING: Readonly<Record<FallbackReason, string>> = {
  'no-secret': 'no webhook secret is set',
  'listener-down': 'the listener for webhooks could not be opened (see the log)',
  'deliveries-stopped': 'listings find what no delivery has told of (look at the hook, its address and its secret)',
};

/** Listed by name in one text; the others are counted. */
const MOST_NAMES = 5;

/**
 * One for each reason: a road that breaks does so for all. From the last polls, so that every replica shows it and not the
 * poller leader alone.
 */
function fallbackFindings(projects: readonly Project[], polls: ReadonlyMap<string, PollSummary>): Finding[] {
  const onAuto = projects.filter((project) => engineMode(project) === 'auto');
  return [...Map.groupBy(onAuto, ({ name }) => polls.get(name)?.engineReason)].flatMap(([reason, fallen]) => {
    if (reason === undefined) return [];
    const more = fallen.length > MOST_NAMES ? ` and ${fallen.length - MOST_NAMES} more` : '';
    const names = fallen.slice(0, MOST_NAMES).map(({ name }) => name);
    const text = `Polled instead of streaming, because ${WHY_POLLING[reason]}: ${names.join(', ')}${more}.`;
    return [{ code: 'event-engine-fallback', severity: 'warning', text }];
  });
}

/** Waits up to a minute are every day's; a longer one leaves tickets lying. */
const LONG_HOLD_MS = 60_000;

function budgetFindings({ credential, limits }: UsedCredential): Finding[] {
  const hold = holdOf(limits.budget(), 'discovery');
  if (hold === undefined || hold.waitMs <= LONG_HOLD_MS) return [];
  const why =
    hold.why === 'asked-to-wait'
      ? 'the platform asked to wait, so no call is made'
      : 'what is left is kept for claims and labels, so no tickets are looked for';
  const text = `Credential ${credential}: ${why} for ${Math.ceil(hold.waitMs / 1000)} s. Poll less often, or give its projects more credentials.`;
  return [{ code: 'credential-limited', severity: 'warning', text }];
}

function budgetView({ credential, platform, limits }: UsedCredential): BudgetView {
  const { heldMs, window } = limits.budget();
  return {
    credential,
    platform,
    limit: window?.limit,
    remaining: window?.remaining,
    resets_in_seconds: window === undefined ? undefined : Math.ceil(window.resetMs / 1000),
    held_for_seconds: Math.ceil(heldMs / 1000),
    stretch: Math.round(stretchOf(window) * 100) / 100,
  };
}

function roleView({ role, position, holder, epoch, problem }: LeaderStatus): RoleView {
  return { role, position, holder, epoch, problem: problem === undefined ? undefined : 'see findings and log' };
}

/** Where there is no choice, nobody needs to have polled. */
function engineView(project: Project, poll: PollSummary | undefined): EngineView {
  const mode = engineMode(project);
  const isWoken = project.polling !== undefined || project.triggers.has('webhook');
  const settled = isWoken && mode !== 'auto' ? mode : undefined;
  return {
    configured: project.engine?.mode ?? 'default',
    effective: settled ?? (mode === 'auto' ? poll?.engine : undefined),
    reason: mode === 'auto' ? poll?.engineReason : undefined,
  };
}

const NO_BACKLOG: BacklogView = { waiting: 0, putOff: 0, admitted: 0 };

interface ProjectFacts {
  readonly poll: PollSummary | undefined;
  readonly gap: MissedGap | undefined;
  readonly backlog: BacklogView | undefined;
}

function projectView(project: Project, { poll, gap, backlog }: ProjectFacts): ProjectView {
  const engine = engineView(project, poll);
  const pace = listingPace(project, engine.effective ?? 'polling');
  return {
    name: project.name,
    platform: project.source.platform,
    engine,
    polled: pace !== undefined,
    disabled: project.disabled,
    interval_seconds: pace === undefined ? undefined : pace.intervalMs / 1000,
    effective_interval_seconds: pace === undefined ? undefined : (poll?.effectiveIntervalMs ?? pace.intervalMs) / 1000,
    backlog: backlog?.waiting,
    put_off: backlog?.putOff,
    admitted: backlog?.admitted,
    max_parallel_jobs: project.maxParallelJobs,
    last_poll:
      poll === undefined
        ? undefined
        : {
            by: poll.by,
            at_utc: new Date(poll.atMs).toISOString(),
            result: poll.result,
            discovered: poll.discovered,
            pending: poll.pending,
            claimed: poll.claimed,
            skipped: poll.skipped,
            truncated: poll.truncated,
            requests: poll.requests,
            held_back: poll.heldBack,
            retry_after_seconds: poll.retryAfterMs === undefined ? undefined : Math.ceil(poll.retryAfterMs / 1000),
            duration_ms: poll.durationMs,
            recovered: poll.recovered,
          },
    missed: gap && missedView(gap),
  };
}

function missedView({ atMs, downMs, recovered, relevant, notArrived }: MissedGap): MissedView {
  return {
    at_utc: new Date(atMs).toISOString(),
    down_seconds: Math.round(downMs / 1000),
    recovered,
    relevant,
    not_arrived: notArrived,
  };
}
