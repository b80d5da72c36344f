/**
 * Real replicas: `agent-smith server` as child processes that tests kill, stop and watch from outside. Their commands
 * write a ledger of their own (test/support/programs/ledger.sh), which tests believe instead of our records.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { REPOSITORY, TOKEN } from './house.ts';
import { type Scope, thisTest } from './scope.ts';
import { until } from './until.ts';

/** A process starts in half a second; many at once, on a machine that does a lot else, take their time. */
const START_MS = 45_000;

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** One line of the runners' ledger. */
export interface LedgerLine {
  /** `overlap`: another process of the same ticket was alive when this one started. */
  readonly event: 'start' | 'end' | 'overlap';
  readonly project: string;
  readonly ticket: string;
  readonly run: string;
  readonly attempt: string;
  readonly pid: number;
}

/** A folder with a configuration and a pipeline, for as many replicas as a test starts. */
export interface Site {
  readonly dir: string;
  readonly config: string;
  /** What the commands themselves wrote, in order. */
  ledger(): Promise<LedgerLine[]>;
  /** Starts a replica; it is killed when the test is over. */
  start(options?: ReplicaOptions): Promise<Replica>;
}

export interface SiteOptions {
  /** Watched by the one project that there is, unless `projects` says otherwise. */
  readonly hub?: GitHubEmulator;
  /** Undefined starts the replicas without REDIS_URL. */
  readonly redisUrl: string | undefined;
  /** Shell lines between the start and the end entry of the ledger; `$TICKET` and `$RUN` are set. Default: nothing. */
  readonly work?: string;
  /** Seconds between polls. Default 1. */
  readonly intervalSeconds?: number;
  /** Further YAML at the top level. */
  readonly yaml?: string;
  /** Replaces the `projects:` section. */
  readonly projects?: string;
  /** Whose site it is; default: the test that runs alone. */
  readonly scope?: Scope;
}

export interface ReplicaOptions {
  /** Factor on the protocol's durations. Default 0.1. */
  readonly timeScale?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments of `server`. */
  readonly args?: readonly string[];
  /** Do not wait until it answers. */
  readonly detached?: boolean;
}

export interface Replica {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly port: number;
  /** Log lines so far, parsed. */
  readonly logs: readonly Record<string, unknown>[];
  health(): Promise<HealthView>;
  ready(): Promise<{ readonly code: number; readonly body: Record<string, unknown> }>;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal (default SIGTERM) and resolves when it has ended. */
  end(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** The parts of `/health` that tests read. */
export interface HealthView {
  readonly status: string;
  readonly instance: string;
  readonly subsystems: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
  readonly findings: readonly { readonly code: string; readonly severity: string; readonly text: string }[];
  readonly roles: readonly {
    readonly role: string;
    readonly position: string;
    readonly holder?: string;
    readonly epoch?: number;
  }[];
  readonly projects: readonly {
    readonly name: string;
    readonly disabled?: string;
    readonly last_poll?: Record<string, unknown>;
    readonly missed?: Record<string, unknown>;
  }[];
  readonly active_runs: number;
}

export async function openSite(options: SiteOptions): Promise<Site> {
  const { scope = thisTest } = options;
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-site-'));
  scope.onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const ledgerFile = path.join(dir, 'ledger.jsonl');
  await mkdir(path.join(dir, 'pipelines'));
  const script = path.join(dir, 'pipelines', 'fix-bug.sh');
  await writeFile(script, pipelineScript(ledgerFile, options.work ?? ':'));
  await chmod(script, 0o755);
  const config = path.join(dir, 'agentsmith.yml');
  await writeFile(config, configText(options));

  return {
    dir,
    config,
    async ledger() {
      const text = await readFile(ledgerFile, 'utf8').catch(() => '');
      return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LedgerLine]));
    },
    start: (replica = {}) => startReplica({ config, redisUrl: options.redisUrl, scope }, replica),
  };
}

interface Place extends Pick<SiteOptions, 'redisUrl'> {
  readonly config: string;
  readonly scope: Scope;
}

async function startReplica({ config, redisUrl, scope }: Place, options: ReplicaOptions): Promise<Replica> {
  const port = await freePort();
  const args = ['server', '--config', config, '--host', '127.0.0.1', '--port', String(port), ...(options.args ?? [])];
  const child = spawn(process.execPath, [MAIN, ...args, '--time-scale', String(options.timeScale ?? 0.1)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      // A replica that is killed leaves the folders of its commands behind.
      TMPDIR: path.dirname(config),
      GITHUB_TOKEN: TOKEN,
      LOG_LEVEL: 'debug',
      ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
      ...options.env,
    },
  });
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const logs: Record<string, unknown>[] = [];
  let rest = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines)
      logs.push(line.startsWith('{') ? (JSON.parse(line) as Record<string, unknown>) : { line });
  });
  const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      // A stopped process takes nothing but SIGKILL until it goes on.
      if (signal !== 'SIGKILL') child.kill('SIGCONT');
    }
    const [code, by] = await ended;
    return { code, signal: by };
  };
  scope.onTestFinished(async () => {
    await end('SIGKILL');
  });
  const get = (route: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${route}`, { signal: AbortSignal.timeout(5_000), headers: { connection: 'close' } });
  const replica: Replica = {
    process: child,
    pid: child.pid ?? 0,
    port,
    logs,
    health: async () => (await (await get('/health')).json()) as HealthView,
    ready: async () => {
      const answer = await get('/health/ready');
      return { code: answer.status, body: (await answer.json()) as Record<string, unknown> };
    },
    signal: (signal) => child.kill(signal),
    end,
  };
  if (options.detached !== true) {
    await until(
      'the replica answers',
      async () => {
        if (child.exitCode !== null) throw new Error(`the replica ended: ${JSON.stringify(logs)}`);
        return await replica.health().catch(() => undefined);
      },
      START_MS,
    );
  }
  return replica;
}

function configText({ hub, intervalSeconds = 1, yaml = '', projects }: SiteOptions): string {
  return `projects:${projects ?? plainProject(hub, intervalSeconds)}\n${yaml}\n`;
}

function plainProject(hub: GitHubEmulator | undefined, intervalSeconds: number): string {
  if (hub === undefined) throw new Error('a site watches a hub, or projects of its own');
  const url = hub.pageUrl(REPOSITORY);
  return `
  api:
    source: { type: GitHub, url: ${url} }
    tickets: { type: GitHub, url: ${url}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: ${intervalSeconds} }`;
}

/** Each process leaves a file with its pid while it lives, so that the next one can see whether it still does. */
function pipelineScript(ledger: string, work: string): string {
  return `#!/bin/sh
cat > /dev/null
TICKET="$AGENTSMITH_TICKET_ID"
RUN="$AGENTSMITH_RUN_ID"
LIFE='${ledger}'".$AGENTSMITH_PROJECT.$TICKET"
note() {
  printf '{"event":"%s","project":"%s","ticket":"%s","run":"%s","attempt":"%s","pid":%d}\\n' "$1" "$AGENTSMITH_PROJECT" "$TICKET" "$RUN" "$AGENTSMITH_ATTEMPT" "$$" >> '${ledger}'
}
for other in "$LIFE".*; do
  if [ -e "$other" ] && kill -0 "\${other##*.}" 2> /dev/null; then note overlap; fi
done
touch "$LIFE.$$"
note start
${work}
note end
rm -f "$LIFE.$$"
`;
}
