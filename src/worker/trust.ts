/**
 * How long a worker may believe that an attempt is still its own (PROTOCOL 4). Trust runs from the *sending* time of
 * the last heartbeat that Redis accepted and ends before the heartbeat expires there, so a successor never starts while
 * this worker still writes. Clocks are compared on the line before a side effect: a timer fires too late after a pause.
 */
import type { Timing } from '../domain/timing.ts';
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import { isSpared } from './guard/leash.ts';

export interface Trust {
  /** A heartbeat sent at this moment was accepted. */
  renew(sentAt: Moment): void;
  /** There was a reason to freeze the runner rather than to stop it. It gives no trust. */
  spare(at: Moment): void;
  /** Another attempt owns the run: there is no trust any more, whatever was accepted before. */
  revoke(): void;
  /** Milliseconds of trust left before the runner must be told to stop; 0 when there is none. */
  leftMs(): number;
  trusted(): boolean;
  /** Not trusted, and nothing spares the runner either. */
  lost(): boolean;
}

export interface TrustOptions extends Pick<Timing, 'trustTermMs'> {
  readonly startedAt: Moment;
  /** The present moment; default: this machine's. */
  readonly clock?: () => Moment;
}

export function createTrust(options: TrustOptions): Trust {
  const { trustTermMs, clock = now } = options;
  let since = options.startedAt;
  let sparedAt: Moment | undefined;
  let revoked = false;
  const leftMs = (): number => (revoked ? 0 : Math.max(0, trustTermMs - elapsedMs(since, clock())));
  const trusted = (): boolean => leftMs() > 0;
  return {
    renew(sentAt) {
      since = sentAt;
    },
    spare(at) {
      sparedAt = at;
    },
    revoke() {
      revoked = true;
    },
    leftMs,
    trusted,
    lost: () => !trusted() && !isSpared(sparedAt && elapsedMs(sparedAt, clock()), options),
  };
}
