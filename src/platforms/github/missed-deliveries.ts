/**
 * What GitHub could not deliver: it tries once, never again by itself, and keeps a list of its attempts for three days
 * (a server of one's own for seven).
 */
import { z } from 'zod';
import { neverArrived } from '../delivery-list.ts';
import type { ConnectOptions } from '../descriptor.ts';
import {
  type MissedAnswer,
  type MissedDeliveries,
  type MissedDelivery,
  type MissedQuestion,
  missedAnswer,
} from '../missed-deliveries.ts';
import { refusalIn } from '../session.ts';
import { createGitHubClient, type GitHubClient, type GitHubSession, pagesOf } from './client.ts';
import { appHooks, type OurHook, repositoryHooks, signedFor } from './hooks.ts';
import { idText } from './issue.ts';

/** @throws PlatformError for a credential that GitHub does not know, or an App's that cannot be one. */
export function openGitHubMissedDeliveries(options: ConnectOptions): MissedDeliveries {
  const client = createGitHubClient(options);
  return {
    look: (question, call) =>
      client.run('look for missed deliveries', call, (github) => look(client, github, question)),
  };
}

async function look(client: GitHubClient, github: GitHubSession, question: MissedQuestion): Promise<MissedAnswer> {
  const ofApp = await appHooks(client, github, question.isOurs);
  const ofRepository = await repositoryHooks(client, github, question.isOurs).catch((error: unknown) => {
    // An App sends by its own hook: the right to look at those of repositories is then not needed.
    if (ofApp.length === 0) throw error;
    refusalIn(error);
    return [];
  });
  const hooks = [...ofApp, ...ofRepository];
  const missed: MissedDelivery[] = [];
  let isWhole = true;
  for (const hook of hooks) {
    const list = await failuresOf(client, github, hook, question.sinceMs);
    missed.push(...list.failed.map((failure) => toMissed(client, hook, failure)));
    isWhole &&= list.isWhole;
  }
  const states = hooks.map(({ id, state, detail }) => ({ id, state, detail }));
  return missedAnswer(question, states, { missed, isWhole });
}

const attemptSchema = z
  .object({
    id: idText,
    guid: z.string().min(1).max(200),
    delivered_at: z.iso.datetime({ offset: true }),
    status_code: z.number().nullish(),
    repository_id: idText.nullish(),
  })
  .transform(({ id, guid, delivered_at, status_code: status, repository_id: repository }) => ({
    id: guid,
    number: id,
    atMs: Date.parse(delivered_at),
    hasArrived: typeof status === 'number' && status >= 200 && status < 300,
    repository,
  }));

type Attempt = z.infer<typeof attemptSchema>;

/** 5,000 attempts. */
const MOST_PAGES = 50;

async function failuresOf(client: GitHubClient, github: GitHubSession, hook: OurHook, sinceMs: number) {
  const url = `${client.source.apiUrl}${hook.path}?per_page=100`;
  const list = await neverArrived(pagesOf(signedFor(github, hook), url, attemptSchema), {
    // What is listed has lost its milliseconds.
    sinceMs: Math.floor(sinceMs / 1000) * 1000,
    mostPages: MOST_PAGES,
  });
  return hook.isOfApp ? { ...list, failed: await onlyOfRepository(github, list.failed) } : list;
}

/** The hook of an App sends what happens in every repository of every installation. */
async function onlyOfRepository(github: GitHubSession, attempts: readonly Attempt[]): Promise<readonly Attempt[]> {
  if (attempts.length === 0) return attempts;
  const { data } = await github.octokit.rest.repos.get(github.repository);
  const { id } = github.read(z.object({ id: idText }), data);
  return attempts.filter(({ repository }) => repository === id);
}

function toMissed(client: GitHubClient, hook: OurHook, { id, number, atMs }: Attempt): MissedDelivery {
  return {
    id,
    hook: hook.id,
    atMs,
    // Accepted with 202 and sent by and by, under the same guid.
    again: (call) =>
      client.run(`redeliver ${id}`, call, async (github) => {
        const { octokit } = signedFor(github, hook);
        await octokit.request({ method: 'POST', url: `${client.source.apiUrl}${hook.path}/${number}/attempts` });
        return undefined;
      }),
  };
}
