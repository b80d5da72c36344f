/**
 * What an event of a service hook says, as it is delivered and as the history of a subscription keeps it. Which fields
 * there are depends on the event and on what the subscription was told to send, so whatever is missing or has another
 * shape is taken for not said.
 */
import { z } from 'zod';
import type { Place, TicketNews } from '../../domain/ticket-news.ts';
import type { WebhookMessage } from '../webhook.ts';
import { changeBetween, firstTickets, lenient, linkNews, listOf, NO_CHANGE, printable } from '../webhook-fields.ts';
import { ticketsClosedBy } from './closing-keywords.ts';
import { isOwnCommentHtml } from './comment-html.ts';
import { readCollection } from './source.ts';
import { tagsChangeSchema, tagsSchema, ticketIdSchema } from './work-item.ts';

/** Sent by the button `Test` of a subscription that is not saved yet, with an example that never happened. */
const NO_SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';

const text = lenient(z.string().min(1));
const ticketId = lenient(ticketIdSchema);
const fields = lenient(z.record(z.string(), z.unknown()));
const project = lenient(z.object({ id: text, name: text }));

const resourceSchema = z
  .object({
    id: ticketId,
    workItemId: ticketId,
    url: text,
    fields,
    revision: lenient(z.object({ id: ticketId, fields })),
  })
  .catch({});

const pullRequestSchema = z
  .object({
    url: text,
    description: text,
    repository: lenient(z.object({ project })),
    workItemRefs: lenient(listOf(z.object({ id: ticketIdSchema }).transform(({ id }) => id))),
  })
  .catch({});

/** An event about a comment has the pull request inside. */
const reviewSchema = z.object({ pullRequest: pullRequestSchema }).catch({ pullRequest: {} });

const envelopeSchema = z.object({
  id: text,
  subscriptionId: text,
  eventType: z.string().catch(''),
  resource: z.unknown().optional(),
  resourceContainers: z.object({ collection: lenient(z.object({ baseUrl: text })), project }).catch({}),
});

type Resource = z.infer<typeof resourceSchema>;
type PullRequest = z.infer<typeof pullRequestSchema>;

/** What the payload says of where it happened. */
interface Whereabouts {
  readonly url: string | undefined;
  readonly projectName: string | undefined;
  readonly projectId?: string | undefined;
}

/** Reads any JSON object. */
export function readAzureDevOpsMessage(payload: Readonly<Record<string, unknown>>): WebhookMessage {
  const { id, subscriptionId, eventType, resource, resourceContainers } = envelopeSchema.parse(payload);
  const { news, at } = readResource(eventType, resource);
  return {
    id,
    hook: subscriptionId,
    event: printable(eventType) ?? 'unknown',
    action: undefined,
    place: placeOf(resourceContainers.collection?.baseUrl, {
      ...at,
      projectId: resourceContainers.project?.id ?? at.projectId,
    }),
    news: subscriptionId === NO_SUBSCRIPTION ? 'ping' : news,
  };
}

function readResource(event: string, data: unknown): { news: WebhookMessage['news']; at: Whereabouts } {
  switch (event) {
    case 'workitem.created':
    case 'workitem.updated':
    case 'workitem.commented':
    case 'workitem.deleted':
    case 'workitem.restored': {
      const resource = resourceSchema.parse(data);
      const projectName = text.parse(stateIn(event, resource)?.['System.TeamProject']);
      return { news: workItemNews(event, resource), at: { url: resource.url, projectName } };
    }
    case 'git.pullrequest.created':
    case 'git.pullrequest.updated':
    case 'git.pullrequest.merged':
      return readPullRequest(pullRequestSchema.parse(data));
    case 'ms.vss-code.git-pullrequest-comment-event':
      return readPullRequest(reviewSchema.parse(data).pullRequest);
    default:
      return { news: 'unsupported-event', at: { url: resourceSchema.parse(data).url, projectName: undefined } };
  }
}

function workItemNews(event: string, resource: Resource): TicketNews | 'no-ticket' {
  const about = ticketIdIn(event, resource);
  if (about === undefined) return 'no-ticket';
  const isUpdate = event === 'workitem.updated';
  const change = isUpdate ? tagsChangeSchema.safeParse(resource.fields?.['System.Tags']).data : undefined;
  const state = stateIn(event, resource);
  // A comment is a revision too, so it comes as an update as well. One that also changed tags is not ours.
  const isCommented = event === 'workitem.commented';
  const comment = isCommented || (isUpdate && change === undefined) ? commentIn(resource) : undefined;
  return {
    ticketIds: [about],
    about: isCommented || comment !== undefined ? 'comment' : 'ticket',
    ...(change === undefined ? NO_CHANGE : changeBetween(change.oldValue, change.newValue)),
    labels: state === undefined ? change?.newValue : tagsSchema.safeParse(state['System.Tags']).data,
    // Which states count as open is the project's to say, and this knows no project.
    open: event === 'workitem.deleted' ? false : undefined,
    ownComment: comment !== undefined && isOwnCommentHtml(comment),
  };
}

/** An update has a number of its own in `id`, and that of the work item elsewhere. */
function ticketIdIn(event: string, { id: own, workItemId, revision, url = '' }: Resource): string | undefined {
  const [, inUrl] = /\/_apis\/wit\/(?:workItems|recyclebin)\/(\d+)(?:\/|$)/i.exec(url) ?? [];
  return workItemId ?? revision?.id ?? ticketId.parse(inUrl) ?? (event === 'workitem.updated' ? undefined : own);
}

/** All fields after the event. Those of an update itself are pairs of an old and a new value. */
function stateIn(event: string, { fields: own, revision }: Resource): Resource['fields'] {
  return revision?.fields ?? (event === 'workitem.updated' ? undefined : own);
}

function commentIn({ fields: own }: Resource): string | undefined {
  const history = own?.['System.History'];
  return text.parse(history) ?? z.object({ newValue: text }).safeParse(history).data?.newValue;
}

function readPullRequest(request: PullRequest): { news: WebhookMessage['news']; at: Whereabouts } {
  const { id: projectId, name: projectName } = request.repository?.project ?? {};
  return { news: linkNews(closedBy(request)), at: { url: request.url, projectId, projectName } };
}

/** The work items that are linked, or else those that the description says it closes. */
function closedBy({ workItemRefs = [], description = '' }: PullRequest): string[] {
  return workItemRefs.length > 0 ? firstTickets(workItemRefs) : ticketsClosedBy(description);
}

/** In the words of `resolveSource`. Older servers give no `baseUrl`, then the resource's own address has to do. */
function placeOf(collectionUrl: string | undefined, { url, projectName, projectId }: Whereabouts): Place | undefined {
  const address = collectionUrl ?? url;
  const collection = address === undefined ? undefined : readCollection(address, [projectId, projectName]);
  if (collection === undefined || collection.segments.length === 0) return undefined;
  return { host: collection.host, container: collection.segments.join('/'), scope: projectName, id: projectId };
}
