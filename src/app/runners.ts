/** The runners of a replica: which of them does the work of a pipeline is named by the pipeline. */
import type { OpenedWork } from '../config/pipelines.ts';
import type { Log } from '../foundation/log.ts';
import type { Redactor } from '../foundation/redactor.ts';
import type { Guard } from '../worker/guard/guard.ts';
import type { HostEnvironment } from '../worker/runners/command-environment.ts';
import { createCommandRunner } from '../worker/runners/command-runner.ts';
import type { RunnerHandle, RunnerRequest } from '../worker/runners/runner.ts';

export interface Runners {
  start(request: RunnerRequest, work: OpenedWork): RunnerHandle;
}

export interface RunnersDeps {
  readonly guard: Guard;
  readonly log: Log;
  readonly redactor: Redactor;
  /** The environment of the server, of which runners see what they may. */
  readonly hostEnv: HostEnvironment;
}

export function openRunners({ hostEnv, ...deps }: RunnersDeps): Runners {
  const command = createCommandRunner(deps, { hostEnv });
  return {
    start: (request, { runner: _, ...work }) => command.start({ ...request, command: work }),
  };
}
