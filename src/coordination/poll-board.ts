/**
 * The last poll of each project, as the poller leader saw it, for everybody who does not lead: `/health` of the other
 * replicas, `explain`, `plan`. One hash, one field a project, written once a poll. Numbers and words of ours only: no
 * ticket text, no URL, and a reason is its kind.
 */
import type { RedisConnection } from '../redis/connection.ts';

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

export function createPollBoard(redis: Pick<RedisConnection, 'keys' | 'read' | 'script'>): PollBoard {
  const { keys } = redis;
  const fields = (): Promise<Record<string, string>> =>
    redis.read('read the last polls', (client) => client.hgetall(keys.polls));
  return {
    async publish({ project, ...summary }) {
      await redis.script('publish-poll', [keys.polls], [BOARD_TTL_MS, project, JSON.stringify(summary)]);
    },
    async read() {
      const entries = Object.entries(await fields()).map(([project, text]): [string, PollSummary] => [
        project,
        { retryAfterMs: undefined, ...(JSON.parse(text) as Omit<PollSummary, 'project' | 'retryAfterMs'>), project },
      ]);
      return new Map(entries.filter(([, { atMs }]) => Date.now() - atMs < BOARD_TTL_MS));
    },
    async retain(projects) {
      const gone = Object.keys(await fields()).filter((project) => !projects.has(project));
      if (gone.length > 0) await redis.script('retire-polls', [keys.polls], gone);
    },
  };
}
