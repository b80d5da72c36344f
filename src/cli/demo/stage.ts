/** Builds what the demo plays on, bottom to top, and takes it down again, top to bottom: nothing of it may stay behind. */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Environment } from '../../config/expand.ts';
import { DEFAULT_TIMING } from '../../domain/timing.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../emulators/sites.ts';
import { parseRedisUrl } from '../../redis/address.ts';
import { createRedisConnection } from '../../redis/connection.ts';
import { openLeashedFolder } from '../../redis/embedded/leashed-folder.ts';
import { openEmbeddedRedis } from '../dev.ts';
import { openLog } from '../process.ts';
import { openBalancer } from './balancer.ts';
import { type Board, createBoard } from './board.ts';
import { SERVICE_SECRET_VARIABLE, writeConfiguration } from './configuration.ts';
import { createRunnerLedger, type RunnerLedger } from './ledger.ts';
import { type PipelineBeats, REPLICA_VARIABLE, writePipeline } from './pipeline.ts';
import { createReplica, type Replica } from './replica.ts';
import { openService } from './service.ts';

export interface Stage {
  /** Holds the logs of the replicas and the service, and the ledger of the pipelines. */
  readonly dir: string;
  readonly sites: readonly Site[];
  /** Those of them that tell of changes by webhook; the others are polled. */
  readonly hooked: readonly Site[];
  /** Where webhooks lead to whichever replicas take them. */
  readonly webhookOrigin: string;
  readonly ledger: RunnerLedger;
  readonly board: Board;
  /** Not started yet. */
  readonly replicas: readonly Replica[];
  /** Ends every process and removes the folder, unless it is to be kept. Safe to call twice. */
  close(options?: { readonly keepDir?: boolean }): Promise<void>;
}

export interface StageOptions {
  readonly env: Environment;
  readonly beats: PipelineBeats;
  /** A replica or the service ended and nobody had asked for it; with its last words. */
  readonly onProcessEnd: (how: string) => void;
}

const REPLICAS = ['alpha', 'beta'] as const;
/** Leases, heartbeats and repair ten times faster than in production: a viewer sees a failover in seconds. */
const TIME_SCALE = 0.1;
const NAMESPACE = 'agentsmith';
const REDIS_PATIENCE_MS = 10_000;

export async function openStage(options: StageOptions): Promise<Stage> {
  // Only what goes wrong may be logged: standard error is often the terminal that shows the picture.
  const env = { ...options.env, LOG_LEVEL: 'error' };
  const undo: (() => Promise<void>)[] = [];
  let keepDir = false;
  const close: Stage['close'] = async (wish) => {
    keepDir = wish?.keepDir ?? keepDir;
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const folder = await openLeashedFolder('agentsmith-demo-');
    undo.push(() => (keepDir ? folder.keep() : folder.remove()));
    const dir = folder.path;
    const redisDir = path.join(dir, 'redis');
    const temporary = path.join(dir, 'tmp');
    await Promise.all([redisDir, temporary].map((one) => mkdir(one)));
    const redis = await openEmbeddedRedis(env, { dir: redisDir });
    undo.push(() => redis.stop());
    await declareFresh(redis.url, env);

    const sites = await openSites(EMULATED_PLATFORMS);
    undo.push(async () => {
      await Promise.all(sites.map((site) => site.close()));
    });

    // Half of them, so that a viewer sees the one way beside the other.
    const hooked = sites.slice(0, Math.ceil(sites.length / 2));
    const pipeline = await writePipeline(dir, options.beats);
    const service = await openService({ dir, temporary, pipeline, onEnd: options.onProcessEnd });
    undo.push(() => service.stop());
    const config = await writeConfiguration({ dir, sites, hooked, pipeline, serviceUrl: service.url });
    const ledger = createRunnerLedger(pipeline.ledger);
    const replicas = REPLICAS.map((name) =>
      createReplica({
        name,
        dir,
        logFile: path.join(dir, `${name}.log`),
        config,
        timeScale: TIME_SCALE,
        env: {
          ...Object.assign({}, ...sites.map(({ project }) => project.environment)),
          REDIS_URL: redis.url,
          LOG_LEVEL: 'info',
          TMPDIR: temporary,
          [SERVICE_SECRET_VARIABLE]: service.secret,
          [REPLICA_VARIABLE]: name,
        },
        onEnd: options.onProcessEnd,
      }),
    );
    undo.push(async () => {
      await Promise.all(replicas.map((replica) => replica.stop()));
    });
    const balancer = await openBalancer(() => replicas.flatMap((replica) => replica.view().webhookPort ?? []));
    undo.push(() => balancer.close());
    const board = createBoard(ledger);
    return { dir, sites, hooked, webhookOrigin: balancer.origin, ledger, board, replicas, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Says once that this Redis was started empty, so that the replicas do not wait for data that was never there. */
async function declareFresh(url: string, env: Environment): Promise<void> {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const connection = createRedisConnection({
    address: address.options,
    namespace: NAMESPACE,
    timing: DEFAULT_TIMING,
    blockMs: 0,
    freshServer: true,
    log: openLog(env).log,
  });
  try {
    const up = await connection.whenUp(AbortSignal.timeout(REDIS_PATIENCE_MS));
    if (!up) throw new Error(`the embedded Redis does not answer: ${connection.status().reason}`);
  } finally {
    await connection.close();
  }
}
