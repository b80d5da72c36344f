/** What the demo writes into its folder before the replicas start: a configuration like anybody's, and a pipeline. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Site } from '../../emulators/sites.ts';
import { DEFAULT_PIPELINE, FAILS_MARK, PIPELINE_FROM_LABEL } from './tickets.ts';

export interface DemoFiles {
  readonly config: string;
  /** Where the pipelines write what they do. */
  readonly ledger: string;
  /** For temporary files of the replicas and their commands. */
  readonly temporary: string;
}

export interface DemoFilesOptions {
  readonly dir: string;
  readonly sites: readonly Site[];
  /** Those of them that send webhooks; the others are polled. */
  readonly hooked: readonly Site[];
  readonly beats: PipelineBeats;
}

/** Shortest and longest work of a pipeline, in beats of a quarter of a second. */
export interface PipelineBeats {
  readonly least: number;
  readonly most: number;
}

/** The variable by which a replica tells its pipelines who it is. */
export const REPLICA_VARIABLE = 'DEMO_REPLICA';

/** What the webhooks of all platforms are signed with, or send along. */
export const WEBHOOK_SECRET = 'only-known-to-the-demo';

const SLOTS_PER_REPLICA = 3;
/** Ten minutes in production. */
const RECONCILE_SECONDS = 2;

/**
 * One script plays all pipelines. It appends to one file, a line at a time: then the lines of all processes have one
 * order, from which "at the same time" and "again" can be read. What it says at its end is in the comment on the ticket.
 */
const PIPELINE = `#!/bin/sh
ticket=$(cat)
note() {
  printf '{"event":"%s","run":"%s","attempt":%s,"ticket":"%s","pipeline":"%s","replica":"%s","pid":%s%s}\\n' \\
    "$1" "$AGENTSMITH_RUN_ID" "$AGENTSMITH_ATTEMPT" "$AGENTSMITH_TICKET_URL" "$AGENTSMITH_PIPELINE" \\
    "$${REPLICA_VARIABLE}" "$$" "$2" >>"$LEDGER"
}
note start
echo "reading $AGENTSMITH_TICKET_URL"
chance=$(od -An -N2 -tu2 /dev/urandom)
beats=$((LEAST_BEATS + chance % (MOST_BEATS - LEAST_BEATS + 1)))
while [ "$beats" -gt 0 ]; do
  sleep 0.25
  note beat
  beats=$((beats - 1))
done
code=0
case "$ticket" in
  *'${FAILS_MARK}'*) grep -q "\\"end\\".*\\"$AGENTSMITH_TICKET_URL\\"" "$LEDGER" || code=1 ;;
esac
if [ "$code" = 0 ]; then says="All tests pass."; else says="A test still fails."; fi
echo "$says"
printf '{"summary":"%s"}' "$says" >"$AGENTSMITH_RESULT_FILE"
note end ",\\"code\\":$code"
exit "$code"
`;

export async function writeDemoFiles(options: DemoFilesOptions): Promise<DemoFiles> {
  const { dir, beats } = options;
  const files: DemoFiles = {
    config: path.join(dir, 'agentsmith.yml'),
    ledger: path.join(dir, 'ledger.jsonl'),
    temporary: path.join(dir, 'tmp'),
  };
  const script = path.join(dir, 'pipeline.sh');
  await mkdir(files.temporary);
  await writeFile(files.ledger, '');
  await writeFile(script, PIPELINE);
  const projectOf = (site: Site) => ({
    tickets: { ...site.project.tickets, auth: 'token' },
    [`${site.platform}_trigger`]: { default_pipeline: DEFAULT_PIPELINE, pipeline_from_label: PIPELINE_FROM_LABEL },
    polling: { enabled: true, interval_seconds: 1, jitter_percent: 20 },
    ...(options.hooked.includes(site) ? { webhook: { secret: WEBHOOK_SECRET } } : { sync_policy: 'poll_only' }),
  });
  // Run by name: temporary folders are often mounted without permission to execute.
  const pipeline = {
    command: ['sh', script],
    env: { LEDGER: files.ledger, LEAST_BEATS: String(beats.least), MOST_BEATS: String(beats.most) },
    pass_env: [REPLICA_VARIABLE],
    timeout_seconds: 60,
  };
  const config = {
    projects: Object.fromEntries(options.sites.map((site) => [site.platform, projectOf(site)])),
    pipelines: Object.fromEntries(Object.values(PIPELINE_FROM_LABEL).map((name) => [name, pipeline])),
    event_engine: 'auto',
    reconcile_interval_seconds: RECONCILE_SECONDS,
    agent: {
      queue: { max_parallel_jobs: SLOTS_PER_REPLICA, consume_block_seconds: 1, shutdown_grace_seconds: 0 },
    },
  };
  await writeFile(files.config, stringify(config, { aliasDuplicateObjects: false }));
  return files;
}
