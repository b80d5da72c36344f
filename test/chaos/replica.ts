/** A replica under chaos: a real `agent-smith server`, its own line to Redis, and every way in which it can be hurt. */
import { createWriteStream, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LeashedProcess, startLeashed } from '../../src/redis/embedded/leashed-process.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface Replica {
  readonly name: string;
  /** The road between it and Redis. */
  readonly line: TcpProxy;
  /** Where it listens; undefined while it is down or has not said it yet. */
  port(): number | undefined;
  start(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, as a rolling restart does it; resolves when it has ended. */
  end(): Promise<void>;
  /**
   * SIGSTOP: to the process alone, or to the whole `machine`, guard and commands included. Returns how those go on that
   * were stopped, whatever has become of the replica meanwhile.
   */
  pause(what: 'process' | 'machine'): () => void;
  /** Its guard process alone; does nothing while there is none. */
  killGuard(): void;
}

export interface ReplicaOptions {
  readonly name: string;
  readonly dir: string;
  readonly config: string;
  readonly scale: number;
  readonly line: TcpProxy;
  readonly env: Readonly<Record<string, string>>;
  /** It ended and nobody had asked for it. */
  readonly onCrash: (how: string) => void;
}

export function createReplica(options: ReplicaOptions): Replica {
  const { name, line } = options;
  let child: LeashedProcess | undefined;
  let port: number | undefined;

  const send = (pids: readonly number[], signal: NodeJS.Signals): void => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // It has ended meanwhile: the signal has nobody to reach.
      }
    }
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    port = undefined;
    ending?.signal(signal);
    await ending?.ended;
  };

  return {
    name,
    line,
    port: () => port,
    start() {
      const log = createWriteStream(path.join(options.dir, `${name}.log`), { flags: 'a' });
      const args = ['server', '--config', options.config, '--host', '127.0.0.1', '--port', '0'];
      let lastLine = '';
      const started = startLeashed(process.execPath, [MAIN, ...args, '--time-scale', String(options.scale)], {
        cwd: options.dir,
        env: { ...options.env, REDIS_URL: `redis://127.0.0.1:${line.port}`, REPLICA: name },
        onLine(text) {
          log.write(`${text}\n`);
          lastLine = text;
          const listening = /"port":(\d+).*"msg":"listening"/.exec(text)?.[1];
          if (listening !== undefined && child === started) port = Number(listening);
        },
      });
      child = started;
      const watchEnd = async (): Promise<void> => {
        const how = await started.ended;
        log.end();
        if (child === started) options.onCrash(`${name} ended by itself: ${how}: ${lastLine}`);
      };
      void watchEnd();
    },
    kill: () => end('SIGKILL'),
    end: () => end('SIGTERM'),
    pause(what) {
      if (child === undefined) return () => undefined;
      const pids = [child.pid, ...(what === 'machine' ? descendantsOf(child.pid) : [])];
      send(pids, 'SIGSTOP');
      return () => send(pids, 'SIGCONT');
    },
    killGuard() {
      if (child !== undefined) send(childrenOf(child.pid).filter(isGuard), 'SIGKILL');
    },
  };
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** All but the watcher of our leash: a harness that is killed meanwhile would leave behind what it had stopped. */
function descendantsOf(pid: number): number[] {
  return childrenOf(pid)
    .filter((child) => !isWatcher(child))
    .flatMap((child) => [child, ...descendantsOf(child)]);
}

function isWatcher(pid: number): boolean {
  const [shell, option, , name] = read(`/proc/${pid}/cmdline`).split('\0');
  return shell === '/bin/sh' && option === '-c' && name === 'leash';
}

function isGuard(pid: number): boolean {
  return read(`/proc/${pid}/cmdline`).includes('guard-process');
}

/** Empty when the process has ended. */
function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
