/**
 * The event engine that goes by what platforms send: tickets that are due in the inbox of Redis, whichever replica took
 * the delivery in. Whoever accepts a delivery here nudges it; what another replica accepted, or what is due again, it finds
 * by looking. Redis being away is no error of its own: it looks again, a little less often.
 */
import { messageOf } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import type { TakenTicket } from '../../runs/delivery-records.ts';
import { createWakeSource, type NudgedEngine, type WakeSourceOptions } from './wake-source.ts';

export interface StreamingEngineDeps {
  /** Hands out tickets that are due, at most so many. Those of a stopped engine come back when their lease is over. */
  readonly take: (most: number) => Promise<readonly TakenTicket[]>;
  readonly log: Log;
}

export interface StreamingEngineOptions extends WakeSourceOptions {
  readonly inboxScanMs: number;
  /** How many tickets may be taken now. Nudge the engine when there is room again. */
  readonly free: () => number;
}

const MOST_SCANS_LEFT_OUT = 8;

export function createStreamingEngine(
  { take, log }: StreamingEngineDeps,
  { inboxScanMs, free, ...options }: StreamingEngineOptions,
): NudgedEngine {
  let failures = 0;

  const look = async (): Promise<readonly TakenTicket[]> => {
    const most = free();
    if (most <= 0) return [];
    try {
      const tickets = await take(most);
      failures = 0;
      return tickets;
    } catch (error) {
      failures += 1;
      log.debug({ error: messageOf(error), failures }, 'inbox not looked at');
      return [];
    }
  };

  return createWakeSource(async ({ signal, pause }) => {
    while (!signal.aborted) {
      const tickets = await look();
      if (tickets.length > 0) return { reason: 'ticket_hint', tickets };
      await pause(inboxScanMs * Math.min(2 ** failures, MOST_SCANS_LEFT_OUT));
    }
    return { reason: 'shutdown' };
  }, options);
}
