/**
 * The webhooks that send to us: those of the repository, asked for with the credential itself, and the one of a GitHub
 * App, asked for with the App's own signature.
 */
import { z } from 'zod';
import { firstPages } from '../delivery-list.ts';
import type { HookState, MissedQuestion } from '../missed-deliveries.ts';
import { refusalIn } from '../session.ts';
import { type GitHubClient, type GitHubSession, pagesOf } from './client.ts';
import { idText } from './issue.ts';

export interface OurHook extends HookState {
  /** Of its list of deliveries, below the base of the API. */
  readonly path: string;
  readonly isOfApp: boolean;
}

/** The session with the signature that may ask about this hook. */
export function signedFor(github: GitHubSession, { isOfApp }: Pick<OurHook, 'isOfApp'>): GitHubSession {
  return isOfApp && github.app !== undefined ? { ...github, octokit: github.app.octokit } : github;
}

const configSchema = z.object({ url: z.string().optional() });

const hookSchema = z.object({
  id: idText,
  active: z.boolean(),
  events: z.array(z.string()),
  config: configSchema,
  last_response: z.object({ code: z.number().nullish() }).nullish(),
});

/** Three hundred hooks; a repository takes 20 for each event. */
const MOST_PAGES = 3;

/** @throws PlatformError `not-found` or `auth` when the credential may not look at them. */
export async function repositoryHooks(
  client: GitHubClient,
  github: GitHubSession,
  isOurs: MissedQuestion['isOurs'],
): Promise<readonly OurHook[]> {
  const { owner, repo } = github.repository;
  const path = `/repos/${owner}/${repo}/hooks`;
  const pages = pagesOf(github, `${client.source.apiUrl}${path}?per_page=100`, hookSchema);
  return (await firstPages(pages, MOST_PAGES)).items
    .filter(({ config }) => isOurs(config.url ?? ''))
    .map((hook) => ({ id: hook.id, ...stateOf(hook), path: `${path}/${hook.id}/deliveries`, isOfApp: false }));
}

/** GitHub itself neither holds back nor switches off: only people do. A 4xx comes again until somebody mends its cause. */
function stateOf({ active, events, last_response }: z.infer<typeof hookSchema>): Omit<HookState, 'id'> {
  if (!active) {
    return { state: 'disabled', detail: 'switched off: tick Active under Settings, Webhooks of the repository' };
  }
  const code = last_response?.code ?? undefined;
  const seen = code === undefined ? 'no delivery yet' : `the last delivery was answered ${code}`;
  if (code === 401) return { state: 'failing', detail: `${seen}: compare its secret with the one of the project` };
  if (code !== undefined && code >= 400 && code < 500) return { state: 'failing', detail: seen };
  const sendsIssues = events.includes('issues') || events.includes('*');
  return { state: 'active', detail: sendsIssues ? seen : `${seen}; it does not send the event Issues: select it` };
}

const APP_DELIVERIES = '/app/hook/deliveries';

/** None, or the only one that an App can have. */
export async function appHooks(
  client: GitHubClient,
  github: GitHubSession,
  isOurs: MissedQuestion['isOurs'],
): Promise<readonly OurHook[]> {
  const { app } = github;
  if (app === undefined) return [];
  const url = await app.octokit.rest.apps.getWebhookConfigForApp().then(
    ({ data }) => github.read(configSchema, data).url,
    // An App without a webhook. One that cannot sign in at all is told of by the next question.
    (error: unknown) => void refusalIn(error),
  );
  if (url === undefined || !isOurs(url)) return [];
  const known = client.shared(createKnownHook);
  known.id ??= await appHookId(client, github);
  const state = { state: 'active', detail: 'the webhook of the App' } as const;
  // Before its first delivery nobody tells its id, and nothing carries it.
  return [{ id: known.id ?? 'app', ...state, path: APP_DELIVERIES, isOfApp: true }];
}

/** An App has one hook for as long as it lives. */
const createKnownHook = (): { id?: string | undefined } => ({});

const detailsSchema = z.object({ request: z.object({ headers: z.record(z.string(), z.unknown()).nullable() }) });

/** Its settings do not show its id: only the headers of what it has sent do. */
async function appHookId(client: GitHubClient, github: GitHubSession): Promise<string | undefined> {
  const { octokit } = signedFor(github, { isOfApp: true });
  const ask = (path: string) => octokit.request({ method: 'GET', url: `${client.source.apiUrl}${path}` });
  const list = await ask(`${APP_DELIVERIES}?per_page=1`);
  const [latest] = github.read(z.array(z.object({ id: idText })), list.data);
  if (latest === undefined) return undefined;
  const { data } = await ask(`${APP_DELIVERIES}/${latest.id}`);
  const headers = Object.entries(github.read(detailsSchema, data).request.headers ?? {});
  const [, id] = headers.find(([name]) => name.toLowerCase() === 'x-github-hook-id') ?? [];
  return typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;
}
