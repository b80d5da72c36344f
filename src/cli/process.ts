/** What all commands share: signals, versions, the name of this replica. Only here and in `config/` is `process.env` read. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Environment } from '../config/expand.ts';
import { logLevel } from '../config/settings.ts';
import { createLog, type Log } from '../foundation/log.ts';
import { within } from '../foundation/loop.ts';
import { createRedactor, type Redactor } from '../foundation/redactor.ts';

/** Exit codes: 0 fine, 1 failed, 2 usage or config. */
export type ExitCode = 0 | 1 | 2;

/** The system tells a process nothing when its parent dies; scripts/launch.mjs says who it is. */
const LAUNCHER_CHECK_MS = 500;
/** Less than a pipeline's command may be given to end: nobody waits for it any more. */
const DISMISSED_PATIENCE_MS = 4_000;
const LOG_PATIENCE_MS = 1_000;

/** A mistake of the user: shown without a stack, exit 2. The message says what to do next. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Unique among replicas, also when a pod restarts under its old name. */
export function instanceName(): string {
  return `${os.hostname()}-${process.pid}-${randomBytes(2).toString('hex')}`;
}

export function openLog(env: Environment): { readonly log: Log; readonly redactor: Redactor } {
  const redactor = createRedactor();
  return { redactor, log: createLog({ level: logLevel(env), redactor }) };
}

/** Aborts on the first SIGINT or SIGTERM; a second one ends the process at once. */
export function untilSignalled(): AbortSignal {
  const asked = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked.signal.aborted) process.exit(128 + os.constants.signals[signal]);
    asked.abort(signal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return asked.signal;
}

/**
 * For commands that serve somebody who sits in front of them: aborts also when the terminal is closed, when nobody reads
 * our output any more, and when the launcher that started us is gone; then an orderly end may take a few seconds only.
 * `server` knows none of these: it may be started with nohup.
 */
export function untilDismissed(env: Environment): AbortSignal {
  const dismissed = new AbortController();
  const dismiss = (): void => {
    if (dismissed.signal.aborted) return;
    dismissed.abort();
    // What is left then ends by itself: our children and temporary folders are on a leash.
    setTimeout(() => process.exit(128 + os.constants.signals.SIGHUP), DISMISSED_PATIENCE_MS).unref();
  };
  // A closed terminal may tell it more than once: the kernel, the shell, and every write to it that fails.
  process.on('SIGHUP', dismiss);
  for (const stream of [process.stdout, process.stderr, process.stdin]) stream.on('error', dismiss);
  const launcher = Number(env.AGENTSMITH_LAUNCHER);
  if (launcher === process.ppid) {
    const watch = setInterval(() => {
      if (process.ppid !== launcher) dismiss();
    }, LAUNCHER_CHECK_MS);
    watch.unref();
  }
  return AbortSignal.any([untilSignalled(), dismissed.signal]);
}

/**
 * Until all that was written has been taken: to a pipe Node writes in the background, and an exit drops what waits there.
 * Whoever asked for an output gets all of it, however slowly it is read; the log is not waited for long.
 */
export async function outputTaken(): Promise<void> {
  const taken = (stream: NodeJS.WriteStream): Promise<void> => {
    // A reader that has gone takes nothing more.
    stream.on('error', () => {});
    return new Promise((resolve) => void stream.write('', () => resolve()));
  };
  await Promise.all([taken(process.stdout), within(LOG_PATIENCE_MS, () => taken(process.stderr))]);
}

/** Untrusted text on a terminal: without control characters it cannot move the cursor or fake a line. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
