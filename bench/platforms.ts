/**
 * What each platform costs and how fast it goes: a real replica for each, on its own emulator in a process of its own,
 * all at the same time, since they wait for latency more than they work.
 *
 *   idle       some poll cycles without work                   requests per cycle
 *   one        one ticket after the other, without latency      from the label to the start of its run
 *   backlog    many tickets at once, each answer after 100 ms   beside what latency x requests / concurrency allows
 *
 * All of it is read from the emulator's ledger and the replica's own `/metrics`.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CLAIMS_PER_PROJECT } from '../src/ingress/polls/pollers.ts';
import { PLATFORMS } from '../src/platforms/registry.ts';
import { type Replica, startReplica } from './replica.ts';
import { type Site, startSite } from './site-process.ts';

export interface PlatformsBenchOptions {
  readonly redisUrl: string;
  /** Known to Redis already; each replica gets its own behind it. */
  readonly namespaceOf: (platform: string) => Promise<string>;
  readonly backlog: number;
  readonly single: number;
}

export interface PlatformResult {
  readonly platform: string;
  readonly perIdleCycle: { readonly paid: number; readonly notModified: number };
  /** Requests for one claim: the read of the ticket and the writes of its label. */
  readonly perClaim: { readonly read: number; readonly label: number };
  readonly labelToStartSeconds: number;
  readonly backlog: { readonly tickets: number; readonly seconds: number; readonly boundSeconds: number };
}

const LATENCY_MS = 100;
const INTERVAL_SECONDS = 1;
const IDLE_CYCLES = 5;
const SAMPLE_MS = 200;
/** Runs at once, and one that stays at work, so that the backlog is claimed and not run. */
const QUICK = 'bench-quick';
const LONG = 'bench-long';

export function benchPlatforms(options: PlatformsBenchOptions): Promise<PlatformResult[]> {
  return Promise.all(PLATFORMS.map(({ slug }) => benchPlatform(slug, options)));
}

async function benchPlatform(platform: string, options: PlatformsBenchOptions): Promise<PlatformResult> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-bench-'));
  const site = await startSite(platform);
  try {
    const configFile = path.join(dir, 'agentsmith.yml');
    await writeFile(configFile, configOf(platform, site, await options.namespaceOf(platform)));
    const replica = await startReplica({
      configFile,
      dir,
      env: { REDIS_URL: options.redisUrl, LOG_LEVEL: 'info', ...site.facts.environment },
    });
    try {
      return await measure(platform, site, replica, options);
    } finally {
      await replica.stop();
    }
  } finally {
    await site.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function measure(
  platform: string,
  site: Site,
  replica: Replica,
  { single, backlog }: PlatformsBenchOptions,
): Promise<PlatformResult> {
  const polls = async (): Promise<number> => (await replica.metrics()).polls.get('ok') ?? 0;
  const untilPolls = async (count: number): Promise<number> => {
    for (;;) {
      const now = await polls();
      if (now >= count) return now;
      await delay(SAMPLE_MS);
    }
  };

  // The first cycle prepares labels, and repair looks round once.
  const warmPolls = await untilPolls(3);
  const before = await site.requests();
  const idlePolls = (await untilPolls(warmPolls + IDLE_CYCLES)) - warmPolls;
  const after = await site.requests();

  const starts: number[] = [];
  for (let number = 0; number < single; number += 1) {
    const { seconds } = await site.work({ count: 1, label: QUICK, until: 'in-progress', latencyMs: 0 });
    starts.push(seconds);
  }

  const purposes = (await replica.metrics()).requests;
  const claimed = await site.work({ count: backlog, label: LONG, until: 'enqueued', latencyMs: LATENCY_MS });
  const claiming = (await replica.metrics()).requests;
  const perTicket = (purpose: string): number =>
    ((claiming.get(purpose) ?? 0) - (purposes.get(purpose) ?? 0)) / backlog;
  return {
    platform,
    perIdleCycle: {
      paid: (after.paid - before.paid) / idlePolls,
      notModified: (after.notModified - before.notModified) / idlePolls,
    },
    perClaim: { read: perTicket('claim'), label: perTicket('label') },
    labelToStartSeconds: starts.toSorted((a, b) => a - b)[Math.floor(starts.length / 2)] ?? Number.NaN,
    backlog: {
      tickets: backlog,
      seconds: claimed.seconds,
      boundSeconds: (LATENCY_MS / 1000) * (claimed.requests / CLAIMS_PER_PROJECT),
    },
  };
}

function configOf(platform: string, site: Site, namespace: string): string {
  const url = String(site.facts.tickets.url);
  // JSON is YAML.
  return JSON.stringify({
    projects: {
      bench: {
        source: { type: site.facts.tickets.type, url },
        tickets: { ...site.facts.tickets, auth: 'token' },
        [`${platform}_trigger`]: { pipeline_from_label: { [QUICK]: 'quick', [LONG]: 'long' } },
        polling: { enabled: true, interval_seconds: INTERVAL_SECONDS, jitter_percent: 0 },
      },
    },
    pipelines: { quick: { command: ['true'] }, long: { command: ['sleep', '3600'] } },
    agent: { queue: { max_parallel_jobs: 1, shutdown_grace_seconds: 1 } },
    redis: { namespace },
  });
}
