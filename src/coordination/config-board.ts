/**
 * Which configuration each replica runs (PROTOCOL 10). Each says so every now and then; one that has said nothing for a
 * while is gone. Replicas differ while a new configuration is rolled out, and should not for long: they would treat the
 * same ticket differently, and whoever leads at the moment would decide which projects are watched.
 */
import type { RedisConnection } from '../redis/connection.ts';

/** The replicas of one configuration. */
export interface ConfigGroup {
  readonly hash: string;
  /** In alphabetical order, as the hashes are. */
  readonly instances: readonly string[];
}

export interface ConfigDifference {
  readonly forMs: number;
  /** Two or more. */
  readonly groups: readonly ConfigGroup[];
}

export interface ConfigBoard {
  /** This replica runs this configuration. How the others differ from it or from each other; undefined: not at all. */
  note(instance: string, hash: string): Promise<ConfigDifference | undefined>;
}

/** Notes that may be missing until a replica counts as gone. */
const USUAL_NOTES = 3;

export function createConfigBoard(
  redis: Pick<RedisConnection, 'keys' | 'script'>,
  options: { readonly configNoteMs: number },
): ConfigBoard {
  return {
    async note(instance, hash) {
      const [kind, now, since, ...replicas] = await redis.script(
        'note-config',
        [redis.keys.configs],
        [instance, hash, USUAL_NOTES * options.configNoteMs],
      );
      if (kind !== 'differ') return undefined;
      return { forMs: Number(now) - Number(since), groups: groupsOf(replicas.map(String)) };
    },
  };
}

/** From `instance, hash, ...`. */
function groupsOf(flat: readonly string[]): ConfigGroup[] {
  const replicas = flat.flatMap((instance, i) => (i % 2 === 0 ? [{ instance, hash: flat[i + 1] ?? '' }] : []));
  return [...Map.groupBy(replicas, ({ hash }) => hash)]
    .map(([hash, same]) => ({ hash, instances: same.map(({ instance }) => instance).toSorted() }))
    .toSorted((a, b) => (a.hash < b.hash ? -1 : 1));
}
