/**
 * The last poll of each project, as the poller leader saw it, for everybody who does not lead: `/health` of the other
 * replicas, `explain`, `plan`. Written once a poll.
 */
import type { EngineKind, FallbackReason } from '../domain/project.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createProjectBoard } from './project-board.ts';

export interface PollSummary {
  readonly project: string;
  /** The replica that polled. */
  readonly by: string;
  /** Wall-clock ms of that replica. */
  readonly atMs: number;
  readonly durationMs: number;
  /** `ok`, or the kind of what stopped it: a `PlatformErrorKind` or `internal-error`. */
  readonly result: string;
  /** No request was sent: the credential was held back, or the rest of its budget is kept for work. */
  readonly heldBack: boolean;
  /** How long the platform, or our own budget, asked to wait. */
  readonly retryAfterMs: number | undefined;
  /** Candidates by trigger labels, and by `agent-smith:pending`. */
  readonly discovered: number;
  readonly pending: number;
  readonly claimed: number;
  /** Candidates that were not claimed, by outcome in one word group. */
  readonly skipped: Readonly<Record<string, number>>;
  /** There was more than one cycle takes: the next one goes on from there. */
  readonly truncated: boolean;
  /** HTTP requests of the listings; those of claims are not in it. */
  readonly requests: number;
  /** Time to the next poll, jitter left out: longer than the configured interval while it is stretched or backed off. */
  readonly effectiveIntervalMs: number;
  /** The event engine that asked for it. */
  readonly engine: EngineKind;
  /** Why that is not the engine that `auto` prefers. */
  readonly engineReason?: FallbackReason | undefined;
  /** What it claimed although deliveries should have brought it; 0 while polling. */
  readonly recovered: number;
}

/** All of these throw `OperationError` when Redis is away. */
export interface PollBoard {
  publish(summary: PollSummary): Promise<void>;
  /** By project. What is older than a day is not shown. */
  read(): Promise<ReadonlyMap<string, PollSummary>>;
  /** Takes down the projects that are not polled any more. */
  retain(projects: ReadonlySet<string>): Promise<void>;
}

const BOARD_TTL_MS = 86_400_000;

/** What JSON leaves out, and what a replica of an older version does not write. */
const ABSENT = { retryAfterMs: undefined, engine: 'polling', recovered: 0 } as const;

/** A summary as any version of this program has written it. */
type Written = Omit<PollSummary, 'project' | keyof typeof ABSENT> & Partial<Pick<PollSummary, keyof typeof ABSENT>>;

export function createPollBoard(redis: Pick<RedisConnection, 'keys' | 'read' | 'script'>): PollBoard {
  const board = createProjectBoard<Written>(redis, {
    key: redis.keys.polls,
    ttlMs: BOARD_TTL_MS,
    name: 'the last polls',
  });
  return {
    publish: ({ project, ...summary }) => board.publish(project, summary),
    async read() {
      const entries = [...(await board.read())].map(([project, summary]): [string, PollSummary] => [
        project,
        { ...ABSENT, ...summary, project },
      ]);
      return new Map(entries.filter(([, { atMs }]) => Date.now() - atMs < BOARD_TTL_MS));
    },
    retain: board.retain,
  };
}
