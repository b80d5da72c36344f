/**
 * From a pipeline and an attempt to the objects that the cluster is given. Pure.
 *
 * A Job is made suspended. Then comes the Secret that its pod needs, owned by the Job, and then the Job is released. So after a
 * crash between any two steps nothing runs, nothing is lost (whoever has the run next goes on), and nothing leaks: a Secret
 * goes with its Job, and a Job that was never released is removed when its run is over.
 *
 * The ticket is untrusted and may be long, values of the environment may be secrets. Both are in the Secret: the Job itself,
 * which more people may read, shows the names of variables and no value.
 */
import type { V1Container, V1EnvVar, V1Job, V1PodSpec, V1Secret } from '@kubernetes/client-node';
import type { EnvironmentSettings } from '../command-environment.ts';
import type { RunnerRequest } from '../runner.ts';
import type { SeenJob } from './cluster.ts';
import {
  ATTEMPT,
  CONTAINER,
  FENCE,
  jobName,
  MANAGED_BY,
  PIPELINE,
  PROJECT,
  RUN,
  SECRET,
  secretName,
  TICKET,
} from './job-words.ts';

/** What a pipeline says about its Job. */
export interface JobSpec extends EnvironmentSettings {
  readonly image: string;
  /** Default: the namespace of the kubeconfig, or of our own pod. */
  readonly namespace?: string;
  /** Without one the pod gets no token of the cluster. */
  readonly serviceAccount?: string;
  /** Default: those of the image. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  /** Working directory in the container. Default: the fresh folder at `WORK_DIR`. */
  readonly cwd?: string;
  /** Secrets of the namespace, all keys of which become variables. */
  readonly envFromSecret: readonly string[];
  /** Variables from single keys of Secrets of the namespace. */
  readonly envFromSecretKey: Readonly<Record<string, { readonly secret: string; readonly key: string }>>;
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** Added to the Job and its pod; ours win. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never';
  readonly imagePullSecrets: readonly string[];
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsNonRoot: boolean;
  /** How long the finished Job stays: longer than nobody of us might be there to read its result. */
  readonly ttlSecondsAfterFinished: number;
}

export interface Toleration {
  readonly key?: string;
  readonly operator?: 'Equal' | 'Exists';
  readonly value?: string;
  readonly effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
  readonly tolerationSeconds?: number;
}

/** A fresh folder for each pod, gone with it. */
const WORK_DIR = '/workspace';
const TICKET_DIR = '/agentsmith';
const TICKET_KEY = 'ticket.json';
export const TICKET_FILE = `${TICKET_DIR}/${TICKET_KEY}`;
/** A Secret holds 1 MiB: the rest is for the environment. */
export const MOST_TICKET_BYTES = 512 * 1024;

const envKey = (variable: string): string => `env.${variable}`;

/** `variables` are the names of what `secretManifest` is given the values of. */
export function jobManifest(request: RunnerRequest, spec: JobSpec, variables: readonly string[]): V1Job {
  const { ticket, run, attempt, fence, project, pipeline, timeoutMs } = request;
  const name = jobName(ticket.key);
  const secret = secretName(name, fence);
  const labels = { ...spec.labels, [MANAGED_BY.key]: MANAGED_BY.value, [RUN]: run };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      labels,
      annotations: {
        ...spec.annotations,
        [RUN]: run,
        [ATTEMPT]: String(attempt),
        [FENCE]: String(fence),
        [TICKET]: ticket.key,
        [PROJECT]: project,
        [PIPELINE]: pipeline,
        [SECRET]: secret,
      },
    },
    spec: {
      suspend: true,
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      activeDeadlineSeconds: Math.ceil(timeoutMs / 1000),
      ttlSecondsAfterFinished: spec.ttlSecondsAfterFinished,
      // A pod that the cluster took away says nothing about the work: the Job gets another one, after that is gone.
      podFailurePolicy: {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      },
      template: { metadata: { labels, annotations: { ...spec.annotations } }, spec: podSpec(spec, secret, variables) },
    },
  };
}

function podSpec(spec: JobSpec, secret: string, variables: readonly string[]): V1PodSpec {
  return {
    restartPolicy: 'Never',
    containers: [container(spec, secret, variables)],
    volumes: [
      { name: 'agentsmith', secret: { secretName: secret, items: [{ key: TICKET_KEY, path: TICKET_KEY }] } },
      { name: 'workspace', emptyDir: {} },
    ],
    // Whatever works on untrusted text does not get a token of the cluster unless somebody asked for it.
    automountServiceAccountToken: spec.serviceAccount !== undefined,
    ...(spec.serviceAccount !== undefined && { serviceAccountName: spec.serviceAccount }),
    nodeSelector: { ...spec.nodeSelector },
    tolerations: spec.tolerations.map((toleration) => ({ ...toleration })),
    imagePullSecrets: spec.imagePullSecrets.map((name) => ({ name })),
    securityContext: {
      seccompProfile: { type: 'RuntimeDefault' },
      ...(spec.runAsNonRoot && { runAsNonRoot: true }),
      ...(spec.runAsUser !== undefined && { runAsUser: spec.runAsUser }),
      ...(spec.runAsGroup !== undefined && { runAsGroup: spec.runAsGroup }),
    },
  };
}

function container(spec: JobSpec, secret: string, variables: readonly string[]): V1Container {
  const env: V1EnvVar[] = [
    ...variables.map((name) => fromSecret(name, secret, envKey(name))),
    ...Object.entries(spec.envFromSecretKey).map(([name, at]) => fromSecret(name, at.secret, at.key)),
  ];
  return {
    name: CONTAINER,
    image: spec.image,
    ...(spec.imagePullPolicy !== undefined && { imagePullPolicy: spec.imagePullPolicy }),
    ...(spec.command !== undefined && { command: [...spec.command] }),
    ...(spec.args !== undefined && { args: [...spec.args] }),
    workingDir: spec.cwd ?? WORK_DIR,
    env,
    envFrom: spec.envFromSecret.map((name) => ({ secretRef: { name } })),
    ...(spec.resources !== undefined && {
      resources: { requests: { ...spec.resources.requests }, limits: { ...spec.resources.limits } },
    }),
    volumeMounts: [
      { name: 'agentsmith', mountPath: TICKET_DIR, readOnly: true },
      { name: 'workspace', mountPath: WORK_DIR },
    ],
    securityContext: {
      allowPrivilegeEscalation: false,
      // Who is not root has none anyway; to say so is what strict namespaces ask for.
      ...(spec.runAsNonRoot && { capabilities: { drop: ['ALL'] } }),
    },
    terminationMessagePolicy: 'File',
  };
}

function fromSecret(variable: string, name: string, key: string): V1EnvVar {
  return { name: variable, valueFrom: { secretKeyRef: { name, key } } };
}

/** What the pod of this Job waits for. Immutable, so that nobody changes it under the pod. */
export function secretManifest(
  job: SeenJob,
  { ticket, variables }: { readonly ticket: string; readonly variables: Readonly<Record<string, string>> },
): V1Secret {
  const entries = [[TICKET_KEY, ticket], ...Object.entries(variables).map(([name, value]) => [envKey(name), value])];
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: job.secret,
      labels: { [MANAGED_BY.key]: MANAGED_BY.value, ...(job.run !== undefined && { [RUN]: job.run }) },
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: job.name, uid: job.uid }],
    },
    type: 'Opaque',
    immutable: true,
    data: Object.fromEntries(entries.map(([key = '', value = '']) => [key, Buffer.from(value).toString('base64')])),
  };
}
