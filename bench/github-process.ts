/** Starts the emulated GitHub as a child, and asks it what it has counted. It ends with this process, however that ends. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { EmulatedGitHub, RequestCounts } from './emulated-github.ts';

export interface GitHubOptions {
  readonly repositories: number;
  readonly token: string;
  /** Carried by the ended tickets of each repository. */
  readonly triggerLabel: string;
}

export interface GitHub {
  /** Rejects when it does not start. */
  readonly ready: Promise<EmulatedGitHub>;
  counts(): Promise<RequestCounts>;
  stop(): Promise<void>;
}

export function startGitHub(options: GitHubOptions): GitHub {
  const program = fileURLToPath(new URL('emulated-github.ts', import.meta.url));
  const child = fork(program, [String(options.repositories), options.token, options.triggerLabel]);
  const ended = once(child, 'exit');
  const message = async <T>(): Promise<T> => {
    const gone = new AbortController();
    void ended.then(() => gone.abort(new Error('the GitHub emulator has ended')));
    const [answer] = (await once(child, 'message', { signal: gone.signal })) as [T];
    return answer;
  };
  return {
    ready: message(),
    async counts() {
      const answer = message<RequestCounts>();
      child.send('counts');
      return await answer;
    },
    async stop() {
      child.kill();
      await ended;
    },
  };
}
