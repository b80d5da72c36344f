/**
 * What a platform last said about one credential's budget. Kept in the memory of the process; a store that shares it
 * between replicas has to offer no more than this.
 */
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';

export interface RateLimits {
  /** Milliseconds until the next call may be made; 0 when it may be made now. */
  waitMs(): number;
  /** Makes no call for this long. A shorter wait never ends a longer one. */
  hold(ms: number): void;
}

export function createRateLimits(clock: () => Moment = now): RateLimits {
  let since = clock();
  let heldMs = 0;
  const waitMs = (): number => Math.max(0, Math.ceil(heldMs - elapsedMs(since, clock())));
  return {
    waitMs,
    hold(ms) {
      if (ms <= waitMs()) return;
      since = clock();
      heldMs = ms;
    },
  };
}
