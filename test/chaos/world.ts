/**
 * The world of a chaos run: real Redis with its data on disk, the four emulated trackers, replicas that are processes of
 * their own, each with its own road to Redis, and a load balancer for the webhooks. Built bottom to top, taken down top
 * to bottom; a harness that is killed leaves nothing behind, since all children are leashed to it.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { stringify } from 'yaml';
import { openBalancer } from '../../src/cli/demo/balancer.ts';
import { lifecycleOf } from '../../src/domain/lifecycle.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../src/emulators/sites.ts';
import { createLog, type Log } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection } from '../../src/redis/connection.ts';
import { type EmbeddedRedis, startEmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { type LeashedFolder, openLeashedFolder } from '../../src/redis/embedded/leashed-folder.ts';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import type { Chance } from './chance.ts';
import { type Chronicle, createChronicle } from './chronicle.ts';
import { createReplica, type Replica } from './replica.ts';
import { type ChaosSettings, timingOf } from './settings.ts';
import { openWitness, RUNNER_SCRIPT, type Witness, type Work } from './witness.ts';

export interface World {
  /** Logs of the replicas, the configuration, Redis' data. */
  readonly dir: string;
  readonly redis: EmbeddedRedis;
  /** Removes what Redis has on disk: to be called while it is down. */
  forgetRedisData(): Promise<void>;
  readonly sites: readonly Site[];
  readonly replicas: readonly Replica[];
  readonly chronicle: Chronicle;
  readonly witness: Witness;
  /** Replicas that ended although nobody had asked for it, with their last words. */
  readonly crashes: readonly string[];
  close(options: { readonly keepDir: boolean }): Promise<void>;
}

export interface WorldOptions {
  readonly settings: ChaosSettings;
  readonly server: RedisServer;
  readonly chance: Chance;
  /** What the commands of a ticket are to do, by its page. */
  readonly workOf: (page: string) => Work;
  /** The page of a ticket by the name that its tracker's ledger has for it. */
  readonly pageOf: (site: Site, ticket: string) => string | undefined;
}

const SECRET = 'only-known-to-the-chaos';
const SLOTS = 8;
const SABOTAGE = new URL('../support/sabotage.mjs', import.meta.url).href;

export async function openWorld(options: WorldOptions): Promise<World> {
  const { settings, chance } = options;
  const undo: (() => Promise<void>)[] = [];
  const crashes: string[] = [];
  let folder: LeashedFolder | undefined;
  const close = async ({ keepDir }: { readonly keepDir: boolean }): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
    await (keepDir ? folder?.keep() : folder?.remove());
  };
  try {
    folder = await openLeashedFolder('agentsmith-chaos-');
    const dir = folder.path;
    const redisDir = path.join(dir, 'redis');
    const temporary = path.join(dir, 'tmp');
    await Promise.all([redisDir, temporary].map((name) => mkdir(name)));
    const redis = await startEmbeddedRedis({ server: options.server, dir: redisDir, appendOnly: true, log: silent() });
    undo.push(() => redis.stop());
    await declareFresh(redis.url, settings);

    const sites = await openSites(EMULATED_PLATFORMS, () => ({
      webhooks: { timeoutMs: 2_000, pauseScale: settings.scale },
    }));
    undo.push(async () => void (await Promise.all(sites.map((site) => site.close()))));
    // No tracker answers at once: only then are claims and labels long enough to be hit in their midst.
    for (const { project } of sites) {
      const delayMs = Math.round(chance.between(0.01, 0.1) * timingOf(settings).claimCallMs);
      project.faults.inject({}, { kind: 'latency', delayMs });
    }
    const chronicle = createChronicle();
    for (const site of sites) undo.push(followLabels(site, chronicle, options.pageOf));
    const witness = await openWitness(chronicle, options.workOf);
    undo.push(() => witness.close());

    const config = path.join(dir, 'agentsmith.yml');
    const runner = path.join(dir, 'runner.sh');
    await writeFile(runner, RUNNER_SCRIPT);
    await writeFile(config, stringify(configOf(sites, runner, witness.port, chance), { aliasDuplicateObjects: false }));
    const replicas: Replica[] = [];
    for (let number = 1; number <= settings.replicas; number += 1) {
      const line = await startTcpProxy(redis.port);
      undo.push(() => line.close());
      const env = {
        ...Object.assign({}, ...sites.map(({ project }) => project.environment)),
        TMPDIR: temporary,
        LOG_LEVEL: 'info',
        ...(settings.without.length === 0
          ? {}
          : { SABOTAGE: settings.without.join(','), NODE_OPTIONS: `--import ${SABOTAGE}` }),
      };
      const onCrash = (how: string): void => void crashes.push(how);
      replicas.push(
        createReplica({ name: `replica-${number}`, dir, config, scale: settings.scale, line, env, onCrash }),
      );
    }
    undo.push(async () => {
      await Promise.all(replicas.map((replica) => replica.kill()));
    });
    const balancer = await openBalancer(() => replicas.flatMap((replica) => replica.port() ?? []));
    undo.push(() => balancer.close());
    for (const { platform, project } of sites) {
      project.addWebhook({ url: `${balancer.origin}/webhook/${platform}`, secret: SECRET });
    }
    for (const replica of replicas) replica.start();

    const forgetRedisData = (): Promise<void> =>
      rm(path.join(redisDir, 'appendonlydir'), { recursive: true, force: true });
    return { dir, redis, forgetRedisData, sites, replicas, chronicle, witness, crashes, close };
  } catch (error) {
    await close({ keepDir: false });
    throw error;
  }
}

/** Each tracker takes its tickets in by listings, by webhooks or by both, and missed webhooks are made up for. */
function configOf(sites: readonly Site[], runner: string, witnessPort: number, chance: Chance): object {
  const engine = chance.pick([undefined, undefined, 'auto', 'streaming']);
  const policyOf = ({ platform }: Site): string => {
    // GitHub alone keeps a list of all that it could not deliver: elsewhere a lost webhook needs listings to be made up for.
    const policies = ['both', platform === 'github' ? 'webhook_only' : 'both', 'both', 'poll_only'] as const;
    const policy = chance.pick(policies);
    return policy === 'poll_only' && engine === 'streaming' ? 'both' : policy;
  };
  const projectOf = (site: Site): object => ({
    tickets: { ...site.project.tickets, auth: 'token' },
    [`${site.platform}_trigger`]: { default_pipeline: 'chaos', pipeline_from_label: { 'agent-smith': 'chaos' } },
    polling: { enabled: true, interval_seconds: 1, jitter_percent: 30 },
    webhook: { secret: SECRET },
    sync_policy: policyOf(site),
  });
  return {
    projects: Object.fromEntries(sites.map((site) => [site.platform, projectOf(site)])),
    pipelines: {
      chaos: {
        command: ['bash', runner],
        env: { WITNESS_PORT: String(witnessPort) },
        pass_env: ['REPLICA'],
        timeout_seconds: 120,
      },
    },
    ...(engine === undefined ? {} : { event_engine: engine, reconcile_interval_seconds: 5 }),
    runs: { max_per_ticket_per_day: 1_000 },
    agent: { queue: { max_parallel_jobs: SLOTS, consume_block_seconds: 1, shutdown_grace_seconds: 1 } },
  };
}

/** Notes the lifecycle labels that we set on a tracker. People's are noted where they are asked for. */
function followLabels(site: Site, chronicle: Chronicle, pageOf: WorldOptions['pageOf']): () => Promise<void> {
  const stop = site.project.ledger.subscribe((entry) => {
    if (entry.kind !== 'label' || entry.by.kind !== 'token') return;
    const page = pageOf(site, entry.ticket);
    if (page === undefined) return;
    for (const label of entry.added) {
      const lifecycle = lifecycleOf(label);
      if (lifecycle !== undefined) chronicle.note(page, { kind: 'labelled', lifecycle });
    }
  });
  return async () => stop();
}

/** Says once that this Redis was started empty, so that the replicas do not wait for data that was never there. */
async function declareFresh(url: string, settings: ChaosSettings): Promise<void> {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const timing = { ...timingOf(settings), redisCommandMs: 2_000, redisSocketMs: 8_000 };
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing,
    blockMs: 0,
    freshServer: true,
    log: silent(),
  });
  const up = await redis.whenUp(AbortSignal.timeout(10_000));
  await redis.close();
  if (!up) throw new Error('the Redis of the chaos run does not answer');
}

/** Into a place of its own: each log listens to what it writes to, and a campaign opens hundreds of worlds. */
function silent(): Log {
  const nowhere = new Writable({ write: (_line, _encoding, done) => done() });
  return createLog({ level: 'silent', redactor: createRedactor(), destination: nowhere });
}
