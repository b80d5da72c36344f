/** As whom a credential acts: the login that GitHub shows beside what we do. */
import { z } from 'zod';
import { PlatformError } from '../contract.ts';
import type { AskingApp, GitHubSession } from './client.ts';

export const accountSchema = z.object({ login: z.string() });

const appSchema = z.object({ slug: z.string() });

/** The user of a token; undefined when there is none, as behind the token of a workflow. */
export async function userLogin(github: GitHubSession): Promise<string | undefined> {
  try {
    const { data } = await github.octokit.rest.users.getAuthenticated();
    return github.read(accountSchema, data).login;
  } catch (error) {
    if (error instanceof PlatformError && isNobodys(error)) return undefined;
    throw error;
  }
}

/** A token that is wrong is answered 401. */
const isNobodys = ({ kind, status }: PlatformError): boolean =>
  (kind === 'auth' && status === 403) || kind === 'not-found';

/** What an App does is shown as its bot's. */
export async function botLogin(github: GitHubSession, app: AskingApp): Promise<string> {
  const { data } = await app.octokit.rest.apps.getAuthenticated();
  return `${github.read(appSchema, data).slug}[bot]`;
}
