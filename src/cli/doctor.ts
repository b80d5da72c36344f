/** `agent-smith doctor`: asks everything that a replica needs whether it is there, and says what to do where it is not. */
import { examine } from '../app/doctor.ts';
import { type CheckState, type DoctorCheck, summarise } from '../app/doctor-check.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import { type ConfigPlace, openConfig } from './open-config.ts';
import { pickTicket } from './pick-ticket.ts';
import { type ExitCode, openLog, printable, UsageError, untilSignalled } from './process.ts';

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
    : [...doctorLines(checks), '', `doctor: ${summarise(checks)}`].join('\n');
  // What a platform answered is quoted, and may quote what it was sent.
  console.log(redactor.redact(shown));
  return failed ? 1 : 0;
}

/** One line for each check, and below it what to do. Pure. */
export function doctorLines(checks: readonly DoctorCheck[]): string[] {
  const width = (cell: (check: DoctorCheck) => string): number => Math.max(0, ...checks.map((c) => cell(c).length));
  const subjects = Math.min(
    MOST_SUBJECT,
    width(({ subject }) => subject),
  );
  const names = width(({ check }) => check);
  return checks.flatMap(({ subject, check, state, text, advice }) => {
    const line = `${MARKS[state].padEnd(9)}${subject.padEnd(subjects)}  ${check.padEnd(names)}  ${text}`;
    return [line, ...(advice === undefined ? [] : [`         -> ${advice}`])].map(printable);
  });
}

/** Many projects may share one source. */
const MOST_SUBJECT = 40;

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
