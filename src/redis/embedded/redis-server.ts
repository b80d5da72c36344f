/**
 * Finds a program that is a Redis server, so that `npm run demo` and `npm test` need none to be set up: one on PATH,
 * else one that was or can be downloaded without root, else an error that says how to get one.
 */
import { execa } from 'execa';
import { messageOf } from '../../foundation/errors.ts';
import { debianRedis } from './debian-redis.ts';

/** A server program that has been seen to run. Plain data: it may be handed to another process. */
export interface RedisServer {
  readonly program: string;
  /** Variables that the program needs beside the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** [major, minor] of Redis; Valkey goes on from 7.2. */
  readonly version: readonly [number, number];
}

export interface FindRedisServerOptions {
  /** Folder for a downloaded server; created when needed. */
  readonly cacheDir: string;
  /** `download` passes over PATH (`AGENTSMITH_REDIS=download`); anything else, and undefined, prefers it. */
  readonly mode?: string | undefined;
  /** Told in words what takes time. */
  readonly report: (message: string) => void;
}

/** BullMQ's own recommendation; what our scripts use is not older. */
const OLDEST = [6, 2] as const;

const HOW_TO_GET_ONE = `Agent Smith needs a Redis server on this machine. Get one by any of:
  brew install redis                                  (macOS)
  sudo apt-get install redis-server                   (Debian, Ubuntu)
  docker run -d -p 6379:6379 redis:7 --maxmemory-policy noeviction
      (then set REDIS_URL=redis://127.0.0.1:6379 and use "agent-smith server": demo, dev and tests start a server of their own)`;

/** The first server that runs. Throws an error that tells the user what was tried and what to do. */
export async function findRedisServer(options: FindRedisServerOptions): Promise<RedisServer> {
  const tried: string[] = [];
  if (options.mode !== 'download') {
    for (const program of ['redis-server', 'valkey-server']) {
      try {
        return await probe(program, {});
      } catch (error) {
        tried.push(`${program} on PATH: ${messageOf(error)}`);
      }
    }
  }
  try {
    return await debianRedis({ ...options, probe });
  } catch (error) {
    tried.push(`download from Debian or Ubuntu: ${messageOf(error)}`);
  }
  throw new Error(`${HOW_TO_GET_ONE}\nTried:\n${tried.map((line) => `  ${line}`).join('\n')}`);
}

/** Runs the program once: a file of the right name may still lack a library, or be too old. */
async function probe(program: string, env: Readonly<Record<string, string>>): Promise<RedisServer> {
  const { stdout } = await execa(program, ['--version'], { env, timeout: 10_000 });
  const [, major, minor] = /\bv=(\d+)\.(\d+)/.exec(stdout) ?? [];
  if (major === undefined || minor === undefined) throw new Error(`does not say its version: ${stdout}`);
  const version = [Number(major), Number(minor)] as const;
  if (version[0] < OLDEST[0] || (version[0] === OLDEST[0] && version[1] < OLDEST[1])) {
    throw new Error(`is ${version.join('.')}, but ${OLDEST.join('.')} or newer is needed`);
  }
  return { program, env, version };
}
