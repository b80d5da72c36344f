/** Objects of the Kubernetes API as they travel: plain JSON, as far as the emulator looks at it. */

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
}

export interface Metadata {
  name: string;
  namespace: string;
  uid: string;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
}

export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
}

export interface Condition {
  type: string;
  status: 'True' | 'False';
  reason?: string;
  message?: string;
  lastTransitionTime: string;
}

export interface Job extends KubeObject {
  spec: {
    suspend?: boolean;
    backoffLimit?: number;
    activeDeadlineSeconds?: number;
    ttlSecondsAfterFinished?: number;
    podFailurePolicy?: {
      readonly rules: readonly { readonly action: string; readonly onPodConditions?: readonly { type: string }[] }[];
    };
    template: PodTemplate;
  };
  status: {
    active?: number;
    succeeded?: number;
    failed?: number;
    startTime?: string;
    completionTime?: string;
    conditions?: Condition[];
  };
}

export interface PodTemplate {
  metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: PodSpec;
}

export interface PodSpec {
  restartPolicy?: string;
  serviceAccountName?: string;
  containers: readonly Container[];
  volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVariable[];
  readonly envFrom?: readonly { readonly secretRef?: { readonly name: string } }[];
}

export interface EnvVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

export interface ContainerState {
  waiting?: { reason: string; message?: string };
  running?: { startedAt: string };
  terminated?: { exitCode: number; reason: string; message?: string; finishedAt: string };
}

export interface Pod extends KubeObject {
  spec: PodSpec;
  status: {
    phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed';
    reason?: string;
    message?: string;
    conditions?: Condition[];
    containerStatuses?: { name: string; ready: boolean; state: ContainerState }[];
  };
}

export interface Secret extends KubeObject {
  type: string;
  immutable?: boolean;
  data: Record<string, string>;
}

export interface Kinds {
  jobs: Job;
  pods: Pod;
  secrets: Secret;
}

export type Plural = keyof Kinds;

/** Conditions that hold. */
export function holds(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditions?.some((one) => one.type === type && one.status === 'True') === true;
}

export function isFinished(job: Job): boolean {
  return holds(job.status.conditions, 'Complete') || holds(job.status.conditions, 'Failed');
}

export function isEnded(pod: Pod): boolean {
  return pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed';
}
