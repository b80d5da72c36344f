/**
 * One guard process as its worker sees it: messages there and back, and the duty to clean up after it.
 *
 * If the guard process dies, nobody watches its groups any more. So this side kills them at once, waits until they are
 * gone, and reports their attempts as `guard-lost`. A guard that does not answer a stop within the grace stands still
 * and is treated as dead.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
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

/** Compiled or not, the program of the guard process lies beside this file and has the same extension. */
const GUARD_PROGRAM = fileURLToPath(new URL(`guard-process${path.extname(import.meta.url)}`, import.meta.url));

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

export function openGuardLink({ log, timing }: { log: Log; timing: GuardTiming }): GuardLink {
  const attempts = new Map<string, Attempt>();
  let lost = false;
  let closing = false;
  const child = fork(GUARD_PROGRAM, [JSON.stringify(timing)], {
    detached: true,
    // The guard needs nothing of our environment, and must not pass anything of it on.
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => log.error({ text }, 'guard process wrote to stderr'));
  child.on('message', (message: FromGuard) => receive(message));
  child.once('exit', (code, signal) => abandon({ code, signal }));
  child.once('error', (error) => abandon({ error: messageOf(error) }));

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
    for (const attempt of attempts.values()) {
      void killAbandoned(attempt).then(() => settle(attempt, { kind: 'guard-lost', outputTail: '' }));
    }
  };

  const send = (message: ToGuard): void => {
    // A pipe that is closed already means that the process is gone, and `exit` deals with that.
    child.send(message, () => undefined);
  };

  const killIfSilent = (attempt: Attempt): void => {
    if (attempt.stopConfirmed || !attempts.has(attempt.id)) return;
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
      if (lost || child.pid === undefined) return;
      const exited = once(child, 'exit');
      // It holds nothing any more, so it may be killed: that works whatever state it is in.
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Kills what a dead guard process held for an attempt, and resolves when it is gone. */
async function killAbandoned(attempt: Attempt): Promise<void> {
  if (attempt.group !== undefined && isStill(attempt.group)) signalGroup(attempt.group.pid, 'SIGKILL');
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
