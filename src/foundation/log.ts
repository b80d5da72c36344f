/**
 * Structured logs: pretty on a terminal, JSON otherwise. Messages are static; what varies goes into fields. Every line
 * passes the redactor once it is JSON, so that a secret inside an error message of a library does not get out either;
 * made pretty it is after that, because what is indented and coloured is not found any more.
 */
import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Redactor } from './redactor.ts';

export type Log = Logger;

export interface LogOptions {
  readonly level: string;
  readonly redactor: Redactor;
  /** Where the lines go; standard error by default, so that a command's own output stays clean. */
  readonly destination?: NodeJS.WritableStream & { isTTY?: boolean };
}

export function createLog(options: LogOptions): Log {
  const out = options.destination ?? process.stderr;
  // A full disk, or a reader that is gone, costs the lines and nothing else; standard error takes the next ones when it can.
  out.on('error', () => {});
  const shown =
    out.isTTY === true
      ? prettyFactory({ colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', singleLine: true })
      : (line: string) => line;
  const redacting = { write: (line: string) => void out.write(shown(options.redactor.redact(line))) };
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, redacting);
}
