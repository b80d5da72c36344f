/**
 * From the file to one good configuration, or to everything that is wrong with it: read the YAML, check it as a whole,
 * build. Only unreadable YAML ends the way early.
 */
import path from 'node:path';
import { buildPipelines } from './build-pipelines.ts';
import { type BuiltProject, buildProject, crowdedRoutes } from './build-projects.ts';
import { checkFile } from './check-file.ts';
import type { Config, LoadedConfig } from './config.ts';
import { hashOf, readConfigText } from './config-text.ts';
import type { Facts } from './cross-checks.ts';
import { type ConfigDocument, readDocument } from './document.ts';
import type { Environment } from './expand.ts';
import { type ConfigFinding, warning } from './findings.ts';
import { defaultCallbackUrl } from './http-pipelines.ts';
import { openPipeline } from './pipelines.ts';
import { byPosition, type Problem } from './problems.ts';
import { createSecrets } from './secrets.ts';
import { agentSettings, environmentProblems, redisSettings, serverSettings } from './settings.ts';
import { telemetryOf } from './telemetry.ts';

export interface LoadOptions {
  /** Path of the file; relative paths inside it start in its folder. */
  readonly file: string;
  readonly env: Environment;
}

/** Reads and checks the file. Never throws for what is in the file or for a file that is not there. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const read = await readConfigText(options.file);
  return read.ok ? buildConfig({ ...options, text: read.text }) : { ok: false, problems: [read.problem] };
}

/** Checks and builds from a text that has been read already. */
export async function buildConfig(options: LoadOptions & { readonly text: string }): Promise<LoadedConfig> {
  const { env, text } = options;
  const read = readDocument(text);
  if (!read.ok) return read;
  const { document } = read;
  const file = path.resolve(options.file);
  const directory = path.dirname(file);

  const { facts, problems: wrong } = checkFile(document, env);
  const agent = agentSettings(facts.file, facts.projects);
  const built = buildProjects(facts, env, directory);
  const problems = [...wrong, ...agent.problems, ...crowdedRoutes(built), ...environmentProblems(facts.file, env)];
  if (problems.length > 0) return { ok: false, problems: place(problems, document) };

  const projects = built.map(({ project }) => project);
  const { pipelines, scripts, findings } = await buildPipelines(facts.file, document.tree, projects, directory);
  const byProject = <T>(pick: (one: BuiltProject) => T): ReadonlyMap<string, T> =>
    new Map(built.map((one) => [one.project.name, pick(one)]));
  const secretsByProject = byProject((one) => one.secrets);
  const { traces, findings: ofTelemetry } = telemetryOf(facts.file, env);
  const config: Config = {
    file,
    catalog: { hash: hashOf(text), projects, pipelines },
    connections: byProject((one) => one.connection),
    ingress: byProject((one) => one.ingress),
    engine: facts.file.event_engine ?? 'default',
    agent: agent.settings,
    redis: redisSettings(facts.file),
    server: serverSettings(facts.file, env),
    maxRunsPerTicketPerDay: facts.file.runs?.max_per_ticket_per_day ?? 5,
    ...(traces !== undefined && { traces: traces.settings }),
    scripts,
    findings: [
      ...agent.findings,
      ...fileFindings(facts, env),
      ...ofTelemetry,
      ...built.flatMap((one) => one.findings),
      ...findings,
    ],
    secrets: createSecrets(env, secretsByProject, Object.values(facts.file.pipelines), facts.uses, traces?.target),
    openPipeline: (policy) => openPipeline(policy, env, directory, defaultCallbackUrl(facts.file)),
  };
  return { ok: true, config };
}

function buildProjects(facts: Facts, env: Environment, directory: string): BuiltProject[] {
  return facts.projects.flatMap((name) => {
    const section = facts.file.projects[name];
    const tickets = facts.tickets.get(name);
    const source = facts.sources.get(name);
    if (section === undefined || tickets === undefined || source === undefined) return [];
    return [buildProject(name, section, tickets, source, { facts, env, directory })];
  });
}

/** Gives each problem its line; the same thing said twice is said once. */
function place(problems: readonly Problem[], document: ConfigDocument): Problem[] {
  const distinct = new Map(problems.map((problem) => [JSON.stringify([problem.path, problem.message]), problem]));
  return [...distinct.values()]
    .map((problem) => (problem.path.length === 0 ? problem : { ...problem, ...document.positionOf(problem.path) }))
    .sort(byPosition);
}

function fileFindings({ file, projects, tickets }: Facts, env: Environment): ConfigFinding[] {
  const findings: ConfigFinding[] = [];
  if (projects.length === 0) findings.push(warning('no-projects', 'there are no projects: nothing is watched'));
  for (const name of projects) {
    if (!tickets.has(name)) findings.push(warning('no-tickets', `${name} is off: it has no tickets section`, name));
  }
  const variable = file.webhooks?.secret_env;
  if (variable !== undefined && (env[variable] ?? '') === '') {
    findings.push(warning('secret-missing', `webhooks.secret_env: ${variable} is not set`));
  }
  return findings;
}
