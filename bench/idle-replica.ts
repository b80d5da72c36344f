/**
 * What a replica asks of Redis when nothing happens: its connections, and the commands that the server has carried out in a
 * window at the times of production. Two real replicas, one after the other, so that the second one shows what a follower
 * adds to a leader. They watch one project of an emulated GitHub by polls and webhooks, so that every loop is there.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { RedisConnection } from '../src/redis/connection.ts';
import { connect } from './redis.ts';
import { type Replica, startReplica } from './replica.ts';
import { type Site, startSite } from './site-process.ts';

export interface IdleReplicaOptions {
  readonly redisUrl: string;
  readonly windowSeconds: number;
  /** For the replicas; empty for what every Node has. */
  readonly nodeOptions: string;
}

/** Of so many replicas together. */
export interface IdleReplicas {
  readonly replicas: number;
  readonly windowSeconds: number;
  /** Open at the end of the window, by what they are for. */
  readonly connections: ReadonlyMap<string, number>;
  /** Carried out in the window, by name; those inside of scripts too. */
  readonly commands: ReadonlyMap<string, number>;
  /** To and from Redis in the window. */
  readonly networkBytes: number;
  /** CPU time of each replica in the window, and its resident memory at the end. */
  readonly each: readonly { readonly cpuSeconds: number; readonly residentBytes: number }[];
}

const NAMESPACE = 'bench-idle-replicas';
const SETTLE_MS = 5_000;
const READY_MS = 250;

/** @returns one entry for one replica, one for two. */
export async function benchIdleReplicas(options: IdleReplicaOptions): Promise<IdleReplicas[]> {
  const { redisUrl, windowSeconds, nodeOptions } = options;
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-bench-'));
  const redis = await connect(redisUrl, NAMESPACE);
  const site = await startSite('github');
  const replicas: Replica[] = [];
  try {
    const configFile = path.join(dir, 'agentsmith.yml');
    await writeFile(configFile, configOf(site));
    const env = { REDIS_URL: redisUrl, LOG_LEVEL: 'info', NODE_OPTIONS: nodeOptions, ...site.facts.environment };
    const results: IdleReplicas[] = [];
    for (let count = 1; count <= 2; count += 1) {
      const replica = await startReplica({ configFile, dir, env });
      replicas.push(replica);
      await untilReady(replica);
      results.push(await measure(redis, replicas, windowSeconds));
    }
    return results;
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop()));
    await site.stop();
    await redis.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function untilReady({ url }: Replica): Promise<void> {
  while (!(await fetch(`${url}/health/ready`)).ok) await delay(READY_MS);
  // The first poll, the first look of each loop.
  await delay(SETTLE_MS);
}

async function measure(
  redis: RedisConnection,
  replicas: readonly Replica[],
  windowSeconds: number,
): Promise<IdleReplicas> {
  const before = await lookAtServer(redis);
  const cpuBefore = await Promise.all(replicas.map(async (replica) => (await replica.metrics()).cpuSeconds));
  await delay(windowSeconds * 1000);
  const metrics = await Promise.all(replicas.map((replica) => replica.metrics()));
  const after = await lookAtServer(redis);
  const commands = [...after.commands].map(
    ([name, calls]) => [name, calls - (before.commands.get(name) ?? 0)] as const,
  );
  return {
    replicas: replicas.length,
    windowSeconds,
    connections: await connectionsOf(redis),
    commands: new Map(commands.filter(([name, calls]) => calls > 0 && !OWN_COMMANDS.has(name))),
    networkBytes: after.networkBytes - before.networkBytes,
    each: metrics.map(({ cpuSeconds, residentBytes }, index) => ({
      cpuSeconds: cpuSeconds - (cpuBefore[index] ?? 0),
      residentBytes,
    })),
  };
}

/** What the bench itself asks in the window. */
const OWN_COMMANDS = new Set(['info', 'client|list']);

async function lookAtServer(
  redis: RedisConnection,
): Promise<{ readonly commands: ReadonlyMap<string, number>; readonly networkBytes: number }> {
  const [stats, commandStats] = await redis.read('ask for statistics', (client) =>
    Promise.all([client.info('stats'), client.info('commandstats')]),
  );
  const calls = [...commandStats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)];
  const total = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)?.[1]);
  return {
    commands: new Map(calls.map(([, name = '', count]) => [name, Number(count)])),
    networkBytes: total('total_net_input_bytes') + total('total_net_output_bytes'),
  };
}

async function connectionsOf(redis: RedisConnection): Promise<ReadonlyMap<string, number>> {
  const [list, own] = await redis.read('list clients', (client) =>
    Promise.all([client.client('LIST'), client.client('ID')]),
  );
  return connectionsIn(String(list), own);
}

/** What the answer of `CLIENT LIST` says of all but the one that asked, by what they are for. */
export function connectionsIn(list: string, own: number): ReadonlyMap<string, number> {
  const connections = new Map<string, number>();
  for (const [, id, name = ''] of list.matchAll(/\bid=(\d+) .*?\bname=(\S*)/g)) {
    if (Number(id) === own) continue;
    // BullMQ gives the connection on which it waits for jobs a name of its own.
    const use = name.startsWith(OURS) ? name.slice(OURS.length) : 'waits for jobs';
    connections.set(use, (connections.get(use) ?? 0) + 1);
  }
  return connections;
}

const OURS = 'agent-smith:';

function configOf({ facts }: Site): string {
  // JSON is YAML.
  return JSON.stringify({
    projects: {
      bench: {
        source: { type: facts.tickets.type, url: facts.tickets.url },
        tickets: { ...facts.tickets, auth: 'token' },
        github_trigger: { pipeline_from_label: { 'agent-smith': 'quick' } },
        polling: { enabled: true, interval_seconds: 60 },
        webhook: { secret: 'bench-secret-of-the-webhooks' },
      },
    },
    pipelines: { quick: { command: ['true'] } },
    redis: { namespace: NAMESPACE },
  });
}
