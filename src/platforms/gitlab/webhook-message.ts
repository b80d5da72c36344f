/**
 * What GitLab's payloads say about issues, and about merge requests that close some. Tasks and incidents are
 * issues (`work_item`), and confidential issues and comments come with the same payloads. GitLab tells nothing of an issue
 * that was deleted.
 */
import { z } from 'zod';
import type { Place } from '../../domain/ticket-news.ts';
import { isOwnComment } from '../comment-marker.ts';
import { readWebAddress } from '../web-address.ts';
import type { WebhookMessage } from '../webhook.ts';
import { changeBetween, lenient, linkNews, listOf, NO_CHANGE, printable } from '../webhook-fields.ts';
import { ticketsClosedBy } from './closing-keywords.ts';

const titles = listOf(z.object({ title: z.string() }).transform(({ title }) => title));

const issueFields = {
  iid: lenient(z.int().positive()),
  state: lenient(z.string()),
  labels: lenient(titles),
};

const payloadSchema = z.object({
  object_kind: lenient(z.string()),
  event_name: lenient(z.string()),
  project: lenient(
    z.object({
      id: lenient(z.int().positive()),
      path_with_namespace: z.string().min(1).max(1_000),
      web_url: z.string().catch(''),
    }),
  ),
  object_attributes: lenient(
    z.object({
      ...issueFields,
      action: lenient(z.string()),
      /** `Issue`, `Task`, `Incident`, `Epic`. */
      type: lenient(z.string()),
      description: lenient(z.string()),
      note: lenient(z.string()),
      noteable_type: lenient(z.string()),
    }),
  ),
  /** After the event. */
  labels: lenient(titles),
  changes: lenient(z.object({ labels: lenient(z.object({ previous: titles, current: titles })) })),
  issue: lenient(z.object(issueFields)),
  merge_request: lenient(z.object({ description: lenient(z.string()) })),
});

type Payload = z.infer<typeof payloadSchema>;
type Project = NonNullable<Payload['project']>;
type News = WebhookMessage['news'];

/**
 * Reads any JSON object that came as a delivery, or stands in GitLab's list of those that it sent. GitLab names no hook:
 * `X-Gitlab-Webhook-UUID` is another one each time, and the id is another one for each hook.
 */
export function readGitLabMessage(data: Readonly<Record<string, unknown>>, id: string | undefined): WebhookMessage {
  const payload = payloadSchema.parse(data);
  return {
    id,
    hook: undefined,
    event: printable(payload.object_kind ?? payload.event_name) ?? 'unknown',
    action: printable(payload.object_attributes?.action),
    place: placeOf(payload),
    news: newsOf(payload),
  };
}

function placeOf({ project }: Payload): Place | undefined {
  if (project === undefined) return undefined;
  const address = readWebAddress(project.web_url);
  return {
    host: 'problem' in address ? undefined : address.host,
    container: project.path_with_namespace,
    id: project.id?.toString(),
  };
}

function newsOf(payload: Payload): News {
  const { object_kind: kind = '', object_attributes: attributes, project } = payload;
  switch (kind) {
    case 'issue':
    case 'work_item':
      // Epics belong to a group and have numbers of their own.
      return attributes?.type === 'Epic' ? 'unsupported-event' : issueNews(payload);
    case 'note':
      return noteNews(payload);
    case 'merge_request':
      return linkNews(closedBy(attributes, project));
    default:
      return 'unsupported-event';
  }
}

function issueNews({ object_attributes: issue, labels = issue?.labels, changes }: Payload): News {
  if (issue?.iid === undefined) return 'no-ticket';
  const { previous = [], current = [] } = changes?.labels ?? {};
  return {
    ticketIds: [String(issue.iid)],
    about: 'ticket',
    ...changeBetween(previous, current),
    labels,
    open: openIn(issue.state),
    ownComment: false,
  };
}

function noteNews({ object_attributes: note, issue, merge_request: mergeRequest, project }: Payload): News {
  const ownComment = isOwnComment(note?.note ?? '');
  switch (note?.noteable_type ?? '') {
    case 'Issue':
      if (issue?.iid === undefined) return 'no-ticket';
      return {
        ticketIds: [String(issue.iid)],
        about: 'comment',
        ...NO_CHANGE,
        labels: issue.labels,
        open: openIn(issue.state),
        ownComment,
      };
    case 'MergeRequest':
      return linkNews(closedBy(mergeRequest, project), ownComment);
    default:
      return 'unsupported-event';
  }
}

function openIn(state: string | undefined): boolean | undefined {
  return state === 'opened' || state === 'closed' ? state === 'opened' : undefined;
}

function closedBy(mergeRequest: { readonly description?: string | undefined } = {}, project?: Project): string[] {
  return project === undefined ? [] : ticketsClosedBy(mergeRequest.description ?? '', project);
}
