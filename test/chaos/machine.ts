/**
 * The machine itself: a busy one stands still for a moment, and so does a Redis whose disk is slow. To the replicas that is a
 * fault like any other, only nobody has asked for it. It is noted apart: it explains what it must explain, and does not
 * count. While Redis is hurt on purpose it is no wonder that it does not answer, and nothing is noted.
 */
import { Redis } from 'ioredis';
import { sleep } from '../../src/foundation/loop.ts';
import type { Chronicle } from './chronicle.ts';
import { type ChaosSettings, timingOf } from './settings.ts';

/** The kind under which it is noted. */
export const MACHINE = 'machine';

const LOOK_MS = 20;

/** Looks until the signal aborts. */
export async function watchMachine(
  chronicle: Chronicle,
  redisUrl: string,
  settings: ChaosSettings,
  signal: AbortSignal,
): Promise<void> {
  const { redisCommandMs } = timingOf(settings);
  const client = new Redis(redisUrl, { maxRetriesPerRequest: null, retryStrategy: () => LOOK_MS });
  // Redis is taken away on purpose; a question that is waiting is answered when it is back.
  client.on('error', () => undefined);
  /** Notes a wait as soon as it is longer than a replica waits for Redis. */
  const within = async (name: string, act: () => Promise<unknown>): Promise<void> => {
    let over: (() => void) | undefined;
    const timer = setTimeout(() => {
      if (isHurt()) return;
      over = chronicle.fault({ kind: MACHINE, name, target: 'all', hitWork: false });
    }, redisCommandMs / 2);
    await act();
    clearTimeout(timer);
    over?.();
  };
  const isHurt = (): boolean =>
    chronicle.faults().some(({ kind, untilMs }) => kind === 'redis' && untilMs === undefined);
  const aborted = untilAborted(signal);
  try {
    while (!signal.aborted) {
      await within('Redis is slow', () => Promise.race([client.ping(), aborted]));
      const startedAt = performance.now();
      await sleep(LOOK_MS, signal);
      const lateMs = performance.now() - startedAt - LOOK_MS;
      // It stood still before this line was reached: noted now, at its end.
      if (lateMs > redisCommandMs / 2) {
        chronicle.fault({ kind: MACHINE, name: 'stands still', target: 'all', hitWork: false })();
      }
    }
  } finally {
    client.disconnect();
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
