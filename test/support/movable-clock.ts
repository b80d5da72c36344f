/** A clock that stands until a test moves it. */
import { type Moment, now } from '../../src/foundation/clock.ts';

export interface MovableClock {
  readonly clock: () => Moment;
  pass(ms: number): void;
}

export function movableClock(): MovableClock {
  const start = now();
  let passedMs = 0;
  return {
    clock: () => ({
      monotonicMs: start.monotonicMs + passedMs,
      uptimeMs: start.uptimeMs,
      wallMs: start.wallMs,
    }),
    pass: (ms) => {
      passedMs += ms;
    },
  };
}
