/**
 * Structured logs: pretty on a terminal, JSON otherwise. Messages are static; what varies goes into fields. Every line
 * passes the redactor as its last step, so that a secret inside an error message of a library does not get out either.
 */
import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
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
  const redacting = new Writable({
    decodeStrings: false,
    write(line: string | Buffer, _encoding, done) {
      out.write(options.redactor.redact(String(line)));
      done();
    },
  });
  const stream =
    out.isTTY === true
      ? pretty({ destination: redacting, colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
      : redacting;
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream);
}
