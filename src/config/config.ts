/** One good configuration, as the roof sees it. Rooms get their slice of it from `app.ts`. */
import type { Catalog } from '../domain/project.ts';
import type { TicketSource } from '../domain/ticket.ts';
import type { PlatformDescriptor, TicketsConfig } from '../platforms/descriptor.ts';
import type { ConfigFinding } from './findings.ts';
import type { Ingress } from './ingress-policy.ts';
import type { OpenedPipeline } from './pipelines.ts';
import type { Problem } from './problems.ts';
import type { EventEngine } from './schema.ts';
import type { Secrets } from './secrets.ts';
import type { AgentSettings, RedisSettings, ServerSettings } from './settings.ts';
import type { TraceSettings } from './telemetry.ts';

/** What it takes to open a project's platform, its secrets apart. */
export interface Connection {
  readonly project: string;
  readonly descriptor: PlatformDescriptor;
  readonly source: TicketSource;
  /** The `tickets:` section without `auth`. */
  readonly tickets: TicketsConfig;
  /** Same name = same credential = same API budget; a hash, no secret. Undefined while the credential is missing. */
  readonly credentialName?: string;
}

/** Safe to print and to serialise: secrets are behind functions. */
export interface Config {
  /** Absolute path. */
  readonly file: string;
  readonly catalog: Catalog;
  /** By project, in YAML order; exactly the projects of the catalog. */
  readonly connections: ReadonlyMap<string, Connection>;
  /** By project, in YAML order; exactly the projects of the catalog. */
  readonly ingress: ReadonlyMap<string, Ingress>;
  readonly engine: EventEngine | 'default';
  readonly agent: AgentSettings;
  readonly redis: RedisSettings;
  readonly server: ServerSettings;
  readonly maxRunsPerTicketPerDay: number;
  /** Undefined: traces are off. Where they go is in the secrets. */
  readonly traces?: TraceSettings;
  /** Pipelines without an entry -> the script beside the file that they run, undefined when there is none. */
  readonly scripts: ReadonlyMap<string, string | undefined>;
  readonly findings: readonly ConfigFinding[];
  readonly secrets: Secrets;
  /** The policy of a run (also of an earlier configuration) as a command, with the environment and folder of today. */
  openPipeline(policy: string): OpenedPipeline;
}

export type LoadedConfig =
  | { readonly ok: true; readonly config: Config }
  /** In the order of the file. */
  | { readonly ok: false; readonly problems: readonly Problem[] };
