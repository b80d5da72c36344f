/**
 * Time in the test's hands, for loops that take how they sleep as an argument: they sleep until the test lets time pass,
 * and wake in their order at their exact times. Requests and Redis keep taking real time, and time does not pass while a
 * loop that woke up is still at work: so an hour takes as long as the work in it, and nothing in it is scaled.
 */
import type { Sleep } from '../../src/foundation/loop.ts';

export interface HeldTime {
  readonly sleep: Sleep;
  /** Resolves when so many sleep. */
  atRest(sleepers: number): Promise<void>;
  /** Lets time pass. Resolves when everybody who woke up sleeps again. */
  pass(ms: number): Promise<void>;
}

interface Sleeper {
  readonly dueMs: number;
  readonly wake: (slept: boolean) => void;
}

export function holdTime(): HeldTime {
  const sleepers = new Set<Sleeper>();
  let nowMs = 0;

  const waiting = new Set<() => void>();
  const atRest = async (count: number): Promise<void> => {
    while (sleepers.size !== count) {
      await new Promise<void>((resolve) => {
        waiting.add(resolve);
      });
    }
  };

  return {
    atRest,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const wake = (slept: boolean): void => {
          sleepers.delete(sleeper);
          signal.removeEventListener('abort', giveUp);
          resolve(slept);
        };
        const giveUp = (): void => wake(false);
        const sleeper: Sleeper = { dueMs: nowMs + ms, wake };
        sleepers.add(sleeper);
        for (const look of waiting) look();
        waiting.clear();
        signal.addEventListener('abort', giveUp);
        if (signal.aborted) giveUp();
      }),
    async pass(ms) {
      const endMs = nowMs + ms;
      const count = sleepers.size;
      for (;;) {
        nowMs = Math.min(...[...sleepers].map(({ dueMs }) => dueMs), endMs);
        const due = [...sleepers].filter(({ dueMs }) => dueMs <= nowMs);
        if (due.length === 0) return;
        for (const { wake } of due) wake(true);
        await atRest(count);
      }
    },
  };
}
