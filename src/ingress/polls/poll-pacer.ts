/**
 * The pace of one project's polls: what each cycle says about the next one. Polls and dry runs go by it alike; how long a
 * pause that makes is decided in `poll-schedule.ts`.
 */
import type { Polling } from '../../domain/project.ts';
import type { BudgetWindow } from '../../platforms/rate-limits.ts';
import { effectiveIntervalMs, nextPauseMs, type PollPace } from './poll-schedule.ts';

export interface PollPacer {
  /** How a cycle went. */
  note(cycle: PacedCycle): void;
  /** Failed cycles in a row. */
  failures(): number;
  /** Time to the next cycle, jitter left out. */
  effectiveIntervalMs(): number;
  /** Milliseconds to wait now. */
  pauseMs(): number;
}

export interface PacedCycle {
  /** `ok`, or the kind of what stopped it. */
  readonly result: string;
  /** No request was sent. */
  readonly heldBack: boolean;
  readonly retryAfterMs: number | undefined;
  readonly truncated: boolean;
  readonly claimed: number;
}

export interface PollPacerOptions extends Pick<PollPace, 'backoffMaxMs'> {
  /** What is configured; asked each time, since another engine has another pace. */
  readonly polling: () => Polling;
  /** What is left of the credential's budget; undefined while nobody knows. */
  readonly window: () => BudgetWindow | undefined;
}

/** A cycle that claimed what it could and left more behind is followed by the next one this soon. */
const GO_ON_MS = 1_000;

export function createPollPacer({ polling, window, backoffMaxMs }: PollPacerOptions): PollPacer {
  let failures = 0;
  let last: PacedCycle | undefined;

  const pace = (): PollPace => {
    const { intervalMs, jitterPercent } = polling();
    // There is more work of which we know: it need not wait for the next look.
    const goesOn = last?.result === 'ok' && last.truncated && last.claimed > 0;
    return {
      intervalMs: goesOn ? Math.min(GO_ON_MS, intervalMs) : intervalMs,
      jitterPercent,
      backoffMaxMs,
      // An outage ends by itself, and each poll that finds one costs a single request, so none is put off.
      failures: last?.result === 'unavailable' ? 0 : failures,
      retryAfterMs: last?.retryAfterMs,
      window: window(),
    };
  };

  return {
    note(cycle) {
      // To be held back is no failure: nobody was asked, and the wait is known.
      if (!cycle.heldBack) failures = cycle.result === 'ok' ? 0 : failures + 1;
      last = cycle;
    },
    failures: () => failures,
    effectiveIntervalMs: () => effectiveIntervalMs(pace()),
    pauseMs: () => nextPauseMs(pace(), Math.random()),
  };
}
