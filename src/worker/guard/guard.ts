/**
 * The guard of a worker's commands (PROTOCOL 4): a command dies when its worker dies, when the worker stands still, and
 * when no heartbeat is accepted any more; and an attempt counts as ended only when its whole process group is gone.
 * The groups are owned by a separate process (guard-process.ts), which is started when it is first needed and replaced
 * when it died; if it cannot be started, the attempt ends as `no-guard`, and the next one tries again. What leaves its group
 * by setsid is not covered.
 */
import type { Moment } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { forkGuard } from './fork-guard.ts';
import { type GuardLink, openGuardLink } from './guard-link.ts';
import type { GuardedEnd, GuardedSpec, GuardedStart, GuardTiming } from './guarded-process.ts';

export interface GuardedProcess {
  /** Never rejects. */
  readonly started: Promise<GuardedStart>;
  /** Resolves when nothing of the process group is alive any more. Never rejects. */
  readonly ended: Promise<GuardedEnd>;
}

export interface Guard {
  /** Throws if the attempt is running already. */
  start(spec: GuardedSpec): GuardedProcess;
  /** To be called with the sending time of each heartbeat that Redis accepted. */
  beat(attemptId: string, sentAt: Moment): void;
  /** To be called while beats fail for a reason to freeze the group rather than to end it, when its trust ends. */
  spare(attemptId: string, at: Moment): void;
  /** SIGTERM to the group, SIGKILL after `stopGraceMs` or if it is frozen. Does nothing for an attempt that has ended. */
  stop(attemptId: string, reason: string): void;
  /** Stops what still runs, resolves when it is gone and the guard process has ended. A later start ends as `stopped`. */
  close(): Promise<void>;
}

export function createGuard(options: { readonly log: Log; readonly timing: GuardTiming }): Guard {
  const running = new Map<string, Promise<GuardedEnd>>();
  let current: GuardLink | undefined;
  let closed = false;

  const startUnderGuard = (spec: GuardedSpec): GuardedProcess => {
    if (current === undefined || current.lost()) {
      const forked = forkGuard(options.timing);
      if (!forked.ok) return withoutGuard(forked.problem, options.log);
      current = openGuardLink(forked.child, options);
    }
    return current.start(spec);
  };

  return {
    start(spec) {
      const { attemptId } = spec;
      if (running.has(attemptId)) throw new Error(`start attempt ${attemptId}: it is running already`);
      if (closed) return neverStarted();
      const guarded = startUnderGuard(spec);
      running.set(attemptId, guarded.ended);
      void guarded.ended.finally(() => running.delete(attemptId));
      return guarded;
    },
    beat(attemptId, sentAt) {
      current?.beat(attemptId, sentAt);
    },
    spare(attemptId, at) {
      current?.spare(attemptId, at);
    },
    stop(attemptId, reason) {
      current?.stop(attemptId, reason);
    },
    async close() {
      closed = true;
      for (const attemptId of running.keys()) current?.stop(attemptId, CLOSING);
      await Promise.all(running.values());
      await current?.close();
    },
  };
}

const CLOSING = 'the guard is closing';

function neverStarted(): GuardedProcess {
  return {
    started: Promise.resolve({ kind: 'not-started', reason: CLOSING }),
    ended: Promise.resolve({ kind: 'stopped', reason: CLOSING, outputTail: '' }),
  };
}

function withoutGuard(problem: Promise<string>, log: Log): GuardedProcess {
  void problem.then((reason) => log.error({ reason }, 'no guard process, so no command is started'));
  return {
    started: problem.then((reason) => ({ kind: 'not-started', reason })),
    ended: problem.then((reason) => ({ kind: 'no-guard', reason, outputTail: '' })),
  };
}
