/** What is written under a ticket, and who set its labels. */
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import { endsWithMarker, withMarker } from '../comment-marker.ts';
import type { Call, MarkedComment } from '../contract.ts';
import { lastSetter } from '../last-setter.ts';
import { type GitLabClient, type GitLabSession, pagesOf } from './client.ts';

const noteSchema = z.object({ body: z.string(), created_at: z.string() });

export const userSchema = z.object({ username: z.string() });

const labelEventSchema = z.object({
  id: z.int(),
  action: z.string(),
  /** Null once the label was deleted. */
  label: z.object({ name: z.string() }).nullish(),
  user: userSchema.nullish(),
});

/** Posts a comment that ends with `marker`, unless one that does is there: the answer to an earlier post may be lost. */
export function postComment(
  client: GitLabClient,
  id: string,
  { markdown, marker, sinceMs = Number.NEGATIVE_INFINITY }: MarkedComment,
  call: Call,
): Promise<void> {
  return client.run(`comment on #${id}`, call, async (gitlab) => {
    const { api, project } = gitlab;
    const iid = gitlab.iid(id);
    // Newest first, so that a long thread is read no further back than it has to be.
    const order = { orderBy: 'created_at', sort: 'desc', activityFilter: 'only_comments', perPage: 100 } as const;
    const list = (place: object) => api.notes.all(project, iid, { ...order, ...place });
    for await (const page of pagesOf(gitlab, noteSchema, list)) {
      if (page.some(({ body }) => endsWithMarker(body, marker))) return;
      if (page.some(({ created_at }) => Date.parse(created_at) < sinceMs)) break;
    }
    await gitlab.write((target) => api.notes.create(target, iid, withMarker(markdown, marker)));
  });
}

/** Login of whoever set the label last, by the rule of `lastSetter`. */
export function labelActor(client: GitLabClient, id: string, label: string, call: Call): Promise<string | undefined> {
  return client.run(`read who labelled #${id}`, call, async (gitlab) => {
    const iid = gitlab.iid(id);
    const list = (place: object) => gitlab.api.labelEvents.all(gitlab.project, iid, { perPage: 100, ...place });
    const added: z.infer<typeof labelEventSchema>[] = [];
    for await (const page of pagesOf(gitlab, labelEventSchema, list)) {
      added.push(...page.filter(({ action, label: set }) => action === 'add' && hasLabel([set?.name ?? ''], label)));
    }
    // The order of the list is promised nowhere; the numbers grow.
    const setters = added.toSorted((a, b) => a.id - b.id).map(({ user }) => user?.username);
    return lastSetter(label, setters, () => ownLogin(client, gitlab));
  });
}

const createIdentity = (): { login?: string } => ({});

/** Whose token this is, asked once per credential. Project and group tokens have a user of their own. */
async function ownLogin(client: GitLabClient, gitlab: GitLabSession): Promise<string> {
  const identity = client.shared(createIdentity);
  identity.login ??= gitlab.read(userSchema, await gitlab.api.users.showCurrentUser()).username;
  return identity.login;
}
