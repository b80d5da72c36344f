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

/** An event engine: what wakes the ingress of a project, the clock or what its platform sends. */
export type EngineKind = 'polling' | 'streaming';

/** Why `auto` polls. */
export type FallbackReason =
  /** There is none by which a delivery could be proven. */
  | 'no-secret'
  /** The listener for webhooks could not be opened. */
  | 'listener-down'
  /** Listings find what no delivery has told of. */
  | 'deliveries-stopped';

/** What `event_engine` means for a project, narrowed by its sync policy. */
export type ProjectEngine =
  | { readonly mode: EngineKind }
  /** Streaming while it works, and listed at `reconcile` then; else polling, listed as `Project.polling` says. */
  | { readonly mode: 'auto'; readonly reconcile: Polling };

export interface Project {
  readonly name: string;
  readonly source: TicketSource;
  readonly code: CodeSource;
  readonly routing: Routing;
  /** How it is listed; undefined when it is not. */
  readonly polling?: Polling;
  /** Undefined without `event_engine`: polls and webhooks go side by side then. */
  readonly engine?: ProjectEngine;
  /** Triggers that the ingress policy allows; `manual` and `reconcile` are always among them. */
  readonly triggers: ReadonlySet<Trigger>;
  /** Cap of this project across all replicas. */
  readonly maxParallelJobs?: number;
  /** Why the project takes no part (its credential is missing); undefined when all is well. */
  readonly disabled?: string;
}

/** How a project is listed while this engine works; undefined when it is not. */
export function listingPace({ polling, engine }: Project, kind: EngineKind): Polling | undefined {
  return kind === 'streaming' && engine?.mode === 'auto' ? engine.reconcile : polling;
}

/** How a pipeline runs. `policy` is what a run keeps of it: JSON text from before `${}` expansion, so no secret is in it. */
export interface Pipeline {
  readonly name: string;
  readonly policy: string;
  readonly timeoutMs: number;
  readonly maxAttempts: number;
  /** Cap of this pipeline across all replicas and projects. */
  readonly maxParallelJobs?: number;
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
