/** The configuration that the demo writes into its folder before the replicas start: one like anybody's. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Site } from '../../emulators/sites.ts';
import { type Pipeline, REPLICA_VARIABLE } from './pipeline.ts';
import { DEFAULT_PIPELINE, PIPELINE_FROM_LABEL, PIPELINE_OVER_HTTP } from './tickets.ts';

export interface ConfigurationOptions {
  readonly dir: string;
  readonly sites: readonly Site[];
  /** Those of them that send webhooks; the others are polled. */
  readonly hooked: readonly Site[];
  readonly pipeline: Pipeline;
  /** Address of the service that does one of the pipelines. */
  readonly serviceUrl: string;
}

/** The variable in which a replica finds what its requests to the service are signed with. */
export const SERVICE_SECRET_VARIABLE = 'DEMO_SERVICE_SECRET';

/** What the webhooks of all platforms are signed with, or send along. */
export const WEBHOOK_SECRET = 'only-known-to-the-demo';

const SLOTS_PER_REPLICA = 3;
/** Ten minutes in production. */
const RECONCILE_SECONDS = 2;
const TIMEOUT_SECONDS = 60;

/** Resolves with the path of the file. */
export async function writeConfiguration(options: ConfigurationOptions): Promise<string> {
  const { dir, sites, hooked, pipeline, serviceUrl } = options;
  const projectOf = (site: Site) => ({
    tickets: { ...site.project.tickets, auth: 'token' },
    [`${site.platform}_trigger`]: { default_pipeline: DEFAULT_PIPELINE, pipeline_from_label: PIPELINE_FROM_LABEL },
    polling: { enabled: true, interval_seconds: 1, jitter_percent: 20 },
    ...(hooked.includes(site) ? { webhook: { secret: WEBHOOK_SECRET } } : { sync_policy: 'poll_only' }),
  });
  const command = {
    command: pipeline.command,
    env: pipeline.env,
    pass_env: [REPLICA_VARIABLE],
    timeout_seconds: TIMEOUT_SECONDS,
  };
  const http = {
    http: { url: serviceUrl, secret: `\${${SERVICE_SECRET_VARIABLE}}`, allow_addresses: ['127.0.0.1'] },
    timeout_seconds: TIMEOUT_SECONDS,
  };
  const config = {
    projects: Object.fromEntries(sites.map((site) => [site.platform, projectOf(site)])),
    pipelines: Object.fromEntries(
      Object.values(PIPELINE_FROM_LABEL).map((name) => [name, name === PIPELINE_OVER_HTTP ? http : command]),
    ),
    event_engine: 'auto',
    reconcile_interval_seconds: RECONCILE_SECONDS,
    agent: {
      queue: { max_parallel_jobs: SLOTS_PER_REPLICA, consume_block_seconds: 1, shutdown_grace_seconds: 0 },
    },
  };
  const file = path.join(dir, 'agentsmith.yml');
  await writeFile(file, stringify(config, { aliasDuplicateObjects: false }));
  return file;
}
