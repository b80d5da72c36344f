/** What every kind of runner is to the worker: it starts one attempt, and says once how that ended. */
import type { CodeSource } from '../../domain/project.ts';
import type { RunResult } from '../../domain/run-result.ts';
import type { PlatformSlug, Ticket } from '../../domain/ticket.ts';
import type { Moment } from '../../foundation/clock.ts';

export interface Runner<Request extends RunnerRequest = RunnerRequest> {
  /**
   * Leashed: what it starts dies with the worker, and when the worker loses trust. Otherwise it is adoptable: it goes on
   * without the worker, and the next attempt adopts it.
   */
  readonly leashed: boolean;
  /**
   * Asked before an attempt is begun: why it cannot start now although nothing is wrong, in words. The turn then comes back
   * later, and no attempt is used up. Never rejects. Missing: it can start at any time.
   */
  blockedBy?(request: RunnerQuestion & Omit<Request, keyof RunnerRequest>): Promise<string | undefined>;
  start(request: Request): RunnerHandle;
}

/** What is known of an attempt before it begins. */
export type RunnerQuestion = Pick<RunnerRequest, 'run' | 'ticket' | 'adopts'>;

/** One attempt of one run. */
export interface RunnerRequest {
  readonly run: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** An earlier attempt may have left its work behind: at work, or with an end that nobody knows yet. */
  readonly adopts: boolean;
  /** Fence of the attempt. */
  readonly fence: number;
  readonly project: string;
  readonly pipeline: string;
  readonly platform: PlatformSlug;
  /** As read afresh for this attempt. */
  readonly ticket: Ticket;
  readonly code: CodeSource;
  readonly timeoutMs: number;
  /** For work that continues the trace of the run; undefined where traces are off. */
  readonly traceparent?: string | undefined;
  /** When the call was sent that made this attempt the current one: trust runs from here until the first beat. */
  readonly trustedSince: Moment;
}

export interface RunnerHandle {
  /** Resolves when nothing of the attempt runs any more, except what an adoptable runner left behind. Never rejects. */
  readonly ended: Promise<RunnerEnd>;
  /** A heartbeat sent at `sentAt` was accepted. Adoptable runners ignore it. */
  beat(sentAt: Moment): void;
  /**
   * No heartbeat is accepted now, for a reason to freeze what runs when trust ends rather than to stop it: it then
   * executes nothing until the next accepted one. Adoptable runners ignore it.
   */
  spare(at: Moment): void;
  /**
   * Ends the attempt; the first reason counts. `ended` says `stopped`, or whatever came first. An adoptable runner ends what
   * it started only when it was cancelled: for any other reason it lets go of it, and the next attempt adopts it. One that is
   * `drained` while it cancels takes no longer for that than `stopGraceMs`.
   */
  stop(reason: StopReason): void;
}

/** Another attempt owns the run; this worker leaves; it cannot prove any more that the run is its own; people want it to end. */
export type StopReason = 'superseded' | 'drained' | 'trust-lost' | 'cancelled';

/** What every end tells beside its kind. */
interface Told {
  readonly outputTail: string;
  /** What the work itself says came of it; only where it ended by itself. */
  readonly result?: RunResult;
}

export type RunnerEnd = Told &
  (
    | { readonly kind: 'exited'; readonly code: number }
    /** Done or failed for good as whoever did the work, or watched it, says: by no exit code. `reason` is for people. */
    | { readonly kind: 'reported'; readonly done: boolean; readonly reason: string }
    /** Killed by a signal that we did not send. */
    | { readonly kind: 'signalled'; readonly signal: string }
    /** `detail` is for people: what kept it from ending in time, where that is known. */
    | { readonly kind: 'timed-out'; readonly timeoutMs: number; readonly detail?: string }
    | { readonly kind: 'stopped'; readonly reason: string }
    /** It can not start like this; `reason` is a sentence for people. */
    | { readonly kind: 'not-started'; readonly reason: string }
    /** Ended for our own reasons, not for its own: says nothing about the pipeline. `reason` is for people. */
    | { readonly kind: 'lost'; readonly reason: string }
  );
