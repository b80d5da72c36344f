/** `agent-smith plan`: one cycle of all polled projects without a write, as a table, and what polling costs. */
import { type PlanReport, plan as planCycle } from '../app/inquiry/plan.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import { type ConfigPlace, openConfig } from './open-config.ts';
import { planJson, planLines } from './plan-text.ts';
import { type ExitCode, openLog, printable, UsageError } from './process.ts';
import { outputWidth, wrapLine } from './wrap.ts';

export interface PlanCommandOptions extends ConfigPlace {
  /** Only this one. */
  readonly project?: string | undefined;
  readonly json: boolean;
}

const MOST_JUDGED = 20;

export async function plan(options: PlanCommandOptions): Promise<ExitCode> {
  const { env, project } = options;
  const { file, config } = await openConfig(options);
  if (project !== undefined && !config.connections.has(project)) {
    const known = [...config.connections.keys()].join(', ');
    throw new UsageError(`no project ${printable(project)} in ${file}; there are: ${known}`);
  }
  const { log, redactor } = openLog({ ...env, LOG_LEVEL: env.LOG_LEVEL ?? 'error' });
  const report = await planCycle(
    { config, timing: DEFAULT_TIMING, log, redactor, project, mostJudged: MOST_JUDGED },
    new AbortController().signal,
  );
  const shown = options.json ? JSON.stringify(planJson(report), null, 2) : asText(report);
  // What a platform answered is quoted, and may quote what it was sent.
  console.log(redactor.redact(shown));
  return isWhole(report) ? 0 : 1;
}

/** Notes are broken, rows are not: a broken table cannot be read. */
function asText(report: PlanReport): string {
  const lines = planLines(report).flatMap((line) => (/^[-!] /.test(line) ? wrapLine(line, 2, outputWidth()) : [line]));
  return lines.map(printable).join('\n');
}

/** Whether every polled project could be asked. */
function isWhole({ projects }: PlanReport): boolean {
  return projects.every(({ plan: { result } }) => result === 'ok');
}
