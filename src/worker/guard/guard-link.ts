/**
 * One guard process as its worker sees it: messages there and back, and the duty to clean up after it.
 *
 * If the guard process dies, nobody watches its groups any more. So this side kills them at once, waits until they are
 * gone, and reports their attempts as `guard-lost`. A guard that does not answer a stop within the grace, or that cannot be
 * reached, is treated as dead.
 *
 * Who cannot look at the processes of this machine (no file left to open) does not know what is gone: the attempt then goes
 * on, as far as anybody is told, until that was seen. Nobody else gets its run before its command is gone.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Moment } from '../../foundation/clock.ts';
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import {
  type FromGuard,
  GUARD_MARK,
  type GuardedEnd,
  type GuardedSpec,
  type GuardedStart,
  type GuardTiming,
  type ToGuard,
} from './guarded-process.ts';
import { GROUP_POLL_MS, groupsWithEnvironment, killGroup, signalGroup, startTimeOf } from './process-group.ts';

export interface GuardLink {
  start(spec: GuardedSpec): { readonly started: Promise<GuardedStart>; readonly ended: Promise<GuardedEnd> };
  /** Does nothing for an attempt that this guard process does not hold. */
  beat(attemptId: string, sentAt: Moment): void;
  spare(attemptId: string, at: Moment): void;
  stop(attemptId: string, reason: string): void;
  /** Whether the process has died: nothing can be started through it any more. */
  lost(): boolean;
  /** Ends the process. To be called when no attempt is left. */
  close(): Promise<void>;
}

interface Attempt {
  readonly id: string;
  readonly begin: (outcome: GuardedStart) => void;
  readonly end: (end: GuardedEnd) => void;
  /** Undefined until the guard has said it. */
  group?: { readonly pid: number; readonly startTime?: string };
  /** Set by the first stop; ends a guard that does not confirm it. */
  patience?: NodeJS.Timeout;
  stopConfirmed: boolean;
}

/** `child` is a guard process that was just started. */
export function openGuardLink(child: ChildProcess, { log, timing }: { log: Log; timing: GuardTiming }): GuardLink {
  const attempts = new Map<string, Attempt>();
  let lost = false;
  let closing = false;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => log.error({ text }, 'guard process wrote to stderr'));
  child.on('message', (message: FromGuard) => receive(message));
  child.once('exit', (code, signal) => abandon({ code, signal }));
  // It was started, so this is about one signal or message; whether it lives is told by `exit`.
  child.on('error', (error) => log.error({ error: messageOf(error) }, 'guard process not reached'));

  const receive = (message: FromGuard): void => {
    const attempt = attempts.get(message.attemptId);
    if (attempt === undefined) return;
    switch (message.type) {
      case 'started':
        attempt.group = message;
        attempt.begin({ kind: 'started', pid: message.pid });
        break;
      case 'stop-received':
        attempt.stopConfirmed = true;
        break;
      case 'frozen':
        log.warn({ attempt: attempt.id }, 'command frozen until a heartbeat is accepted');
        break;
      case 'thawed':
        log.info({ attempt: attempt.id }, 'command goes on');
        break;
      case 'surviving':
        log.error({ attempt: attempt.id, pid: message.pid }, 'processes of an attempt survive SIGKILL');
        break;
      case 'ended':
        settle(attempt, message.end);
        break;
      default:
        unreachable(message);
    }
  };

  const settle = (attempt: Attempt, end: GuardedEnd): void => {
    attempts.delete(attempt.id);
    clearTimeout(attempt.patience);
    // Without effect for an attempt that did start: a promise resolves once.
    attempt.begin({ kind: 'not-started', reason: end.kind === 'not-started' ? end.reason : end.kind });
    attempt.end(end);
  };

  const abandon = (why: object): void => {
    if (lost) return;
    lost = true;
    if (!closing) log.error({ ...why, attempts: attempts.size }, 'guard process died; killing what it held');
    for (const attempt of attempts.values()) void bury(attempt);
  };

  /** Ends an attempt whose guard has died, as soon as it is certain that nothing of it lives. Never rejects. */
  const bury = async (attempt: Attempt): Promise<void> => {
    if (attempt.group !== undefined && isStill(attempt.group)) signalGroup(attempt.group.pid, 'SIGKILL');
    let told = false;
    for (;;) {
      try {
        await killAbandoned(attempt);
        settle(attempt, { kind: 'guard-lost', outputTail: '' });
        return;
      } catch (error) {
        if (!told) {
          log.error(
            { attempt: attempt.id, error: messageOf(error) },
            'cannot look for what a dead guard held; its attempt goes on until that is possible',
          );
        }
        told = true;
      }
    }
  };

  const send = (message: ToGuard): void => {
    // A guard that cannot be told anything has lost its worker and ends. Should it not: `exit` comes after this.
    child.send(message, (error) => {
      if (error !== null) child.kill('SIGKILL');
    });
  };

  const killIfSilent = (attempt: Attempt): void => {
    if (lost || attempt.stopConfirmed || !attempts.has(attempt.id)) return;
    log.error({ attempt: attempt.id }, 'guard process does not answer; killing it');
    child.kill('SIGKILL');
  };

  return {
    start(spec) {
      const { promise: started, resolve: begin } = Promise.withResolvers<GuardedStart>();
      const { promise: ended, resolve: end } = Promise.withResolvers<GuardedEnd>();
      attempts.set(spec.attemptId, { id: spec.attemptId, begin, end, stopConfirmed: false });
      send({ type: 'start', spec });
      return { started, ended };
    },
    beat(attemptId, sentAt) {
      if (attempts.has(attemptId)) send({ type: 'beat', attemptId, sentAt });
    },
    spare(attemptId, at) {
      if (attempts.has(attemptId)) send({ type: 'spare', attemptId, at });
    },
    stop(attemptId, reason) {
      const attempt = attempts.get(attemptId);
      if (attempt === undefined) return;
      send({ type: 'stop', attemptId, reason });
      // After a pause of this process timers come before the messages that have piled up: those are read first.
      attempt.patience ??= setTimeout(() => setImmediate(killIfSilent, attempt), timing.stopGraceMs);
    },
    lost: () => lost,
    async close() {
      closing = true;
      if (lost) return;
      const exited = once(child, 'exit');
      // It holds nothing any more, so it may be killed: that works whatever state it is in.
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Kills what a dead guard process held for an attempt, and resolves when it is gone. Throws when nobody can look now. */
async function killAbandoned(attempt: Attempt): Promise<void> {
  // Time to read what the guard said before it died, and for a fork that was under way to become a program.
  await delay(GROUP_POLL_MS);
  // The guard may have died between a spawn and its report: then only the mark in the environment leads to the group.
  const groups = new Set(groupsWithEnvironment(`${GUARD_MARK}=${attempt.id}`));
  if (attempt.group !== undefined && isStill(attempt.group)) groups.add(attempt.group.pid);
  await Promise.all([...groups].map(killGroup));
}

/** Whether the number still means the same group. Once its leader is gone, only its own members can keep it in use. */
function isStill({ pid, startTime }: { pid: number; startTime?: string }): boolean {
  const current = startTimeOf(pid);
  return current === undefined || current === startTime;
}
