/** Turns what the rooms say of themselves into the facts that `/health` shows. Pure but for the clock of changes. */
import type { LeaderStatus } from '../coordination/leader.ts';
import type { Project } from '../domain/project.ts';
import type { Finding } from '../foundation/findings.ts';
import type { PollResult } from '../ingress/project-poller.ts';
import type { RedisStatus } from '../redis/connection.ts';
import type { HealthFacts, ProjectView, RoleView, Subsystem, SubsystemName, SubsystemState } from './health.ts';

export interface RoomStates {
  /** `unset`: there is no REDIS_URL. */
  readonly redis: RedisStatus | 'unset';
  /** Whether the worker takes jobs; false until it has been started and after it was paused. */
  readonly consumerRunning: boolean;
  readonly leaders: readonly LeaderStatus[];
  readonly recoveringMs: number;
  readonly projects: readonly Project[];
  readonly polls: ReadonlyMap<string, PollResult>;
  readonly findings: readonly Finding[];
}

/** Remembers when each subsystem changed, which is all that it keeps. */
export function createHealthCollector(): (
  states: RoomStates,
) => Pick<HealthFacts, 'subsystems' | 'findings' | 'roles' | 'projects'> {
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
      // Without Redis nobody can lead or recover: the subsystems say so already.
      findings:
        redis !== 'unset' && redis.state === 'up'
          ? [...states.findings, ...leaderFindings(states.leaders), ...recoveryFindings(states.recoveringMs)]
          : states.findings,
      roles: states.leaders.map(roleView),
      projects: states.projects.map((project) => projectView(project, states.polls.get(project.name))),
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

function roleView({ role, position, holder, epoch, problem }: LeaderStatus): RoleView {
  return { role, position, holder, epoch, problem: problem === undefined ? undefined : 'see findings and log' };
}

function projectView(project: Project, poll: PollResult | undefined): ProjectView {
  return {
    name: project.name,
    platform: project.source.platform,
    polled: project.polling !== undefined,
    disabled: project.disabled,
    interval_seconds: project.polling === undefined ? undefined : project.polling.intervalMs / 1000,
    last_poll:
      poll === undefined
        ? undefined
        : {
            at_utc: new Date(poll.atMs).toISOString(),
            result: poll.result,
            discovered: poll.discovered,
            pending: poll.pending,
            claimed: poll.claimed,
            skipped: poll.skipped,
            truncated: poll.truncated,
            duration_ms: poll.durationMs,
          },
  };
}
