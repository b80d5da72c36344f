/** Turns what the rooms say of themselves into the facts that `/health` shows. Pure but for the clock of changes. */
import type { LeaderStatus } from '../coordination/leader.ts';
import type { PollSummary } from '../coordination/poll-board.ts';
import type { Project } from '../domain/project.ts';
import type { Finding } from '../foundation/findings.ts';
import { stretchOf } from '../ingress/poll-schedule.ts';
import type { UsedCredential } from '../platforms/connections.ts';
import { holdOf } from '../platforms/rate-limits.ts';
import type { RedisStatus } from '../redis/connection.ts';
import type {
  BudgetView,
  HealthFacts,
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
        subsystem('webhooks', 'disabled', 'no webhook receiver in this build', false),
      ],
      findings: [
        ...states.findings,
        ...states.credentials.flatMap(budgetFindings),
        ...states.projects.flatMap(({ name }) => claimFindings(name, states.polls.get(name))),
        // Without Redis nobody can lead or recover: the subsystems say so already.
        ...(redis !== 'unset' && redis.state === 'up'
          ? [...leaderFindings(states.leaders), ...recoveryFindings(states.recoveringMs)]
          : []),
      ],
      roles: states.leaders.map(roleView),
      projects: states.projects.map((project) => projectView(project, states.polls.get(project.name))),
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
          text: `Redis lost data or was replaced: repair waits ${Math.ceil(recoveringMs / 1000)} s for live workers to report.`,
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

function projectView(project: Project, poll: PollSummary | undefined): ProjectView {
  return {
    name: project.name,
    platform: project.source.platform,
    polled: project.polling !== undefined,
    disabled: project.disabled,
    interval_seconds: project.polling === undefined ? undefined : project.polling.intervalMs / 1000,
    effective_interval_seconds:
      project.polling === undefined ? undefined : (poll?.effectiveIntervalMs ?? project.polling.intervalMs) / 1000,
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
          },
  };
}
