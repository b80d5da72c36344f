/** The event engine that goes by the clock: everything is looked at now, and again after each pause. */
import { createWakeSource, type NudgedEngine, type WakeSourceOptions } from './wake-source.ts';

export interface PollingEngineOptions extends WakeSourceOptions {
  /** From the moment when the next wake is first asked for; asked before each pause. */
  readonly pauseMs: () => number;
}

export function createPollingEngine({ pauseMs, ...options }: PollingEngineOptions): NudgedEngine {
  let first = true;
  return createWakeSource(async ({ pause }) => {
    if (!first) await pause(pauseMs());
    first = false;
    return { reason: 'full_reconcile' };
  }, options);
}
