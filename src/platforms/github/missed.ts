/**
 * What GitHub could not deliver: it tries once, never again by itself, and keeps a list of its attempts for three days
 * (a server of one's own for seven).
 */
import { z } from 'zod';
import type { ConnectOptions } from '../descriptor.ts';
import type { MissedAnswer, MissedDeliveries, MissedDelivery, MissedQuestion } from '../missed-deliveries.ts';
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
  let truncated = false;
  for (const hook of hooks) {
    const walk = await failedDeliveries(client, github, hook, question.sinceMs);
    const ours = hook.isOfApp ? await onlyOfRepository(github, walk.failed) : walk.failed;
    missed.push(...ours.map((delivery) => toMissed(client, hook, delivery)));
    truncated ||= walk.truncated;
  }
  missed.sort((a, b) => a.atMs - b.atMs);
  return {
    hooks: hooks.map(({ id, state, detail }) => ({ id, state, detail })),
    missed: missed.slice(0, question.most),
    truncated: truncated || missed.length > question.most,
  };
}

const deliverySchema = z.object({
  id: idText,
  guid: z.string().min(1).max(200),
  delivered_at: z.iso.datetime({ offset: true }),
  status_code: z.number().nullish(),
  installation_id: idText.nullish(),
  repository_id: idText.nullish(),
});

type Delivery = z.infer<typeof deliverySchema>;

/** 5,000 attempts. What lies behind them is a reason to poll, not to read on. */
const MOST_PAGES = 50;

/**
 * Of every delivery since then that never succeeded the first attempt. All attempts are listed and not those with
 * `status=failure`, which means 400 to 599: a redirect that was not followed, or no answer at all, is none of these.
 */
async function failedDeliveries(
  client: GitHubClient,
  github: GitHubSession,
  hook: OurHook,
  sinceMs: number,
): Promise<{ readonly failed: readonly Delivery[]; readonly truncated: boolean }> {
  const arrived = new Set<string>();
  const failed = new Map<string, Delivery>();
  const url = `${client.source.apiUrl}${hook.path}?per_page=100`;
  let pages = 0;
  let truncated = false;
  // What is listed has lost its milliseconds.
  const sinceSecondMs = Math.floor(sinceMs / 1000) * 1000;
  // The newest first: a success is seen before the failures that it makes up for.
  for await (const page of pagesOf(signedFor(github, hook), url, deliverySchema)) {
    const recent = page.filter(({ delivered_at }) => Date.parse(delivered_at) >= sinceSecondMs);
    for (const delivery of recent) {
      if (isSuccess(delivery)) arrived.add(delivery.guid);
      else if (!arrived.has(delivery.guid)) failed.set(delivery.guid, delivery);
    }
    pages += 1;
    if (recent.length < page.length) break;
    truncated = pages === MOST_PAGES;
    if (truncated) break;
  }
  // Times are whole seconds: within one only the order of the list tells which was first.
  return { failed: [...failed.values()].toReversed(), truncated };
}

const isSuccess = ({ status_code: code }: Delivery): boolean => typeof code === 'number' && code >= 200 && code < 300;

/** The hook of an App sends what happens in every repository of every installation. */
async function onlyOfRepository(github: GitHubSession, deliveries: readonly Delivery[]): Promise<readonly Delivery[]> {
  if (deliveries.length === 0) return deliveries;
  const { data } = await github.octokit.rest.repos.get(github.repository);
  const { id } = github.read(z.object({ id: idText }), data);
  return deliveries.filter(({ repository_id }) => repository_id === id);
}

function toMissed(client: GitHubClient, hook: OurHook, { id, guid, delivered_at }: Delivery): MissedDelivery {
  return {
    id: guid,
    hook: hook.id,
    atMs: Date.parse(delivered_at),
    // Accepted with 202 and sent by and by, under the same guid.
    again: (call) =>
      client.run(`redeliver ${guid}`, call, async (github) => {
        const { octokit } = signedFor(github, hook);
        await octokit.request({ method: 'POST', url: `${client.source.apiUrl}${hook.path}/${id}/attempts` });
        return undefined;
      }),
  };
}
