/** `agent-smith validate`: what is wrong with the configuration, or what it means. Opens no connection. */
import path from 'node:path';
import type { Config } from '../config/config.ts';
import { configFile } from '../config/config-text.ts';
import type { Environment } from '../config/expand.ts';
import type { Ingress } from '../config/ingress-policy.ts';
import { loadConfig } from '../config/load.ts';
import { formatPath, formatProblem, type Problem } from '../config/problems.ts';
import type { Polling, Project } from '../domain/project.ts';
import { tableLines } from './table.ts';

export interface ValidateOptions {
  /** `--config`. */
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

export interface ValidateReport {
  /** 0 = usable (findings are no errors), 2 = not. */
  readonly exitCode: 0 | 2;
  /** For a terminal. */
  readonly lines: readonly string[];
  /** For `--json`; plain data. */
  readonly json: unknown;
}

export async function validate(options: ValidateOptions): Promise<ValidateReport> {
  const file = configFile({ flag: options.file, env: options.env, cwd: options.cwd });
  const loaded = await loadConfig({ file, env: options.env });
  const shown = path.relative(options.cwd, file).startsWith('..') ? file : path.relative(options.cwd, file);
  return loaded.ok ? reportConfig(shown, loaded.config) : reportProblems(shown, loaded.problems);
}

function reportProblems(file: string, problems: readonly Problem[]): ValidateReport {
  const lines = problems.map((problem) => (isAboutTheFile(problem) ? problem.message : formatProblem(file, problem)));
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const verdict = problems.every(isAboutTheFile) ? [] : ['', `${file} cannot be used: ${count}`];
  return {
    exitCode: 2,
    lines: [...lines, ...verdict].map(withoutControls),
    json: {
      ok: false,
      file,
      problems: problems.map(({ path: at, ...rest }) => ({ path: formatPath(at), ...rest })),
    },
  };
}

/** A missing file and a wrong variable have no place in the file. */
function isAboutTheFile(problem: Problem): boolean {
  return problem.path.length === 0 && problem.line === undefined;
}

function reportConfig(file: string, config: Config): ValidateReport {
  const rows = config.catalog.projects.map((project) => rowOf(project, config.ingress.get(project.name)));
  const table = rows.length === 0 ? [] : ['', ...tableLines([HEADINGS, ...rows.map((row) => Object.values(row))])];
  const findings = config.findings.map(
    ({ severity, code, text }) => `${severity === 'info' ? '-' : '!'} ${code}: ${text}`,
  );
  const lines = [`${file} is fine`, ...table, ...(findings.length === 0 ? [] : ['', ...findings])];
  return {
    exitCode: 0,
    lines: lines.map(withoutControls),
    json: { ok: true, file, hash: config.catalog.hash, ingress: rows, findings: config.findings },
  };
}

const HEADINGS = ['project', 'tickets', 'listed', 'webhooks', 'starts a run', 'state'];

interface Row {
  readonly project: string;
  readonly tickets: string;
  readonly listed: string;
  readonly webhooks: string;
  readonly starts: string;
  readonly state: string;
}

function rowOf(project: Project, ingress: Ingress | undefined): Row {
  const { platform, host, container, scope } = project.source;
  const labels = [...project.routing.pipelineFromLabel].map(([label, pipeline]) => `${label} -> ${pipeline}`);
  return {
    project: project.name,
    tickets: `${platform} ${[host, container, scope].filter((part) => part !== undefined && part !== '').join('/')}`,
    listed: listed(ingress),
    webhooks: ingress?.webhooks === true ? 'yes' : 'no',
    starts: labels.length === 0 ? 'agent-smith:pending' : labels.join(', '),
    state: project.disabled === undefined ? 'on' : `off: ${project.disabled}`,
  };
}

function listed(ingress: Ingress | undefined): string {
  if (ingress?.polling === undefined) return 'no';
  const { listing, engine, webhooks } = ingress;
  const often = pace(ingress.polling);
  if (listing === 'reconcile') return `${often} (to be safe)`;
  if (engine?.mode !== 'auto') return often;
  return webhooks ? `auto: ${pace(engine.reconcile)}, else ${often}` : `auto, without a webhook secret: ${often}`;
}

function pace({ intervalMs, jitterPercent }: Polling): string {
  return `every ${intervalMs / 1000} s +-${jitterPercent}%`;
}

/** Names from a file must not steer the terminal. */
function withoutControls(line: string): string {
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '');
}
