/** `agent-smith doctor`: asks everything that a replica needs whether it is there, and says what to do where it is not. */

import { type CheckState, type DoctorCheck, summarise } from '../app/doctor/check.ts';
import { examine } from '../app/doctor/examine.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import { type ConfigPlace, openConfig } from './open-config.ts';
import { pickTicket } from './pick-ticket.ts';
import { type ExitCode, openLog, printable, UsageError, untilSignalled } from './process.ts';
import { outputWidth, wrapLine } from './wrap.ts';

export interface DoctorCommandOptions extends ConfigPlace {
  readonly json: boolean;
  /** `--write-test`, and the `--project` that it belongs to. */
  readonly ticket?: string | undefined;
  readonly project?: string | undefined;
}

export async function doctor(options: DoctorCommandOptions): Promise<ExitCode> {
  const { env, ticket, project } = options;
  if ((ticket === undefined) !== (project === undefined)) {
    throw new UsageError('--write-test TICKET and --project P belong together');
  }
  const { file, config } = await openConfig(options);
  const writeTest =
    ticket === undefined || project === undefined
      ? undefined
      : { project, ticketId: pickTicket(config, file, project, ticket).ticketId };
  const { log, redactor } = openLog({ ...env, LOG_LEVEL: env.LOG_LEVEL ?? 'error' });
  const checks = await examine({
    config,
    env,
    timing: DEFAULT_TIMING,
    log,
    redactor,
    signal: untilSignalled(),
    onProgress: showProgress,
    writeTest,
  });
  const failed = checks.some(({ state }) => state === 'problem');
  const shown = options.json
    ? JSON.stringify({ ok: !failed, file, checks }, null, 2)
    : [...doctorLines(checks, outputWidth()), '', `doctor: ${summarise(checks)}`].join('\n');
  // What a platform answered is quoted, and may quote what it was sent.
  console.log(redactor.redact(shown));
  return failed ? 1 : 0;
}

/** One entry for each check, and below it what to do. Pure. */
export function doctorLines(checks: readonly DoctorCheck[], width: number): string[] {
  const longest = (texts: readonly string[]): number => Math.max(0, ...texts.map(({ length }) => length));
  // Longer ones stand out, rather than push the text of all others off the terminal.
  const subjects = longest(checks.map(({ subject }) => subject).filter(({ length }) => length <= MOST_SUBJECT));
  const names = longest(checks.map(({ check }) => check));
  const indent = MARK_WIDTH + subjects + 2 + names + 2;
  return checks.flatMap(({ subject, check, state, text, advice }) => {
    const line = `${MARKS[state].padEnd(MARK_WIDTH)}${subject.padEnd(subjects)}  ${check.padEnd(names)}  ${text}`;
    const todo = advice === undefined ? [] : wrapLine(`${' '.repeat(MARK_WIDTH)}-> ${advice}`, MARK_WIDTH + 3, width);
    return [...wrapLine(line, indent, width), ...todo].map(printable);
  });
}

/** A credential has a long name, and many projects may share one source. */
const MOST_SUBJECT = 20;
const MARK_WIDTH = 9;

const MARKS: Readonly<Record<CheckState, string>> = {
  ok: 'ok',
  warning: 'warning',
  problem: 'PROBLEM',
  unknown: '?',
};

/** On a terminal alone, and on standard error: what is piped on is the report. */
function showProgress(answered: number, all: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(answered === all ? '\r\u001b[K' : `\r${answered} of ${all} sources asked`);
}
