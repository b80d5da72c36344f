/** What is written under a work item and what has happened to it. */
import { CommentSortOrder } from 'azure-devops-node-api/interfaces/WorkItemTrackingInterfaces.js';
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import type { Call, MarkedComment } from '../contract.ts';
import { lastSetter } from '../last-setter.ts';
import type { AzureDevOpsClient, AzureDevOpsSession } from './client.ts';
import { commentHtml, htmlEndsWithMarker } from './comment-html.ts';
import { ownIdentity } from './identity.ts';
import { tagsChangeSchema } from './work-item.ts';

/** The most that one request gives. */
const PAGE_SIZE = 200;

const commentsSchema = z.object({
  comments: z.array(z.object({ text: z.string().nullish(), createdDate: z.coerce.date() })),
  continuationToken: z.string().nullish(),
});

const updateSchema = z.object({
  revisedBy: z.object({ id: z.string(), uniqueName: z.string().nullish() }).nullish(),
  fields: z.object({ 'System.Tags': tagsChangeSchema.optional() }).nullish(),
});

/** Posts a comment that ends with `marker`, unless one that does is there: the answer to an earlier post may be lost. */
export function postComment(
  client: AzureDevOpsClient,
  id: string,
  { markdown, marker, sinceMs = 0 }: MarkedComment,
  call: Call,
): Promise<void> {
  return client.run(`comment on #${id}`, call, async (azure) => {
    const workItem = azure.workItem(id);
    for await (const { text, createdDate } of comments(azure, client.project, workItem)) {
      if (createdDate.getTime() < sinceMs) break;
      if (htmlEndsWithMarker(text ?? '', marker)) return;
    }
    await azure.api.addComment({ text: commentHtml(markdown, marker) }, client.project, workItem);
  });
}

/** The latest first. */
async function* comments({ api, read }: AzureDevOpsSession, project: string, id: number) {
  let next: string | undefined;
  do {
    const answer = await api.getComments(project, id, PAGE_SIZE, next, undefined, undefined, CommentSortOrder.Desc);
    const page = read(commentsSchema, answer);
    yield* page.comments;
    next = page.continuationToken ?? undefined;
  } while (next !== undefined);
}

/** Login of whoever set the label last, by the rule of `lastSetter`. */
export function labelActor(
  client: AzureDevOpsClient,
  id: string,
  label: string,
  call: Call,
): Promise<string | undefined> {
  return client.ask(`read who labelled #${id}`, call, async (azure) => {
    const setters: z.infer<typeof updateSchema>['revisedBy'][] = [];
    for await (const { fields, revisedBy } of updates(azure, azure.workItem(id))) {
      const tags = fields?.['System.Tags'];
      if (tags !== undefined && hasLabel(tags.newValue, label) && !hasLabel(tags.oldValue, label))
        setters.push(revisedBy);
    }
    const ids = setters.map((setter) => setter?.id);
    const last = await lastSetter(label, ids, async () => (await ownIdentity(client, azure)).id);
    return setters.findLast((setter) => setter?.id === last)?.uniqueName ?? undefined;
  });
}

/** The oldest first: how many there are is not said, so there is no beginning at the end. */
async function* updates({ api, read }: AzureDevOpsSession, id: number) {
  for (let skip = 0; ; skip += PAGE_SIZE) {
    const page = read(z.array(updateSchema), await api.getUpdates(id, PAGE_SIZE, skip));
    yield* page;
    if (page.length < PAGE_SIZE) return;
  }
}
