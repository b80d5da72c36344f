/**
 * From the `pipelines:` section to what a run keeps (its policy: JSON text from before `${}` expansion, so that Redis
 * holds no secret) and back to what a runner can start (with the environment and the folder of today).
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Pipeline } from '../domain/project.ts';
import { messageOf } from '../foundation/errors.ts';
import type { JobSpec } from '../worker/runners/kubernetes/job-manifest.ts';
import { type Environment, expand } from './expand.ts';
import { httpProblems, httpSpec, type OpenedHttp } from './http-pipelines.ts';
import { openJob } from './kubernetes-job.ts';
import { formatPath } from './problems.ts';
import { type PipelineConfig, pipelineSchema } from './schema.ts';
import { checkAgainst } from './schema-issues.ts';

/** A command that can be started, as the command runner takes it. */
export interface OpenedCommand {
  readonly runner: 'command';
  /** An absolute path when the file names a path, otherwise a name to be found on PATH. */
  readonly program: string;
  readonly args: readonly string[];
  /** Absolute; undefined = a fresh temporary folder per attempt. */
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables of the server that are handed through. */
  readonly passEnv: readonly string[];
}

/** A Job that can be made, as the Kubernetes runner takes it. */
export interface OpenedJob extends JobSpec {
  readonly runner: 'kubernetes_job';
}

/** What a runner takes: the name of the runner says which. */
export type OpenedWork = OpenedCommand | OpenedJob | OpenedHttp;

/** A pipeline that can be started, with the limits of its run. */
export interface OpenedSpec {
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  readonly work: OpenedWork;
}

export type OpenedPipeline =
  | { readonly ok: true; readonly spec: OpenedSpec }
  | { readonly ok: false; readonly problem: string };

/**
 * The policy of a run back into what a runner starts. Refuses in words what cannot be started today. `callbackUrl` is for
 * pipelines that name none.
 */
export function openPipeline(
  policy: string,
  env: Environment,
  directory: string,
  callbackUrl?: string,
): OpenedPipeline {
  let kept: unknown;
  try {
    kept = JSON.parse(policy);
  } catch (error) {
    return { ok: false, problem: `the run's policy cannot be read: ${messageOf(error)}` };
  }
  const { tree, problems } = expand(kept, env);
  const checked = checkAgainst(pipelineSchema, tree);
  const wrong = problems[0] ?? checked.problems[0];
  if (checked.value === undefined || wrong !== undefined) {
    const where = wrong === undefined ? '' : formatPath(wrong.path);
    return { ok: false, problem: `the run's policy is not usable: ${where}: ${wrong?.message ?? ''}` };
  }
  const { timeout_seconds: timeoutSeconds, max_attempts: maxAttempts, http } = checked.value;
  const [unusable] = http === undefined ? [] : httpProblems(http, callbackUrl);
  if (unusable !== undefined) {
    return { ok: false, problem: `the run's policy is not usable: http.${unusable.key}: ${unusable.message}` };
  }
  const work = openWork(checked.value, directory, callbackUrl);
  if (work === undefined) return { ok: false, problem: "the run's policy names no runner" };
  return { ok: true, spec: { timeoutMs: timeoutSeconds * 1000, maxAttempts, work } };
}

function openWork(pipeline: PipelineConfig, directory: string, callbackUrl?: string): OpenedWork | undefined {
  const { command = [], kubernetes_job: job, http, cwd, env = {}, pass_env: passEnv = [] } = pipeline;
  if (http !== undefined) return { runner: 'http', ...httpSpec(http, callbackUrl) };
  const [program, ...args] = command;
  if (program !== undefined) {
    return {
      runner: 'command',
      program: program.includes('/') ? path.resolve(directory, program) : program,
      args,
      ...(cwd === undefined ? {} : { cwd: path.resolve(directory, cwd) }),
      env,
      passEnv,
    };
  }
  return job && { runner: 'kubernetes_job', ...openJob(job), ...(cwd !== undefined && { cwd }), env, passEnv };
}

const RUNNERS = ['command', 'kubernetes_job', 'http'] as const;

export type Runner = (typeof RUNNERS)[number];

/** The runners that a pipeline names; the file must name exactly one. */
export function runnersIn(section: object): Runner[] {
  return RUNNERS.filter((runner) => (section as Readonly<Record<string, unknown>>)[runner] !== undefined);
}

/** `raw` is the section as it is written, `checked` the same after expansion. */
export function toPipeline(name: string, raw: unknown, checked: PipelineConfig): Pipeline {
  return {
    name,
    policy: JSON.stringify(raw),
    timeoutMs: checked.timeout_seconds * 1000,
    maxAttempts: checked.max_attempts,
    ...(checked.max_parallel_jobs === undefined ? {} : { maxParallelJobs: checked.max_parallel_jobs }),
  };
}

/** `pipelines/<name>` or `pipelines/<name>.sh` beside the config file, if one of them can be executed. */
export async function findScript(directory: string, name: string): Promise<string | undefined> {
  for (const script of [`./pipelines/${name}`, `./pipelines/${name}.sh`]) {
    if (await isExecutable(path.resolve(directory, script))) return script;
  }
  return undefined;
}

export async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return (await stat(file)).isFile();
  } catch {
    // Whatever the reason, it cannot be started: the answer is no.
    return false;
  }
}
