/**
 * A Kubernetes cluster as the runner needs it: few acts, plain values, one kind of error. The client library stands behind
 * this door and nowhere else.
 */
import type { V1Job, V1Secret } from '@kubernetes/client-node';

/** How long one request may take, and until when it is wanted. */
export interface ClusterCall {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Cluster {
  /** One namespace; without a name that of the kubeconfig, or the pod's own. */
  namespace(name: string | undefined): Namespace;
}

/** Every act throws `ClusterError`. */
export interface Namespace {
  readonly name: string;
  createJob(job: V1Job, call: ClusterCall): Promise<void>;
  /** Refused as `conflict` when the Job has changed since it was seen. */
  patchJob(seen: SeenJob, patch: JobPatch, call: ClusterCall): Promise<void>;
  /**
   * Refused as `conflict` when the Job has changed since it was seen, or is another one of that name. `foreground`: the Job is
   * there until its pods are gone.
   */
  deleteJob(seen: SeenJob, propagation: 'foreground' | 'background', call: ClusterCall): Promise<void>;
  createSecret(secret: V1Secret, call: ClusterCall): Promise<void>;
  listJobs(selection: Selection, call: ClusterCall): Promise<Listed<SeenJob>>;
  listPods(selection: Selection, call: ClusterCall): Promise<Listed<SeenPod>>;
  watchJobs(selection: Selection, watch: Watch): Promise<void>;
  watchPods(selection: Selection, watch: Watch): Promise<void>;
  /** Hands over the log of a container as it comes. */
  readLog(pod: string, container: string, onChunk: (chunk: Buffer) => void, call: ClusterCall): Promise<void>;
  /** Whether whoever we are may do this here; `resource` as in a Role, for example `jobs.batch` or `pods/log`. */
  mayDo(verb: string, resource: string, call: ClusterCall): Promise<boolean>;
}

export interface Selection {
  readonly name?: string;
  /** `key=value` */
  readonly label?: string;
}

export interface Listed<Item> {
  readonly items: readonly Item[];
  /** Of the list: where a watch goes on. */
  readonly resourceVersion: string;
}

/** Resolves when the server ends the watch. */
export interface Watch {
  readonly resourceVersion: string;
  /** The server ends the watch after so long. */
  readonly forMs: number;
  /** A watch in which nothing was heard for so long, not even a bookmark, is taken for dead. */
  readonly quietMs: number;
  readonly signal: AbortSignal;
  /** Something changed, or (`bookmark`) the watch merely has come so far. */
  readonly onEvent: (event: { readonly kind: 'change' | 'bookmark'; readonly resourceVersion: string }) => void;
}

/** What a patch changes; an annotation is added or replaced. */
export interface JobPatch {
  readonly annotations: Readonly<Record<string, string>>;
  readonly suspend?: false;
}

/** A Job as far as we look at it. */
export interface SeenJob {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The run it belongs to; undefined when it is none of ours. */
  readonly run?: string;
  /** Of the attempt that has it in hand; 0 when it says none. */
  readonly fence: number;
  /** Its pod has been allowed to start. Before that it is a name that is taken, and nothing else. */
  readonly released: boolean;
  /** Name of the Secret that its pod waits for. */
  readonly secret: string;
  readonly deleting: boolean;
  readonly state: JobState;
}

export type JobState =
  | { readonly kind: 'active' }
  /** Has failed, and its pods are being ended: the last moment to read their logs. */
  | { readonly kind: 'failing' }
  | { readonly kind: 'complete' }
  /** As the Job controller says it, for example `BackoffLimitExceeded` or `DeadlineExceeded`. */
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

/** A pod as far as we look at it. */
export interface SeenPod {
  readonly name: string;
  readonly uid: string;
  /** Uid of the Job that owns it. */
  readonly owner: string;
  readonly createdAtMs: number;
  /** What keeps it from running and seldom goes away by itself, in a sentence for people. */
  readonly problem?: string;
  /** Why the node has ended it, for example `Evicted`; a sentence for people. */
  readonly disruption?: string;
  /** Its container has been at work: there may be a log. */
  readonly started: boolean;
  /** How the container of the work has ended. */
  readonly ended?: ContainerEnd;
}

export interface ContainerEnd {
  readonly exitCode: number;
  /** For example `Completed`, `Error`, `OOMKilled`. */
  readonly reason: string;
  /** What it wrote to its termination log: at most 4 KiB, any text. */
  readonly message: string;
}

/**
 * - `exists`: the name is taken
 * - `conflict`: it has changed meanwhile
 * - `not-found`: neither is it there, or the namespace is not
 * - `expired`: a watch cannot go on from there
 * - `refused`: we may not (401, 403)
 * - `invalid`: the cluster will never take this
 * - `unavailable`: no answer, an unreadable one, or "not now": a write may have happened
 */
export type ClusterErrorKind = 'exists' | 'conflict' | 'not-found' | 'expired' | 'refused' | 'invalid' | 'unavailable';

export class ClusterError extends Error {
  readonly kind: ClusterErrorKind;
  /** Of the answer; undefined when there was none. */
  readonly status: number | undefined;
  /** Not before, in ms. */
  readonly retryAfterMs: number | undefined;

  constructor(
    kind: ClusterErrorKind,
    message: string,
    more: { readonly status?: number; readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = 'ClusterError';
    this.kind = kind;
    this.status = more.status;
    this.retryAfterMs = more.retryAfterMs;
  }
}
