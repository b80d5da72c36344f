/** The runners of a replica: which of them does the work of a pipeline is named by the pipeline. */
import type { OpenedWork } from '../config/pipelines.ts';
import type { Timing } from '../domain/timing.ts';
import { unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { Redactor } from '../foundation/redactor.ts';
import type { CallbackRecords } from '../runs/callback-records.ts';
import type { Guard } from '../worker/guard/guard.ts';
import type { HostEnvironment } from '../worker/runners/command-environment.ts';
import { createCommandRunner } from '../worker/runners/command-runner.ts';
import { createHttpRunner } from '../worker/runners/http/http-runner.ts';
import type { RunnerHandle, RunnerRequest } from '../worker/runners/runner.ts';

export interface Runners {
  start(request: RunnerRequest, work: OpenedWork): RunnerHandle;
}

export interface RunnersDeps {
  readonly guard: Guard;
  readonly callbacks: CallbackRecords;
  readonly log: Log;
  readonly redactor: Redactor;
  /** The environment of the server, of which runners see what they may. */
  readonly hostEnv: HostEnvironment;
}

export function openRunners({ hostEnv, ...deps }: RunnersDeps, timing: Timing): Runners {
  const command = createCommandRunner(deps, { hostEnv });
  const http = createHttpRunner(deps, timing);
  return {
    start(request, work) {
      switch (work.runner) {
        case 'command':
          return command.start({ ...request, command: work });
        case 'http':
          return http.start({ ...request, http: work });
        default:
          return unreachable(work);
      }
    },
  };
}
