/**
 * What the configuration means, in the words of the house. The roof reads the YAML and hands rooms this catalog; no
 * other room knows how the file looks.
 */
import type { TicketSource } from './ticket.ts';

export const TRIGGERS = ['poll', 'webhook', 'manual', 'reconcile'] as const;

/** Why we look at a ticket. */
export type Trigger = (typeof TRIGGERS)[number];

/** How labels choose a pipeline. The map keeps the order of the YAML. */
export interface Routing {
  readonly pipelineFromLabel: ReadonlyMap<string, string>;
  readonly defaultPipeline?: string;
  readonly pipeline?: string;
  /** Who may set the trigger label; undefined means anyone who can write labels. */
  readonly allowedActors?: readonly string[];
}

/** Where the code lives; handed to the pipeline, never interpreted. */
export interface CodeSource {
  readonly type: string;
  readonly url: string;
}

export interface Polling {
  readonly intervalMs: number;
  /** 0-50. */
  readonly jitterPercent: number;
}

export interface Project {
  readonly name: string;
  readonly source: TicketSource;
  readonly code: CodeSource;
  readonly routing: Routing;
  /** Undefined when the project is not polled. */
  readonly polling?: Polling;
  /** Triggers that the ingress policy allows; `manual` and `reconcile` are always among them. */
  readonly triggers: ReadonlySet<Trigger>;
  /** Cap of this project across all replicas. */
  readonly maxParallelJobs?: number;
  /** Why the project takes no part (its credential is missing); undefined when all is well. */
  readonly disabled?: string;
}

/** How a pipeline runs. `policy` is what a run keeps of it: JSON text from before `${}` expansion, so no secret is in it. */
export interface Pipeline {
  readonly name: string;
  readonly policy: string;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
}

/** One good configuration as the rooms see it. */
export interface Catalog {
  /** Hash of the file's content; replicas compare theirs. */
  readonly hash: string;
  /** In YAML order. */
  readonly projects: readonly Project[];
  /** By name. A name that is missing here has no runner: tickets that ask for it are not claimed. */
  readonly pipelines: ReadonlyMap<string, Pipeline>;
}
