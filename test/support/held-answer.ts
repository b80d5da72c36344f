/** An act that is done at once and answers late, as over a line that hangs. */
import { setTimeout as delay } from 'node:timers/promises';

export function heldFor<Args extends unknown[], T>(
  ms: number,
  act: (...args: Args) => Promise<T>,
): (...args: Args) => Promise<T> {
  return async (...args) => {
    const answer = await act(...args);
    await delay(ms);
    return answer;
  };
}
