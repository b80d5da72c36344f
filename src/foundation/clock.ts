/**
 * Time that can be trusted for leases and deadlines.
 *
 * One clock is not enough: CLOCK_MONOTONIC stands still while the machine sleeps, the wall clock jumps both ways. So a
 * moment is remembered on three clocks, and what has elapsed since is the largest of the three. A wall clock that jumps
 * forward therefore costs trust too early, never too late.
 */
import os from 'node:os';

/** A moment on this machine. Plain data: it may be sent to another process of the same machine. All in milliseconds. */
export interface Moment {
  /** CLOCK_MONOTONIC, shared by all processes of the machine. */
  readonly monotonicMs: number;
  /** Since boot, suspended time included. */
  readonly uptimeMs: number;
  /** Wall clock since the Unix epoch. */
  readonly wallMs: number;
}

/** The present moment. */
export function now(): Moment {
  return {
    monotonicMs: Number(process.hrtime.bigint()) / 1e6,
    uptimeMs: os.uptime() * 1000,
    wallMs: Date.now(),
  };
}

/** Milliseconds since `since`: the largest that any of the clocks says, never negative. */
export function elapsedMs(since: Moment, at: Moment = now()): number {
  return Math.max(0, at.monotonicMs - since.monotonicMs, at.uptimeMs - since.uptimeMs, at.wallMs - since.wallMs);
}
