/**
 * A real replica as a child process: `agent-smith server`, with nothing about it made for the bench. What it costs is
 * read from its own `/metrics`, as an operator would.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { startLeashed } from '../src/redis/embedded/leashed-process.ts';

export interface ReplicaMetrics {
  /** User and system time since its start. */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Polls of projects since its start, by result. */
  readonly polls: ReadonlyMap<string, number>;
  /** Requests to platforms since its start, by purpose. */
  readonly requests: ReadonlyMap<string, number>;
}

export interface Replica {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  /** Throws when the replica has ended, with its last lines. */
  metrics(): Promise<ReplicaMetrics>;
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface ReplicaOptions {
  readonly configFile: string;
  readonly dir: string;
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
}

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
const REMEMBERED_LINES = 10;
const NO_FILE = 'no-such-file.yml';

/**
 * Resolves when it listens. Its code is compiled before: Node runs TypeScript as it is, and the compiler that it loads
 * for that would take some 30 MB of the memory that is measured here.
 */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const env = { ...options.env, NODE_COMPILE_CACHE: path.join(options.dir, 'compile-cache') };
  // The command loads all of its code before it finds that there is no such file.
  await execa(process.execPath, [MAIN, 'server', '--config', NO_FILE], { env, cwd: options.dir, reject: false });
  const lastLines: string[] = [];
  const listening = Promise.withResolvers<number>();
  const args = ['server', '--config', options.configFile, '--host', '127.0.0.1', '--port', '0'];
  const child = startLeashed(process.execPath, [MAIN, ...args], {
    cwd: options.dir,
    env,
    onLine: (line) => {
      lastLines.push(line);
      if (lastLines.length > REMEMBERED_LINES) lastLines.shift();
      const port = /"port":(\d+).*"msg":"listening"/.exec(line)?.[1];
      if (port !== undefined) listening.resolve(Number(port));
    },
  });
  let ended: string | undefined;
  const watchEnd = async (): Promise<void> => {
    ended = await child.ended;
    listening.reject(ending());
  };
  const ending = (): Error => new Error([`the replica has ended: ${ended}`, ...lastLines].join('\n'));
  const over = watchEnd();
  const url = `http://127.0.0.1:${await listening.promise}`;
  return {
    url,
    async metrics() {
      if (ended !== undefined) throw ending();
      return readMetrics(await (await fetch(`${url}/metrics`)).text());
    },
    async stop() {
      child.signal('SIGTERM');
      await over;
    },
  };
}

function readMetrics(page: string): ReplicaMetrics {
  const value = (name: string): number => {
    const text = new RegExp(`^${name} (\\S+)$`, 'm').exec(page)?.[1];
    if (text === undefined) throw new Error(`the replica shows no metric ${name}`);
    return Number(text);
  };
  const sumBy = (name: string, label: string): Map<string, number> => {
    const sums = new Map<string, number>();
    const lines = page.matchAll(new RegExp(`^${name}\\{.*\\b${label}="([^"]+)".*\\} (\\S+)$`, 'gm'));
    for (const [, key = '', count = ''] of lines) sums.set(key, (sums.get(key) ?? 0) + Number(count));
    return sums;
  };
  return {
    cpuSeconds: value('agentsmith_process_cpu_seconds_total'),
    residentBytes: value('agentsmith_process_resident_memory_bytes'),
    polls: sumBy('agentsmith_polls_total', 'result'),
    requests: sumBy('agentsmith_platform_requests_total', 'purpose'),
  };
}
