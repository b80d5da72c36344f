/** Waiting for a condition instead of for time. */
import { setTimeout as delay } from 'node:timers/promises';

/** Often at first, because most waits are short; then less often, because a question costs whoever is asked too. */
const PAUSES_MS = { first: 5, factor: 1.3, most: 40 } as const;

/**
 * Asks `condition` again and again until it answers something truthy, and returns that. Throws with `what` in words
 * after `timeoutMs`. An error that the condition throws ends the wait.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 15_000,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  let pauseMs: number = PAUSES_MS.first;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`);
    await delay(pauseMs);
    pauseMs = Math.min(pauseMs * PAUSES_MS.factor, PAUSES_MS.most);
  }
}
