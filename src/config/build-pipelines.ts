/** Which pipelines have a runner, and what is worth saying about those that have none. */
import path from 'node:path';
import { defaultPipeline } from '../domain/pipeline-resolver.ts';
import type { Pipeline, Project } from '../domain/project.ts';
import { mappingAt } from './check-schema.ts';
import { type ConfigFinding, warning } from './findings.ts';
import { findScript, isExecutable, toPipeline } from './pipelines.ts';
import { suggestion } from './problems.ts';
import { type ConfigFile, type HttpConfig, type PipelineConfig, pipelineSchema } from './schema.ts';
import { isSecretName } from './secrets.ts';

export interface BuiltPipelines {
  readonly pipelines: ReadonlyMap<string, Pipeline>;
  readonly scripts: ReadonlyMap<string, string | undefined>;
  readonly findings: readonly ConfigFinding[];
}

/** `raw` is the whole file before expansion: policies are made of it. */
export async function buildPipelines(
  file: ConfigFile,
  raw: unknown,
  projects: readonly Project[],
  directory: string,
): Promise<BuiltPipelines> {
  const pipelines = new Map<string, Pipeline>();
  const scripts = new Map<string, string | undefined>();
  const findings: ConfigFinding[] = [];
  const sections = mappingAt(raw, 'pipelines');

  for (const [name, section] of Object.entries(file.pipelines)) {
    pipelines.set(name, toPipeline(name, sections[name], section));
    const [program] = section.command ?? [];
    if (program?.includes('/') === true && !(await isExecutable(path.resolve(directory, program)))) {
      findings.push(warning('program-missing', `pipeline ${name}: its command is no executable file`));
    }
    findings.push(...plainSecrets(name, sections[name], section));
    if (section.http !== undefined) findings.push(...plainTransport(name, section.http));
  }

  for (const name of namesIn(projects)) {
    if (file.pipelines[name] !== undefined) continue;
    const script = await findScript(directory, name);
    scripts.set(name, script);
    if (script === undefined) {
      const guess = suggestion(name, Object.keys(file.pipelines));
      const text = `pipeline ${name} has no runner: neither an entry under pipelines nor pipelines/${name}[.sh]${guess}`;
      findings.push(warning('no-runner', text));
    } else {
      const section = { command: [script] };
      pipelines.set(name, toPipeline(name, section, pipelineSchema.parse(section)));
    }
  }
  return { pipelines, scripts, findings };
}

/** Every pipeline that some ticket could ask for. */
function namesIn(projects: readonly Project[]): Set<string> {
  return new Set(projects.flatMap(({ routing }) => [...routing.pipelineFromLabel.values(), defaultPipeline(routing)]));
}

/** A policy is kept with each run as it is written, so a secret in plain text would be kept with it. */
function plainSecrets(name: string, raw: unknown, section: PipelineConfig): ConfigFinding[] {
  const { env = {}, http } = section;
  const written = mappingAt(raw, 'env');
  const sent = mappingAt(raw, 'http');
  const headers = mappingAt(sent, 'headers');
  const named = Object.keys(env).filter(isSecretName);
  const sentAlong = Object.keys(http?.headers ?? {}).filter(isSecretName);
  const signing = [sent.secret, sent.secrets].flat().filter((secret) => secret !== undefined);
  const places: readonly (readonly [place: string, text: unknown])[] = [
    ...named.map((variable) => [`env.${variable}`, written[variable]] as const),
    ...sentAlong.map((header) => [`http.headers.${header}`, headers[header]] as const),
    ...signing.map((secret) => ['http.secret', secret] as const),
  ];
  return places
    .filter(([, text]) => !String(text).includes('${'))
    .map(([place]) =>
      warning('plain-secret', `pipeline ${name}: ${place} looks like a secret in plain text, use a variable`),
    );
}

/** Within a network of one's own, whoever runs it may know better. */
function plainTransport(name: string, { url, allow_addresses: allowed = [] }: HttpConfig): ConfigFinding[] {
  if (URL.parse(url)?.protocol !== 'http:' || allowed.length > 0) return [];
  const text = `pipeline ${name}: http.url is not encrypted, so tickets and tokens go over the internet in plain text`;
  return [warning('plain-transport', text)];
}
