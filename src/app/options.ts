/** What a replica is started with, and what its parts share. */
import type { Config } from '../config/config.ts';
import type { Timing } from '../domain/timing.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import type { Redactor } from '../foundation/redactor.ts';
import type { Trace } from '../foundation/trace.ts';
import type { Metrics } from '../server/metrics.ts';
import type { HostEnvironment } from '../worker/runners/command-environment.ts';
import type { KnownProjects } from './known-projects.ts';

export interface AppOptions {
  readonly config: Config;
  /** Name of this replica in leases, records and logs; unique among the replicas. */
  readonly instance: string;
  readonly version: string;
  readonly timing: Timing;
  readonly host: string;
  readonly port: number;
  /** The environment of the process, of which commands see an allow-list. */
  readonly hostEnv: HostEnvironment;
  /** The Redis server is ours and was started empty just now: finding no data means nothing was lost. */
  readonly freshRedis: boolean;
  /**
   * Whether labels without a record are adopted or reset. Off for `dev` and `demo`, which may look at tickets that
   * belong to another deployment.
   */
  readonly adoptOrphans: boolean;
  readonly log: Log;
  readonly redactor: Redactor;
}

/** What the parts of a replica share, beside the options. */
export interface Shared {
  /** The configuration of the moment. */
  readonly config: () => Config;
  readonly projects: KnownProjects;
  readonly findings: Findings;
  readonly metrics: Metrics;
  readonly trace: Trace;
}
