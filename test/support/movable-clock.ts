/** A clock that stands until a test moves it. */
import { type Moment, now } from '../../src/foundation/clock.ts';

export interface MovableClock {
  readonly clock: () => Moment;
  pass(ms: number): void;
}

export function movableClock(): MovableClock {
  const { monotonicMs, uptimeMs, wallMs } = now();
  let passedMs = 0;
  return {
    clock: () => ({
      // Whole ones: what has passed is then exactly what was let pass.
      monotonicMs: Math.floor(monotonicMs) + passedMs,
      uptimeMs,
      wallMs,
    }),
    pass: (ms) => {
      passedMs += ms;
    },
  };
}
