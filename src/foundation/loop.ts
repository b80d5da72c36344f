/**
 * Sleeping and repeating, both on a signal. `every` never overlaps itself, never dies of an error, and stops when its
 * signal aborts; the promise it returns resolves once the last pass is over.
 */

/** Node fires a longer timer at once. About 24 days. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Resolves true after `ms` (at most `LONGEST_TIMER_MS`), or false at once when the signal aborts (or already has). Never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(
      () => {
        signal.removeEventListener('abort', onAbort);
        resolve(true);
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

export type Sleep = typeof sleep;

/** Resolves when `act` is over, or the time is: then its signal aborts, and it may go on unobserved. Rejects as `act` does. */
export async function within(ms: number, act: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const over = new AbortController();
  try {
    await Promise.race([act(over.signal), sleep(ms, over.signal)]);
  } finally {
    over.abort();
  }
}

export interface EveryOptions {
  /** Pause between the end of one pass and the start of the next, in ms; a function is asked before each pause. */
  readonly intervalMs: number | (() => number);
  readonly signal: AbortSignal;
  /** Called with what a pass threw. The loop goes on. */
  readonly onError: (error: unknown) => void;
  /** How it pauses; default: real time. */
  readonly sleep?: Sleep;
}

/** Runs `once` now and again after each interval, until the signal aborts. */
export async function every(options: EveryOptions, once: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { signal, sleep: pause = sleep } = options;
  while (!signal.aborted) {
    try {
      await once(signal);
    } catch (error) {
      if (!signal.aborted) options.onError(error);
    }
    const pauseMs = typeof options.intervalMs === 'function' ? options.intervalMs() : options.intervalMs;
    await pause(pauseMs, signal);
  }
}

/** As `every`, but a pass that lasts does not put off the next. Resolves once all passes are over. */
export async function everyOverlapping(
  options: EveryOptions,
  once: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { signal, onError } = options;
  const passes = new Set<Promise<void>>();
  await every(options, async () => {
    const pass = once(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) onError(error);
      })
      .finally(() => passes.delete(pass));
    passes.add(pass);
  });
  await Promise.all(passes);
}
