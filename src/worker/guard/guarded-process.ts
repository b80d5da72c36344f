/**
 * What the worker and its guard process agree on: what is started, how it ends, and the messages in the pipe between
 * them. Everything here is plain JSON.
 */
import type { Timing } from '../../domain/timing.ts';
import type { Moment } from '../../foundation/clock.ts';

export type GuardTiming = Pick<Timing, 'trustTermMs' | 'trustKillMs' | 'stopGraceMs'>;

/** How much of the output of a command is kept, in bytes of UTF-8. */
export const OUTPUT_TAIL_BYTES = 64 * 1024;

/** Names the attempt in the environment of its processes, so that they can be found when nobody knows their pid. */
export const GUARD_MARK = 'AGENTSMITH_GUARD';

/** What the guard starts: no shell, nothing inherited. */
export interface GuardedSpec {
  /** Unique for the lifetime of the worker. */
  readonly attemptId: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** A folder of this attempt alone. The guard removes it if the worker dies: then nobody else does. */
  readonly temporaryFolder?: string;
  /** The whole environment, except for `AGENTSMITH_GUARD`, which the guard adds. */
  readonly env: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly stdin: string;
  /** Replaced in the output, also across chunk borders. */
  readonly secrets: readonly string[];
  /** When the call was sent that Redis accepted last for this attempt: trust runs from here. */
  readonly trustedSince: Moment;
}

export type GuardedStart =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'not-started'; readonly reason: string };

/** How the main process ended. */
export type Ending =
  | { readonly kind: 'exited'; readonly code: number }
  | { readonly kind: 'signalled'; readonly signal: string }
  /** Ended after `stop`, however it took that. */
  | { readonly kind: 'stopped'; readonly reason: string }
  /** `reason` is a sentence for people. */
  | { readonly kind: 'not-started'; readonly reason: string }
  /** No beat was accepted for `trustTermMs`. */
  | { readonly kind: 'trust-lost' }
  /** The guard process itself died; the output it held went with it. */
  | { readonly kind: 'guard-lost' }
  /** There was no guard to start it under; `reason` is a sentence for people. Says nothing about the command. */
  | { readonly kind: 'no-guard'; readonly reason: string };

/** Whatever the ending: nothing of the group is alive any more. */
export type GuardedEnd = Ending & { readonly outputTail: string };

export type ToGuard =
  | { readonly type: 'start'; readonly spec: GuardedSpec }
  | { readonly type: 'beat'; readonly attemptId: string; readonly sentAt: Moment }
  /** No beat was accepted, and when trust ends the group is to be frozen rather than ended. Silence says nothing. */
  | { readonly type: 'spare'; readonly attemptId: string; readonly at: Moment }
  | { readonly type: 'stop'; readonly attemptId: string; readonly reason: string };

export type FromGuard =
  /** `startTime` tells this process from a later one with the same pid; undefined where the system does not say. */
  | { readonly type: 'started'; readonly attemptId: string; readonly pid: number; readonly startTime?: string }
  | { readonly type: 'stop-received'; readonly attemptId: string }
  | { readonly type: 'frozen' | 'thawed'; readonly attemptId: string }
  /** SIGKILL has not ended the group within another grace: it waits for the kernel, or belongs to another user. */
  | { readonly type: 'surviving'; readonly attemptId: string; readonly pid: number }
  | { readonly type: 'ended'; readonly attemptId: string; readonly end: GuardedEnd };
