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
import type { Cluster } from '../worker/runners/kubernetes/cluster.ts';
import { createKubernetesRunner } from '../worker/runners/kubernetes/kubernetes-runner.ts';
import type { RunnerHandle, RunnerQuestion, RunnerRequest } from '../worker/runners/runner.ts';

export interface Runners {
  /** As `Runner.leashed`. */
  isLeashed(work: OpenedWork): boolean;
  /** As `Runner.blockedBy`. */
  blockedBy(question: RunnerQuestion, work: OpenedWork): Promise<string | undefined>;
  start(request: RunnerRequest, work: OpenedWork): RunnerHandle;
}

export interface RunnersDeps {
  readonly guard: Guard;
  readonly callbacks: CallbackRecords;
  readonly log: Log;
  readonly redactor: Redactor;
  /** The environment of the server, of which runners see what they may. */
  readonly hostEnv: HostEnvironment;
  /** Opened when a pipeline first asks for it. */
  readonly cluster: () => Promise<Cluster>;
  readonly timing: Timing;
}

export function openRunners({ hostEnv, timing, ...deps }: RunnersDeps): Runners {
  const command = createCommandRunner(deps, { hostEnv });
  const kubernetes = createKubernetesRunner(deps, { hostEnv, timing });
  const http = createHttpRunner(deps, timing);
  const runners = { command, http, kubernetes_job: kubernetes };
  return {
    isLeashed: ({ runner }) => runners[runner].leashed,
    async blockedBy(question, work) {
      return work.runner === 'kubernetes_job' ? await kubernetes.blockedBy?.({ ...question, job: work }) : undefined;
    },
    start(request, work) {
      switch (work.runner) {
        case 'command':
          return command.start({ ...request, command: work });
        case 'http':
          return http.start({ ...request, http: work });
        case 'kubernetes_job':
          return kubernetes.start({ ...request, job: work });
        default:
          return unreachable(work);
      }
    },
  };
}
