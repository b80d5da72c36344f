/**
 * What a replica pays for watching many projects in which nothing happens: a real replica process against the emulated
 * GitHub, all projects on one token, polled as often as GitHub's secondary limit allows.
 *
 *   start            cold cycle                              window
 *   |----------------|---------------------------------------|=========|
 *   every page is paid once, first polls spread over the interval   listings come evenly, at the allowed rate
 *
 * First polls are spread over the interval and each project keeps its own pace from there, so any window after the cold
 * cycle shows the steady state.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type GitHub, startGitHub } from './github-process.ts';
import { type Replica, type ReplicaMetrics, startReplica } from './replica.ts';

export interface IdlePollOptions {
  readonly redisUrl: string;
  /** A namespace that Redis knows already: a replica that finds an empty Redis waits, as after a loss of data. */
  readonly namespace: string;
  readonly projects: number;
  /** Length of the window; at most one interval. */
  readonly windowSeconds: number;
  /** For the replica; empty for what every Node has. */
  readonly nodeOptions: string;
  /** Done between the cold cycle and the window. */
  readonly meanwhile: () => Promise<void>;
}

export interface IdlePollResult {
  readonly projects: number;
  readonly intervalSeconds: number;
  readonly nodeOptions: string;
  readonly cold: { readonly seconds: number; readonly cpuSeconds: number; readonly paidRequests: number };
  readonly warm: {
    readonly windowSeconds: number;
    readonly polls: number;
    readonly paidRequests: number;
    readonly notModified: number;
    readonly cpuSeconds: number;
    /** CPU time of as many polls as there are projects. */
    readonly cpuSecondsPerCycle: number;
  };
  readonly residentBytes: { readonly cold: number; readonly window: number; readonly peak: number };
}

/** GitHub: 900 points a minute, a listing costs one, and each poll makes two of them. */
const POINTS_PER_MINUTE = 900;
const LISTINGS_PER_POLL = 2;
const JITTER_PERCENT = 10;
const SAMPLE_MS = 500;
const TOKEN = 'bench-token-of-the-emulated-hub';
const TRIGGER_LABEL = 'agent-smith';

export function allowedIntervalSeconds(projects: number): number {
  return Math.ceil((projects * LISTINGS_PER_POLL * 60) / POINTS_PER_MINUTE);
}

/** Throws when a poll fails: then there is nothing to measure. */
export async function benchIdlePoll(options: IdlePollOptions): Promise<IdlePollResult> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-bench-'));
  const github = startGitHub({ repositories: options.projects, token: TOKEN, triggerLabel: TRIGGER_LABEL });
  try {
    const { pages } = await github.ready;
    const configFile = path.join(dir, 'agentsmith.yml');
    await writeFile(configFile, configOf(options, pages));
    const replica = await startReplica({
      configFile,
      dir,
      env: { REDIS_URL: options.redisUrl, GITHUB_TOKEN: TOKEN, LOG_LEVEL: 'info', NODE_OPTIONS: options.nodeOptions },
    });
    try {
      return await measure(options, replica, github);
    } finally {
      await replica.stop();
    }
  } finally {
    await github.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

async function measure(options: IdlePollOptions, replica: Replica, github: GitHub): Promise<IdlePollResult> {
  const intervalSeconds = allowedIntervalSeconds(options.projects);
  const startedMs = performance.now();
  const samples: number[] = [];
  const sample = async (): Promise<ReplicaMetrics> => {
    const metrics = await replica.metrics();
    samples.push(metrics.residentBytes);
    const failed = [...metrics.polls].filter(([result, count]) => result !== 'ok' && count > 0);
    if (failed.length > 0) throw new Error(`polls failed: ${JSON.stringify(failed)}`);
    return metrics;
  };
  const sampleUntil = async (
    done: (metrics: ReplicaMetrics) => boolean | Promise<boolean>,
  ): Promise<ReplicaMetrics> => {
    for (;;) {
      const metrics = await sample();
      if (await done(metrics)) return metrics;
      await delay(SAMPLE_MS);
    }
  };

  // By then the last project has had its first poll, jitter and a slow machine included.
  const coldMs = intervalSeconds * 1000 * (1 + (2 * JITTER_PERCENT) / 100);
  const cold = await sampleUntil(() => performance.now() - startedMs >= coldMs);
  if ((cold.polls.get('ok') ?? 0) < options.projects) throw new Error('the first cycle did not come to its end');
  const coldSeconds = (performance.now() - startedMs) / 1000;
  const coldCounts = await github.counts();
  const coldPeak = Math.max(...samples);

  await options.meanwhile();
  const before = {
    metrics: await sample(),
    counts: await github.counts(),
    atMs: performance.now(),
    samples: samples.length,
  };
  await sampleUntil(() => performance.now() - before.atMs >= options.windowSeconds * 1000);
  const metrics = await sample();
  const counts = await github.counts();
  const windowSeconds = (performance.now() - before.atMs) / 1000;
  const polls = (metrics.polls.get('ok') ?? 0) - (before.metrics.polls.get('ok') ?? 0);
  if (polls === 0) throw new Error('nothing was polled in the window');
  const cpuSeconds = metrics.cpuSeconds - before.metrics.cpuSeconds;
  return {
    projects: options.projects,
    intervalSeconds,
    nodeOptions: options.nodeOptions,
    cold: {
      seconds: coldSeconds,
      cpuSeconds: cold.cpuSeconds,
      paidRequests: coldCounts.polls.paid + coldCounts.others.paid,
    },
    warm: {
      windowSeconds,
      polls,
      // Since the end of the cold cycle, not of the window alone: nothing paid may hide before it.
      paidRequests: counts.polls.paid - coldCounts.polls.paid,
      notModified: counts.polls.notModified - before.counts.polls.notModified,
      cpuSeconds,
      cpuSecondsPerCycle: (cpuSeconds / polls) * options.projects,
    },
    residentBytes: { cold: coldPeak, window: Math.max(...samples.slice(before.samples)), peak: Math.max(...samples) },
  };
}

function configOf({ namespace, projects }: IdlePollOptions, pages: readonly string[]): string {
  const polling = { enabled: true, interval_seconds: allowedIntervalSeconds(projects), jitter_percent: JITTER_PERCENT };
  const project = (url: string): object => ({
    source: { type: 'GitHub', url },
    tickets: { type: 'GitHub', url, auth: 'token' },
    github_trigger: { pipeline_from_label: { [TRIGGER_LABEL]: 'fix-bug' } },
    polling,
  });
  // JSON is YAML.
  return JSON.stringify({
    projects: Object.fromEntries(pages.map((url, index) => [`project-${index + 1}`, project(url)])),
    pipelines: { 'fix-bug': { command: ['true'] } },
    redis: { namespace },
  });
}
