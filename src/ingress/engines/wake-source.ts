/**
 * What both event engines have in common: a wake is looked for by one pass at a time, whoever waits for it may give up and
 * come back, and a stop ends it all. A wake that comes while nobody waits is kept, so nothing that it carries is lost.
 */
import { type Sleep, sleep } from '../../foundation/loop.ts';
import type { EventEngine, Wake } from './event-engine.ts';

export interface NudgedEngine extends EventEngine {
  /** There may be something now: the pause of the moment, or else the next one, is over. */
  nudge(): void;
}

export interface WakeSearch {
  /** Aborts when the engine is stopped; what is found then is of no use. */
  readonly signal: AbortSignal;
  /** Resolves after `ms`, or at once when the engine is nudged or stopped. */
  pause(ms: number): Promise<void>;
}

export interface WakeSourceOptions {
  /** How it pauses; default: real time. */
  readonly sleep?: Sleep;
}

const SHUTDOWN: Wake = { reason: 'shutdown' };

/** @param search looks for the next wake until it has one; what it throws, `nextWake` throws. */
export function createWakeSource(
  search: (by: WakeSearch) => Promise<Wake>,
  { sleep: pause = sleep }: WakeSourceOptions,
): NudgedEngine {
  const stopped = new AbortController();
  let nudged = new AbortController();
  let coming: { readonly wake: Promise<Wake>; readonly ended: AbortController } | undefined;

  const by: WakeSearch = {
    signal: stopped.signal,
    async pause(ms) {
      await pause(ms, nudged.signal);
      if (!stopped.signal.aborted) nudged = new AbortController();
    },
  };
  const begin = (): NonNullable<typeof coming> => {
    const ended = new AbortController();
    const wake = search(by);
    const end = (): void => ended.abort();
    wake.then(end, end);
    return { wake, ended };
  };

  return {
    async start() {
      coming ??= begin();
    },
    async nextWake(timeoutMs) {
      if (stopped.signal.aborted) return SHUTDOWN;
      coming ??= begin();
      const { wake, ended } = coming;
      await sleep(timeoutMs, ended.signal);
      if (stopped.signal.aborted) return SHUTDOWN;
      if (!ended.signal.aborted) return undefined;
      coming = undefined;
      return await wake;
    },
    nudge: () => nudged.abort(),
    stop() {
      stopped.abort();
      nudged.abort();
      coming?.ended.abort();
    },
  };
}
