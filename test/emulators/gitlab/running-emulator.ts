/** An emulator for one test: started, with tokens of several kinds, closed when the test is over. */
import { onTestFinished } from 'vitest';
import {
  createGitLabEmulator,
  type GitLabEmulator,
  type GitLabEmulatorOptions,
} from '../../../src/emulators/gitlab/gitlab-emulator.ts';

export const PROJECT = 'group/sub/api';

export async function runningEmulator(options: GitLabEmulatorOptions = {}): Promise<GitLabEmulator> {
  const gitlab = createGitLabEmulator({
    projects: [PROJECT, 'group/other'],
    tokens: {
      writer: { token: 'writer-secret', login: 'smith' },
      reader: { token: 'reader-secret', scopes: ['read_api'] },
      maintainer: { token: 'maintainer-secret', access: 'maintainer' },
      guest: { token: 'guest-secret', access: 'guest' },
      narrow: { token: 'narrow-secret', login: 'project_7_bot_ab12', projects: ['group/other'] },
    },
    ...options,
  });
  await gitlab.start();
  onTestFinished(() => gitlab.close());
  return gitlab;
}

export type Ask = (path: string, init?: { method?: string; body?: unknown }) => Promise<Response>;

/** Plain HTTP with a token, below the API's base, without following redirects. */
export function ask(gitlab: GitLabEmulator, token = 'writer-secret'): Ask {
  return (path, { method = 'GET', body } = {}) =>
    fetch(`${gitlab.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
}
