/**
 * A Redis server as a child process on 127.0.0.1: for the demo, for `dev` and for tests. It never outlives the process
 * that started it, nor does its temporary folder. An end that nobody asked for is reported with the last lines of its
 * output.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../foundation/log.ts';
import { freePort } from './free-port.ts';
import { type LeashedFolder, openLeashedFolder } from './leashed-folder.ts';
import { endLeashed, startLeashed } from './leashed-process.ts';
import type { RedisServer } from './redis-server.ts';

export interface EmbeddedRedisOptions {
  readonly server: RedisServer;
  readonly log: Log;
  /** Where it keeps its data; without it a temporary folder that `stop` removes. */
  readonly dir?: string;
  /** Default: any free one. */
  readonly port?: number;
  readonly password?: string;
  /** Keep the data on disk, so that it survives `kill` and `restart`. Default false. */
  readonly appendOnly?: boolean;
  /** Allow DEBUG, for fault tests. Default false. */
  readonly debugCommand?: boolean;
  /** Further lines for redis.conf, such as `replicaof 127.0.0.1 20001`. */
  readonly settings?: readonly string[];
}

export interface EmbeddedRedis {
  readonly url: string;
  readonly port: number;
  /** Of the server that runs now, or ran last. */
  readonly pid: number;
  /** Whether the process lives. One that hangs in SIGSTOP does. */
  readonly running: boolean;
  /** Sends a signal. Resolves when it is delivered; for SIGKILL and SIGTERM when the server has ended. */
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Starts it again on the same port and folder, whether it runs, hangs or has ended. Resolves when it answers. */
  restart(): Promise<void>;
  /** Ends it and removes its temporary folder. Safe to call twice. */
  stop(): Promise<void>;
}

/** How long a server may take from its start until it accepts connections, its data loaded. */
const START_TIMEOUT_MS = 30_000;
/** How long an ordered end may take before SIGKILL. */
const STOP_TIMEOUT_MS = 5_000;
const REMEMBERED_LINES = 20;
const PORT_ATTEMPTS = 5;

/** Resolves when the server accepts connections. Throws with the server's own words when it does not start. */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const folder: Folder =
    options.dir === undefined
      ? await openLeashedFolder('agentsmith-redis-')
      : { path: options.dir, remove: () => Promise.resolve() };
  try {
    const { port, running } = await startOnSomePort(options, folder.path);
    return handle(options, folder, port, running);
  } catch (error) {
    await folder.remove();
    throw error;
  }
}

/** Its data: a temporary folder of its own, or one that belongs to somebody else and stays. */
type Folder = Pick<LeashedFolder, 'path' | 'remove'>;

function handle(options: EmbeddedRedisOptions, folder: Folder, port: number, first: Running): EmbeddedRedis {
  let running = first;
  const stopRunning = async (): Promise<void> => {
    // A server that hangs in SIGSTOP takes SIGTERM only after SIGCONT.
    running.signal('SIGCONT');
    await endLeashed(running, STOP_TIMEOUT_MS);
  };
  return {
    url: `redis://${options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`}127.0.0.1:${port}`,
    port,
    get pid() {
      return running.pid;
    },
    get running() {
      return running.alive();
    },
    async kill(signal) {
      running.signal(signal);
      if (signal === 'SIGKILL' || signal === 'SIGTERM') await running.ended;
    },
    async restart() {
      await stopRunning();
      running = await start(options, folder.path, port);
    },
    async stop() {
      await stopRunning();
      await folder.remove();
    },
  };
}

async function startOnSomePort(
  options: EmbeddedRedisOptions,
  dir: string,
): Promise<{ port: number; running: Running }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return { port, running: await start(options, dir, port) };
    } catch (error) {
      const portWasTaken = error instanceof Error && error.message.includes('Address already in use');
      if (!portWasTaken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** One life of the server, from ready to ended. */
interface Running {
  readonly pid: number;
  readonly ended: Promise<void>;
  alive(): boolean;
  /** Does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
}

async function start(options: EmbeddedRedisOptions, dir: string, port: number): Promise<Running> {
  const config = path.join(dir, 'redis.conf');
  await writeFile(config, configOf(options, port), { mode: 0o600 }); // it may hold the password

  const lastLines: string[] = [];
  const ready = Promise.withResolvers<boolean>();
  const child = startLeashed(options.server.program, [config], {
    cwd: dir,
    env: options.server.env,
    onLine: (line) => {
      options.log.debug({ port, line }, 'embedded Redis says');
      lastLines.push(line);
      if (lastLines.length > REMEMBERED_LINES) lastLines.shift();
      if (line.includes('eady to accept connections')) ready.resolve(true);
    },
  });

  let alive = true;
  let endWanted = false;
  const signal = (name: NodeJS.Signals): void => {
    if (name === 'SIGKILL' || name === 'SIGTERM') endWanted = true;
    child.signal(name);
  };
  const watchEnd = async (): Promise<void> => {
    const how = await child.ended;
    alive = false;
    ready.resolve(false);
    if (!endWanted) options.log.error({ port, how, output: lastLines }, 'embedded Redis ended by itself');
  };
  const ended = watchEnd();

  const timer = setTimeout(() => signal('SIGKILL'), START_TIMEOUT_MS);
  const isReady = await ready.promise;
  clearTimeout(timer);
  if (!isReady) throw new Error(`Redis did not start on port ${port}:\n${lastLines.join('\n')}`);
  return { pid: child.pid, ended, alive: () => alive, signal };
}

function configOf(options: EmbeddedRedisOptions, port: number): string {
  const { version } = options.server;
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    'daemonize no',
    'dir ./',
    'save ""',
    `appendonly ${options.appendOnly === true ? 'yes' : 'no'}`,
    'maxmemory-policy noeviction',
  ];
  if (options.password !== undefined) lines.push(`requirepass ${JSON.stringify(options.password)}`);
  // Before 7 there was neither a switch nor a wait for replicas.
  if (version[0] >= 7)
    lines.push('shutdown-timeout 0', `enable-debug-command ${options.debugCommand === true ? 'local' : 'no'}`);
  return `${[...lines, ...(options.settings ?? [])].join('\n')}\n`;
}
