/** An emulator for one test: started, with a writer's and a reader's token, closed when the test is over. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Octokit } from '@octokit/rest';
import { onTestFinished } from 'vitest';
import {
  createGitHubEmulator,
  type GitHubEmulator,
  type GitHubEmulatorOptions,
} from '../../../src/emulators/github/github-emulator.ts';

export const APP_ID = 4711;
const KEY = generateKeyPairSync('rsa', { modulusLength: 2048 });
/** PEM, of the App `agent-smith`; its one installation has the id 7. */
export const APP_KEY = KEY.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const PUBLIC_KEY = KEY.publicKey.export({ type: 'spki', format: 'pem' }).toString();

/** The App and its installations, as the emulator wants them. */
export const APPS = { 'agent-smith': { appId: APP_ID, publicKey: PUBLIC_KEY, installations: { 7: {}, 8: {} } } };

/** A JWT of the App, as long as anybody wants and from whatever time. */
export function jwtOf(claims: Readonly<Record<string, unknown>>, key: KeyObject = KEY.privateKey): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const signed = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}

export async function runningEmulator(options: GitHubEmulatorOptions = {}): Promise<GitHubEmulator> {
  const github = createGitHubEmulator({
    repositories: ['org/api'],
    apps: APPS,
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
