/** What is written under a ticket and what has happened to it: comments and events, all pages, oldest first. */
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import { endsWithMarker, withMarker } from '../comment-marker.ts';
import type { Call, MarkedComment } from '../contract.ts';
import { lastSetter } from '../last-setter.ts';
import { type GitHubClient, type GitHubSession, pagesOf } from './client.ts';
import { accountSchema, botLogin, userLogin } from './identity.ts';

const commentSchema = z.object({ body: z.string().nullish() });

const eventSchema = z.object({
  event: z.string(),
  label: z.object({ name: z.string().nullish() }).nullish(),
  actor: accountSchema.nullish(),
});

/** Posts a comment that ends with `marker`, unless one that does is there: the answer to an earlier post may be lost. */
export function postComment(
  client: GitHubClient,
  id: string,
  { markdown, marker, sinceMs }: MarkedComment,
  call: Call,
): Promise<void> {
  return client.run(`comment on #${id}`, call, async (github) => {
    const { issues } = github.octokit.rest;
    const since = sinceMs === undefined ? {} : { since: new Date(sinceMs).toISOString() };
    const { url } = issues.listComments.endpoint({ ...github.issue(id), per_page: 100, ...since });
    for await (const page of pagesOf(github, url, commentSchema)) {
      if (page.some(({ body }) => endsWithMarker(body ?? '', marker))) return;
    }
    await issues.createComment({ ...github.issue(id), body: withMarker(markdown, marker) });
  });
}

/** Login of whoever set the label last, by the rule of `lastSetter`. */
export function labelActor(client: GitHubClient, id: string, label: string, call: Call): Promise<string | undefined> {
  return client.run(`read who labelled #${id}`, call, async (github) => {
    const { url } = github.octokit.rest.issues.listEvents.endpoint({ ...github.issue(id), per_page: 100 });
    const setters: (string | undefined)[] = [];
    for await (const page of pagesOf(github, url, eventSchema)) {
      for (const { event, label: set, actor } of page) {
        if (event === 'labeled' && hasLabel([set?.name ?? ''], label)) setters.push(actor?.login);
      }
    }
    return lastSetter(label, setters, () => ownLogin(client, github));
  });
}

const createIdentity = (): { login?: string | undefined } => ({});

/** As whom this credential acts, asked once; undefined when GitHub does not tell. */
async function ownLogin(client: GitHubClient, github: GitHubSession): Promise<string | undefined> {
  const identity = client.shared(createIdentity);
  identity.login ??= github.app === undefined ? await userLogin(github) : await botLogin(github, github.app);
  return identity.login;
}
