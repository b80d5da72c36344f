/** An emulator for one test: started, with a writer's and a reader's token, closed when the test is over. */
import { Octokit } from '@octokit/rest';
import { onTestFinished } from 'vitest';
import {
  createGitHubEmulator,
  type GitHubEmulator,
  type GitHubEmulatorOptions,
} from '../../../src/emulators/github/github-emulator.ts';

export async function runningEmulator(options: GitHubEmulatorOptions = {}): Promise<GitHubEmulator> {
  const github = createGitHubEmulator({
    repositories: ['org/api'],
    tokens: {
      writer: { token: 'writer-secret', login: 'smith' },
      reader: { token: 'reader-secret', canPush: false },
    },
    ...options,
  });
  await github.start();
  onTestFinished(() => github.close());
  return github;
}

export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

/** Plain HTTP with a token, below the API's base, without following redirects. */
export function ask(github: GitHubEmulator, token = 'writer-secret'): Ask {
  return (path, init = {}) =>
    fetch(`${github.url}${path}`, {
      redirect: 'manual',
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string> | undefined) },
    });
}

export function octokit(github: GitHubEmulator, token = 'writer-secret'): Octokit {
  const silent = (): void => undefined;
  return new Octokit({
    auth: token,
    baseUrl: github.url,
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
}
