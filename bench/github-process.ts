/** Starts the emulated GitHub as a child, and asks it what it has counted. It ends with this process, however that ends. */
import { startChild } from './child.ts';
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
  const child = startChild(new URL('emulated-github.ts', import.meta.url), {
    args: [String(options.repositories), options.token, options.triggerLabel],
  });
  return {
    ready: child.message<EmulatedGitHub>(),
    counts: () => child.ask<RequestCounts>('counts'),
    stop: child.stop,
  };
}
