/**
 * The ids by which platforms know the repositories and projects that are watched. A payload names its place as it is called
 * today; the configuration names it as it was called when somebody wrote it down. The id is the same in both, and is learnt
 * from the deliveries that came before the rename.
 */
import type { Project } from '../domain/project.ts';
import { sourceKey } from '../domain/ticket.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RedisConnection } from '../redis/connection.ts';

export interface PlaceIds {
  /** The id under which the project's place was seen last. Throws `OperationError` when Redis is away. */
  idOf(project: Project): Promise<string | undefined>;
  /** It was seen under this id. Never throws: the next delivery says it again. */
  note(project: Project, id: string): void;
}

/** As many as there are sources in the configuration: nothing else is ever noted. */
export function createPlaceIds(
  redis: Pick<RedisConnection, 'incarnation' | 'keys' | 'read' | 'script'>,
  log: Log,
): PlaceIds {
  const { keys } = redis;
  const noted = new Map<string, string>();
  return {
    async idOf({ source }) {
      const id = await redis.read('read place id', (client) => client.hget(keys.places, sourceKey(source)));
      return id ?? undefined;
    },
    note({ source }, id) {
      const key = sourceKey(source);
      // Redis may have lost what it was told.
      const note = `${redis.incarnation() ?? ''} ${id}`;
      if (noted.get(key) === note) return;
      noted.set(key, note);
      redis.script('note-place', [keys.places], [key, id]).catch((error: unknown) => {
        noted.delete(key);
        log.debug({ error: messageOf(error) }, 'place id not noted');
      });
    },
  };
}
