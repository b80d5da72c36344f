/**
 * Where the stopped workers live: a real Redis, one emulated GitHub that knows each replica by a token of its own, and
 * the witness on whose line every command stays while its process lives. Built bottom to top, taken down top to bottom.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { createGitHubEmulator, type GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { createLog } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { startEmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { openLeashedFolder } from '../../src/redis/embedded/leashed-folder.ts';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { type Chronicle, createChronicle } from './chronicle.ts';
import { createReplica, type Replica } from './replica.ts';
import { openWitness, RUNNER_SCRIPT, type Work } from './witness.ts';

export interface Town {
  readonly hub: GitHubEmulator;
  /** The name of a replica is also the id of its token. */
  readonly replicas: readonly Replica[];
  readonly chronicle: Chronicle;
  /** A ticket that asks for a run; the name of its page. */
  openTicket(): { readonly number: number; readonly page: string };
  close(): Promise<void>;
}

export interface TownOptions {
  readonly server: RedisServer;
  readonly scale: number;
  readonly replicas: number;
  readonly slots: number;
  readonly workOf: (page: string) => Work;
  readonly onCrash: (how: string) => void;
}

const REPOSITORY = 'org/api';

export async function openTown(options: TownOptions): Promise<Town> {
  const undo: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const folder = await openLeashedFolder('agentsmith-stopped-');
    undo.push(() => folder.remove());
    const dir = folder.path;
    const temporary = path.join(dir, 'tmp');
    await mkdir(temporary);
    const log = createLog({ level: 'silent', redactor: createRedactor() });
    const redis = await startEmbeddedRedis({ server: options.server, log });
    undo.push(() => redis.stop());

    const names = Array.from({ length: options.replicas }, (_, index) => `replica-${index + 1}`);
    const hub = createGitHubEmulator({
      tokens: Object.fromEntries(names.map((name) => [name, { token: tokenOf(name) }])),
      repositories: [REPOSITORY],
      rateLimit: { limit: 1_000_000_000 },
    });
    await hub.start();
    undo.push(() => hub.close());
    const chronicle = createChronicle();
    const witness = await openWitness(chronicle, options.workOf);
    undo.push(() => witness.close());

    const config = path.join(dir, 'agentsmith.yml');
    const runner = path.join(dir, 'runner.sh');
    await writeFile(runner, RUNNER_SCRIPT);
    await writeFile(config, stringify(configOf(hub.pageUrl(REPOSITORY), runner, witness.port, options.slots)));
    const replicas: Replica[] = [];
    undo.push(async () => void (await Promise.all(replicas.map((replica) => replica.kill()))));
    for (const name of names) {
      const line = await startTcpProxy(redis.port);
      undo.push(() => line.close());
      const env = { GITHUB_TOKEN: tokenOf(name), TMPDIR: temporary, LOG_LEVEL: 'info' };
      const replica = createReplica({ name, dir, config, scale: options.scale, line, env, onCrash: options.onCrash });
      replica.start();
      replicas.push(replica);
    }
    return {
      hub,
      replicas,
      chronicle,
      openTicket() {
        const { number } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
        return { number, page: `${hub.pageUrl(REPOSITORY)}/issues/${number}` };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const tokenOf = (name: string): string => `ghp_${name}`;

function configOf(url: string, runner: string, witnessPort: number, slots: number): object {
  return {
    projects: {
      api: {
        tickets: { type: 'GitHub', url, auth: 'token' },
        github_trigger: { default_pipeline: 'work', pipeline_from_label: { 'agent-smith': 'work' } },
        polling: { enabled: true, interval_seconds: 1, jitter_percent: 10 },
      },
    },
    pipelines: {
      work: {
        command: ['bash', runner],
        env: { WITNESS_PORT: String(witnessPort) },
        pass_env: ['REPLICA'],
        timeout_seconds: 86_400,
      },
    },
    agent: { queue: { max_parallel_jobs: slots, consume_block_seconds: 1, shutdown_grace_seconds: 1 } },
  };
}
