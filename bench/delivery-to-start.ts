/**
 * How long it takes from the moment in which GitHub sends a delivery until the first attempt of the run that it asks for: a
 * whole replica and the emulated GitHub, which answers at once, one delivery at a time. The end is `started_utc` of the run's
 * record, by the clock of Redis; both clocks are this machine's, and both tell whole milliseconds.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { LabelSet } from './emulated-site.ts';
import { percentile } from './figures.ts';
import { type Replica, startReplica } from './replica.ts';
import { type Site, startSite } from './site-process.ts';

export interface DeliveryToStartOptions {
  readonly redisUrl: string;
  /** Known to Redis already. */
  readonly namespace: string;
  /** At most as many as one page of the API shows, together with those that warm up. */
  readonly deliveries: number;
}

export interface DeliveryToStart {
  readonly deliveries: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const PLATFORM = 'github';
const LABEL = 'agent-smith';
const SECRET = 'bench-secret-of-the-webhooks';
const API_TOKEN = 'bench-token-of-the-api';
/** Untimed: connections are open, and the compiler has seen everything. */
const WARM_UP = 20;

export async function benchDeliveryToStart(options: DeliveryToStartOptions): Promise<DeliveryToStart> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-bench-'));
  const site = await startSite(PLATFORM);
  try {
    const configFile = path.join(dir, 'agentsmith.yml');
    await writeFile(configFile, configOf(site, options.namespace));
    const replica = await startReplica({
      configFile,
      dir,
      env: {
        REDIS_URL: options.redisUrl,
        AGENTSMITH_API_TOKEN: API_TOKEN,
        LOG_LEVEL: 'info',
        ...site.facts.environment,
      },
    });
    try {
      const sent = await site.deliver({
        deliveries: WARM_UP + options.deliveries,
        label: LABEL,
        hook: { url: `${replica.url}/webhook/${PLATFORM}`, secret: SECRET },
      });
      return sumUp(sent.slice(WARM_UP), await startsOf(replica));
    } finally {
      await replica.stop();
    }
  } finally {
    await site.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

function sumUp(sent: readonly LabelSet[], starts: ReadonlyMap<string, number>): DeliveryToStart {
  const latenciesMs = sent.map(({ ticketId, atMs }) => {
    const startedAtMs = starts.get(ticketId);
    if (startedAtMs === undefined) throw new Error(`the run of ticket ${ticketId} is not on record`);
    return startedAtMs - atMs;
  });
  return { deliveries: sent.length, p50Ms: percentile(latenciesMs, 50), p99Ms: percentile(latenciesMs, 99) };
}

/** When the run of each ticket was started, by ticket id. */
async function startsOf({ url }: Replica): Promise<ReadonlyMap<string, number>> {
  const answer = await fetch(`${url}/api/runs?limit=200`, { headers: { authorization: `Bearer ${API_TOKEN}` } });
  if (!answer.ok) throw new Error(`the API answered ${answer.status}`);
  const { runs } = (await answer.json()) as {
    readonly runs: readonly { readonly ticket_id: string; readonly started_utc?: string }[];
  };
  return new Map(
    runs.flatMap(({ ticket_id, started_utc }) =>
      started_utc === undefined ? [] : [[ticket_id, Date.parse(started_utc)]],
    ),
  );
}

function configOf({ facts }: Site, namespace: string): string {
  // JSON is YAML.
  return JSON.stringify({
    projects: {
      bench: {
        source: { type: facts.tickets.type, url: facts.tickets.url },
        tickets: { ...facts.tickets, auth: 'token' },
        [`${PLATFORM}_trigger`]: { pipeline_from_label: { [LABEL]: 'quick' } },
        webhook: { secret: SECRET },
      },
    },
    pipelines: { quick: { command: ['true'] } },
    agent: { queue: { max_parallel_jobs: 2, shutdown_grace_seconds: 1 } },
    redis: { namespace },
  });
}
