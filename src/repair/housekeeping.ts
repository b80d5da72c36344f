/**
 * The housekeeping leader's work: the repair loops, side by side, until the term ends. Outside the recovery window only:
 * while live workers register themselves again, nobody is declared dead and no label is adopted.
 */
import type { Term } from '../coordination/leader.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every, everyOverlapping } from '../foundation/loop.ts';
import type { Pass } from './repair.ts';

export interface HousekeepingDeps {
  readonly staleJobs: Pass;
  readonly admissionLists: Pass;
  readonly enqueued: Pass;
  readonly deadClaims: Pass;
  readonly projection: Pass;
  readonly platformPass: Pass;
  readonly retention: Pass;
  readonly leftoverJobs: Pass;
  /** Apart from the Jobs: services that do not answer hold up nobody else. */
  readonly unheardServices: Pass;
  /** Milliseconds left of the recovery window; 0 outside it. */
  readonly recoveringMs: () => number;
  readonly log: Log;
}

export interface HousekeepingOptions {
  readonly staleScanMs: number;
  readonly reconcileScanMs: number;
  readonly projectionScanMs: number;
  readonly retentionScanMs: number;
}

export function createHousekeeping(
  deps: HousekeepingDeps,
  options: HousekeepingOptions,
): (term: Term) => Promise<void> {
  return async (term) => {
    const loop = (
      name: string,
      intervalMs: number,
      pass: Pass,
      { duringRecovery = false, repeat = every } = {},
    ): Promise<void> => {
      return repeat(
        {
          intervalMs,
          signal: term.signal,
          onError: (error) => deps.log.warn({ pass: name, error: messageOf(error) }, 'repair pass failed'),
        },
        async () => {
          term.assertTrusted();
          if (duringRecovery || deps.recoveringMs() === 0) await pass(term);
        },
      );
    };
    await Promise.all([
      loop('stale jobs', options.staleScanMs, deps.staleJobs),
      loop('admission lists', options.reconcileScanMs, deps.admissionLists),
      loop('enqueued', options.reconcileScanMs, deps.enqueued),
      loop('dead claims', options.reconcileScanMs, deps.deadClaims, { repeat: everyOverlapping }),
      loop('projection', options.projectionScanMs, deps.projection, { duringRecovery: true }),
      loop('platform pass', options.staleScanMs, deps.platformPass, { repeat: everyOverlapping }),
      loop('retention', options.retentionScanMs, deps.retention),
      loop('leftover jobs', options.reconcileScanMs, deps.leftoverJobs),
      loop('unheard services', options.reconcileScanMs, deps.unheardServices),
    ]);
  };
}
