/**
 * Waits until something that was listed may have changed, by watches that go on from the list. What an event says is not looked
 * at: whoever waits lists again. So an event that is lost, doubled or late does no harm; only none at all would, and a watch in
 * which nothing is heard for long is opened anew.
 */
import type { Timing } from '../../../domain/timing.ts';
import { ClusterError, type Watch } from './cluster.ts';
import type { Retry } from './retry.ts';

export interface WatchedList {
  /** Of the list. */
  readonly resourceVersion: string;
  readonly watch: (watch: Watch) => Promise<void>;
}

export interface UntilChangeOptions extends Pick<Timing, 'clusterWatchMs' | 'clusterQuietMs'> {
  /** Why else to stop waiting. */
  readonly signal: AbortSignal;
  readonly retry: () => Retry;
}

/** Resolves also when the signal aborts, and when a watch cannot go on from where it was. Rejects only for a bug. */
export async function untilChange(lists: readonly WatchedList[], options: UntilChangeOptions): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, options.signal]);

  const follow = async ({ resourceVersion, watch }: WatchedList): Promise<void> => {
    const retry = options.retry();
    let from = resourceVersion;
    while (!signal.aborted) {
      try {
        await watch({
          resourceVersion: from,
          forMs: options.clusterWatchMs,
          quietMs: options.clusterQuietMs,
          signal,
          onEvent(event) {
            retry.succeeded();
            from = event.resourceVersion;
            if (event.kind === 'change') over.abort();
          },
        });
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        if (error.kind === 'expired') over.abort();
        else await retry.pause(error, signal);
        continue;
      }
      // Ended in order by the server, which may do so at any time; not at once again, if it does nothing else.
      await retry.breathe(signal);
    }
  };
  try {
    await Promise.all(lists.map(follow));
  } finally {
    over.abort();
  }
}
