/**
 * How long no replica could take deliveries. Each one that can says so every few seconds; when nobody has for a while, the
 * silence is added up. It says that we were up, not that a platform could reach us.
 */
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import type { RedisConnection } from '../redis/connection.ts';

/** Both throw `OperationError` when Redis is away. */
export interface Listening {
  /** This replica can take deliveries now. */
  note(): Promise<void>;
  /** Milliseconds in which nobody could, all silences together; only ever grows. The difference of two answers is a gap. */
  downMs(): Promise<number>;
}

export interface ListeningOptions {
  /** How often a replica notes that it listens. */
  readonly listeningMs: number;
}

/** Notes that may be missing: a slow Redis, or a replica that took over from the only one. */
const USUAL_NOTES = 3;

export function createListening(
  redis: Pick<RedisConnection, 'keys' | 'read' | 'script' | 'timeMs'>,
  { listeningMs }: ListeningOptions,
): Listening {
  const { listening } = redis.keys;
  const usualMs = USUAL_NOTES * listeningMs;
  return {
    async note() {
      await redis.script('note-listening', [listening], [usualMs]);
    },
    async downMs() {
      const [at, downMs] = await redis.read('read who listens', (client) => client.hmget(listening, 'at', 'downMs'));
      const silentMs = at === null ? 0 : (await redis.timeMs()) - Number(at);
      return Number(downMs ?? 0) + (silentMs > usualMs ? silentMs : 0);
    },
  };
}

export interface KeepNotingDeps {
  readonly listening: Pick<Listening, 'note'>;
  /** Whether this replica can take deliveries at this moment, Redis apart. */
  readonly canTake: () => boolean;
  readonly log: Log;
}

/** Notes until the signal aborts. Never rejects. */
export function keepNoting(deps: KeepNotingDeps, options: ListeningOptions, signal: AbortSignal): Promise<void> {
  const { listening, canTake, log } = deps;
  return every(
    {
      intervalMs: options.listeningMs,
      signal,
      // Without Redis no delivery is taken either: the silence is the truth.
      onError: (error) => log.debug({ error: messageOf(error) }, 'not noted that this replica listens'),
    },
    async () => {
      if (canTake()) await listening.note();
    },
  );
}
