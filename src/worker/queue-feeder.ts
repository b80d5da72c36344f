/**
 * Feeds the queue, on every replica: tells the others how many slots are free here, and admits what may go into them, every
 * second and whenever a slot here is taken or becomes free (runs/admissions.ts). It needs no leader: whoever asks
 * admits for all, and asking twice at once admits nothing twice.
 *
 * The word that a slot is taken goes out before the job is taken from its list, on the same connection: so at no moment a run
 * seems to be neither on its way to a slot nor in one. A replica that dies is believed for a few seconds more; what is admitted for
 * its slots waits in the queue for the next free one.
 */
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { Admissions, Caps } from '../runs/admissions.ts';

export interface QueueFeeder {
  /** A slot is taken for as long as the work lasts. */
  during<T>(work: () => Promise<T>): Promise<T>;
  /** Feeds until the signal aborts, and then tells the others that no slot is free here. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
}

export interface QueueFeederDeps {
  readonly admissions: Pick<Admissions, 'admit' | 'tell' | 'leave'>;
  /** As this replica knows them at the moment. */
  readonly caps: () => Caps;
  readonly queue: Pick<RunQueue, 'add'>;
  readonly log: Log;
}

export interface QueueFeederOptions {
  readonly instance: string;
  readonly slots: number;
  readonly admitMs: number;
}

export function createQueueFeeder(deps: QueueFeederDeps, options: QueueFeederOptions): QueueFeeder {
  const { admissions, queue, log } = deps;
  const { instance, slots } = options;
  let taken = 0;
  /** Until it runs, and after it has ended, its slots are nobody's business. */
  let isFeeding = false;
  const own = () => ({ instance, free: Math.max(0, slots - taken) });

  const feed = async (): Promise<void> => {
    const turns = await admissions.admit(own(), deps.caps());
    await Promise.all(
      turns.map((turn) =>
        queue.add(turn).catch((error: unknown) => {
          log.warn({ run: turn.run, error: messageOf(error) }, 'job of an admitted run not added, repair will add it');
        }),
      ),
    );
  };
  /** While Redis is away there is nothing to feed; the next second asks again. */
  const quietly = (act: Promise<void>): Promise<void> =>
    act.catch((error: unknown) => log.debug({ error: messageOf(error) }, 'queue not fed'));

  return {
    async during(work) {
      taken += 1;
      if (isFeeding) void quietly(admissions.tell(own()));
      try {
        return await work();
      } finally {
        taken -= 1;
        if (isFeeding) void quietly(feed());
      }
    },
    async run(signal) {
      isFeeding = true;
      const { admitMs: intervalMs } = options;
      const onError = (error: unknown): void => log.debug({ error: messageOf(error) }, 'queue not fed');
      await every({ intervalMs, signal, onError }, feed);
      isFeeding = false;
      await quietly(admissions.leave(instance));
    },
  };
}
