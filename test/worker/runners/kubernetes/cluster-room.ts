/** The Kubernetes runner on an emulated cluster, through the real client library and a real kubeconfig. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Timing } from '../../../../src/domain/timing.ts';
import {
  createKubernetesEmulator,
  type KubernetesEmulator,
  type KubernetesEmulatorOptions,
} from '../../../../src/emulators/kubernetes/kubernetes-emulator.ts';
import type { Job } from '../../../../src/emulators/kubernetes/objects.ts';
import { now } from '../../../../src/foundation/clock.ts';
import { createLog, type Log } from '../../../../src/foundation/log.ts';
import { createRedactor } from '../../../../src/foundation/redactor.ts';
import { lazyCluster } from '../../../../src/worker/runners/kubernetes/client-cluster.ts';
import type { Cluster } from '../../../../src/worker/runners/kubernetes/cluster.ts';
import type { JobSpec } from '../../../../src/worker/runners/kubernetes/job-manifest.ts';
import { jobName } from '../../../../src/worker/runners/kubernetes/job-words.ts';
import {
  createKubernetesRunner,
  type KubernetesRequest,
} from '../../../../src/worker/runners/kubernetes/kubernetes-runner.ts';
import type { Runner, RunnerHandle } from '../../../../src/worker/runners/runner.ts';
import { FAST } from '../../../support/house.ts';
import { until } from '../../../support/until.ts';
import { requestFor } from '../requests.ts';

export const SECRET_VALUE = 'a-very-secret-value';

/** Requests may be slow on a busy machine, and a lost one should be noticed soon. */
const TIMING: Timing = {
  ...FAST,
  clusterCallMs: 1_500,
  trustTermMs: 60_000,
  clusterRetryMs: 20,
  clusterRetryMaxMs: 200,
};

export interface ClusterRoom {
  readonly cluster: KubernetesEmulator;
  readonly runner: Runner<KubernetesRequest>;
  /** The environment of the worker, and the door to the cluster that it opens. */
  readonly door: { readonly env: Readonly<Record<string, string>>; readonly cluster: () => Promise<Cluster> };
  /** Log lines so far. */
  readonly lines: readonly { readonly msg: string; readonly [field: string]: unknown }[];
  /** Starts an attempt; it is let go of when the test is over. */
  start(request: KubernetesRequest): RunnerHandle;
  /** The one Job that there is, once its pod runs. */
  running(): Promise<Job>;
}

export interface ClusterRoomOptions extends KubernetesEmulatorOptions {
  readonly timing?: Partial<Timing>;
  readonly hostEnv?: Readonly<Record<string, string>>;
  /** Use another room's cluster: another worker. */
  readonly cluster?: KubernetesEmulator;
  /** Where the API server is reached, if not at its own address. */
  readonly url?: string;
  readonly token?: string;
}

export async function openClusterRoom(options: ClusterRoomOptions = {}): Promise<ClusterRoom> {
  const cluster = options.cluster ?? createKubernetesEmulator(options);
  if (options.cluster === undefined) {
    await cluster.start();
    onTestFinished(() => cluster.close());
  }
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-kube-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const kubeconfig = path.join(dir, 'config');
  const { url, token } = options;
  await writeFile(kubeconfig, cluster.kubeconfig({ ...(url && { url }), ...(token && { token }) }));
  const lines: { msg: string }[] = [];
  const redactor = createRedactor([SECRET_VALUE]);
  const log = logInto(lines);
  const hostEnv = { KUBECONFIG: kubeconfig, ...options.hostEnv };
  const door = lazyCluster(hostEnv);
  const runner = createKubernetesRunner(
    { cluster: door, log, redactor },
    { hostEnv, timing: { ...TIMING, ...options.timing } },
  );
  return {
    cluster,
    runner,
    door: { env: hostEnv, cluster: door },
    lines,
    start(request) {
      const handle = runner.start(request);
      onTestFinished(async () => {
        handle.stop('drained');
        await handle.ended;
      });
      return handle;
    },
    async running() {
      await until('a pod runs', () => cluster.pods().some(({ status }) => status.phase === 'Running'));
      const [job] = cluster.jobs();
      if (job === undefined) throw new Error('no job');
      return job;
    },
  };
}

function logInto(lines: { msg: string }[]): Log {
  const destination = {
    write: (line: string) => lines.push(JSON.parse(line) as { msg: string }),
    on: () => {},
  };
  return createLog({ level: 'debug', redactor: createRedactor(), destination: destination as never });
}

export function jobRequest(
  more: Partial<KubernetesRequest> & { readonly spec?: Partial<JobSpec> } = {},
): KubernetesRequest {
  const { command: _, ...request } = requestFor();
  const { spec, ...rest } = more;
  return {
    ...request,
    attempt: 1,
    trustedSince: now(),
    ...rest,
    job: {
      image: 'registry.test/agent:1',
      env: {},
      passEnv: [],
      envFromSecret: [],
      envFromSecretKey: {},
      nodeSelector: {},
      tolerations: [],
      labels: {},
      annotations: {},
      imagePullSecrets: [],
      runAsNonRoot: false,
      ttlSecondsAfterFinished: 3_600,
      ...spec,
    },
  };
}

/** A later attempt of the same run, whose Job may be at work. */
export function nextAttempt(request: KubernetesRequest): KubernetesRequest {
  return { ...request, attempt: request.attempt + 1, adopts: true, fence: request.fence + 1, trustedSince: now() };
}

export function nameOf(request: KubernetesRequest): string {
  return jobName(request.ticket.key);
}
