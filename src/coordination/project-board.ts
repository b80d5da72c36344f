/**
 * What a leader shows to everybody who does not lead: one hash, one field for each project, as JSON. Numbers and words of
 * ours only: no ticket text, no URL, and a reason is its kind.
 */
import type { RedisConnection } from '../redis/connection.ts';

/** All of these throw `OperationError` when Redis is away. */
export interface ProjectBoard<Entry> {
  publish(project: string, entry: Entry): Promise<void>;
  /** By project. */
  read(): Promise<ReadonlyMap<string, Entry>>;
  /** Takes down all other projects. */
  retain(projects: ReadonlySet<string>): Promise<void>;
}

export interface ProjectBoardOptions {
  readonly key: string;
  /** After the last entry, ms. */
  readonly ttlMs: number;
  /** What it shows, in words. */
  readonly name: string;
}

export function createProjectBoard<Entry extends object>(
  redis: Pick<RedisConnection, 'read' | 'script'>,
  { key, ttlMs, name }: ProjectBoardOptions,
): ProjectBoard<Entry> {
  const fields = (): Promise<Record<string, string>> => redis.read(`read ${name}`, (client) => client.hgetall(key));
  return {
    async publish(project, entry) {
      await redis.script('publish-on-board', [key], [ttlMs, project, JSON.stringify(entry)]);
    },
    async read() {
      const entries = Object.entries(await fields());
      return new Map(entries.map(([project, text]) => [project, JSON.parse(text) as Entry]));
    },
    async retain(projects) {
      const gone = Object.keys(await fields()).filter((project) => !projects.has(project));
      if (gone.length > 0) await redis.script('retire-from-board', [key], gone);
    },
  };
}
