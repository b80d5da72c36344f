/**
 * How long a worker may believe that an attempt is still its own (PROTOCOL 4). Trust runs from the *sending* time of
 * the last heartbeat that Redis accepted and ends before the heartbeat expires there, so a successor never starts while
 * this worker still writes. Clocks are compared on the line before a side effect: a timer fires too late after a pause.
 */
import { elapsedMs, type Moment } from '../foundation/clock.ts';

export interface Trust {
  /** A heartbeat sent at this moment was accepted. */
  renew(sentAt: Moment): void;
  /** Milliseconds of trust left before the runner must be told to stop; 0 when there is none. */
  leftMs(): number;
  trusted(): boolean;
}

export function createTrust(options: { readonly trustTermMs: number; readonly startedAt: Moment }): Trust {
  let since = options.startedAt;
  const leftMs = (): number => Math.max(0, options.trustTermMs - elapsedMs(since));
  return {
    renew(sentAt) {
      since = sentAt;
    },
    leftMs,
    trusted: () => leftMs() > 0,
  };
}
