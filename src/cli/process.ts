/** What all commands share: signals, versions, the name of this replica. Only here and in `config/` is `process.env` read. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import type { Environment } from '../config/expand.ts';
import { logLevel } from '../config/settings.ts';
import { createLog, type Log } from '../foundation/log.ts';
import { createRedactor, type Redactor } from '../foundation/redactor.ts';

/** Exit codes: 0 fine, 1 failed, 2 usage or config. */
export type ExitCode = 0 | 1 | 2;

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

/** Untrusted text on a terminal: without control characters it cannot move the cursor or fake a line. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
