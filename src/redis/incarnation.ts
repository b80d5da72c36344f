/**
 * Whose data this is (PROTOCOL 7): the note that names it, who wrote it, and since when. It changes whenever Redis has
 * lost its data or another server answers: `server` is the run id and the replication id of the one that we talk to.
 */
import type { Redis } from 'ioredis';
import { ulid } from 'ulid';
import { type Moment, now } from '../foundation/clock.ts';
import type { Log } from '../foundation/log.ts';
import { evalScript } from './scripts.ts';

export interface IncarnationOptions {
  readonly key: string;
  /** Finding no data means nothing was lost. */
  readonly freshServer?: boolean;
  /** The note is read and never written. */
  readonly readOnly?: boolean;
  readonly log: Log;
}

/** The data that we see, from one loss to the next. */
interface Incarnation {
  readonly id: string;
  /** Its beginning in Redis TIME, 0 when nothing was there to lose. */
  readonly since: string;
  /** Milliseconds of Redis TIME from then until we looked. */
  readonly ageMs: number;
  readonly lookedAt: Moment;
}

export interface IncarnationWatch {
  /** Undefined before the first look. */
  id(): string | undefined;
  /** Asks the server; `lost` when the data that we knew is gone. */
  look(): Promise<'same' | 'lost'>;
  /** Milliseconds left of a window that began with the loss; 0 outside it, the whole window before the first look. */
  leftMs(windowMs: number): number;
}

export function watchIncarnation(client: Redis, options: IncarnationOptions): IncarnationWatch {
  const { key, log } = options;
  let known: Incarnation | undefined;

  const note = async (): Promise<Omit<Incarnation, 'lookedAt'>> => {
    const info = `${await client.info('server')}\n${await client.info('replication')}`;
    const field = (name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
    const server = `${field('run_id')} ${field('master_replid')}`;
    // Only what nobody has seen yet is fresh: data that is missing later was lost, whoever started the server.
    const fresh = options.freshServer === true && known === undefined;
    const args = [server, ulid(), fresh ? '1' : '0', known?.since ?? '0'];
    const reply = (await evalScript(client, 'recover', [key], args)) as string[];
    const [id = '', since = '0', ageMs = '0', what] = reply;
    if (what === 'changed' && !fresh) log.warn({ incarnation: id }, 'redis is new to us, or has lost its data');
    return { id, since, ageMs: Number(ageMs) };
  };

  const read = async (): Promise<Omit<Incarnation, 'lookedAt'>> => {
    const [id, since] = await client.hmget(key, 'id', 'since');
    const [seconds] = await client.time();
    const ageMs = Number(seconds) * 1000 - Number(since ?? Number(seconds) * 1000);
    return { id: id ?? '', since: since ?? '0', ageMs };
  };

  return {
    id: () => known?.id,
    async look() {
      const seen = await (options.readOnly === true ? read() : note());
      const isLost = known !== undefined && known.id !== seen.id;
      known = { ...seen, lookedAt: now() };
      return isLost ? 'lost' : 'same';
    },
    leftMs(windowMs) {
      if (known === undefined) return windowMs;
      // The steady clock alone: a wall clock that jumps forward must not cut the window short.
      return Math.max(0, windowMs - known.ageMs - (now().monotonicMs - known.lookedAt.monotonicMs));
    },
  };
}
