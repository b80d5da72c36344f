/**
 * Starts the guard process, or says why it cannot be. Node tells a failed fork in three ways: it throws (no memory), it
 * answers a child without a channel (no file left to open), or one whose channel is dead (no process left to start). Both
 * of these have no pid, and why comes in an event.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../foundation/errors.ts';
import type { GuardTiming } from './guarded-process.ts';

/** Compiled or not, the program of the guard process lies beside this file and has the same extension. */
const GUARD_PROGRAM = fileURLToPath(new URL(`guard-process${path.extname(import.meta.url)}`, import.meta.url));

export type ForkedGuard =
  | { readonly ok: true; readonly child: ChildProcess }
  /** Nothing was started. `problem` is a sentence for people; it never rejects. */
  | { readonly ok: false; readonly problem: Promise<string> };

export function forkGuard(timing: GuardTiming): ForkedGuard {
  try {
    const child = fork(GUARD_PROGRAM, [JSON.stringify(timing)], {
      detached: true,
      // The guard needs nothing of our environment, and must not pass anything of it on.
      env: {},
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    if (child.pid !== undefined) return { ok: true, child };
    return { ok: false, problem: once(child, 'error').then(([error]) => sentence(error)) };
  } catch (error) {
    return { ok: false, problem: Promise.resolve(sentence(error)) };
  }
}

function sentence(error: unknown): string {
  return `The guard process could not be started: ${messageOf(error)}`;
}
