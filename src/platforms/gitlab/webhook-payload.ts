/**
 * What GitLab's payloads say about issues. Every field is read for itself, so that one of a shape that we do not know
 * takes nothing else with it: a payload that we cannot read to the end is still a delivery.
 *
 * Tasks and incidents are issues (`work_item`), and confidential issues and comments come with the same payloads. GitLab
 * tells nothing of an issue that was deleted.
 */
import { z } from 'zod';
import type { Place, TicketNews } from '../../domain/ticket-news.ts';
import { readWebAddress } from '../web-address.ts';
import type { WebhookMessage } from '../webhook.ts';
import { ticketsClosedBy } from './closing-pattern.ts';

/** Labels of one issue that are looked at, which is more than people set. */
const MOST_LABELS = 1_000;

/** Our comments end with it. Only there: a person who quotes us does not speak for us. */
const OUR_MARKER = /<!-- agent-smith run=\S+ -->$/;
const MARKER_WITHIN = 300;

const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

const label = z.object({ title: z.string() });

/** Those that fit: to say of each of a million why it does not would take all the memory. */
const labelTitles = z.array(z.unknown()).transform((labels) => {
  const read = labels.slice(0, MOST_LABELS).map((entry) => label.safeParse(entry));
  return read.flatMap(({ data }) => (data === undefined ? [] : [data.title]));
});

const issueFields = {
  iid: lenient(z.int().positive()),
  state: lenient(z.string()),
  labels: lenient(labelTitles),
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
  labels: lenient(labelTitles),
  changes: lenient(z.object({ labels: lenient(z.object({ previous: labelTitles, current: labelTitles })) })),
  issue: lenient(z.object(issueFields)),
  merge_request: lenient(z.object({ description: lenient(z.string()) })),
});

type Payload = z.infer<typeof payloadSchema>;
type Project = NonNullable<Payload['project']>;
type News = WebhookMessage['news'];

export function readPayload(
  data: Readonly<Record<string, unknown>>,
): Pick<WebhookMessage, 'event' | 'action' | 'place' | 'news'> {
  const payload = payloadSchema.parse(data);
  return {
    event: printable(payload.object_kind ?? payload.event_name) ?? 'unknown',
    action: printable(payload.object_attributes?.action),
    place: placeOf(payload),
    news: newsOf(payload),
  };
}

/** What a log and a record can hold. */
function printable(text = ''): string | undefined {
  const shown = text.replace(/[^ -~]/g, '').slice(0, 100);
  return shown === '' ? undefined : shown;
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
  if (attributes === undefined || project === undefined) return 'unsupported-event';
  switch (kind) {
    case 'issue':
    case 'work_item':
      // Epics belong to a group and have numbers of their own.
      return attributes.type === 'Epic' ? 'unsupported-event' : issueNews(payload);
    case 'note':
      return noteNews(payload, project);
    case 'merge_request':
      return linkNews(attributes.description, project);
    default:
      return 'unsupported-event';
  }
}

function issueNews({ object_attributes: issue, labels = issue?.labels, changes }: Payload): News {
  const { previous = [], current = [] } = changes?.labels ?? {};
  return ticketNews(issue, {
    about: 'ticket',
    added: current.filter((title) => !previous.includes(title)),
    removed: previous.filter((title) => !current.includes(title)),
    labels,
  });
}

function noteNews({ object_attributes: note, issue, merge_request: mergeRequest }: Payload, project: Project): News {
  const ownComment = OUR_MARKER.test(note?.note?.trimEnd().slice(-MARKER_WITHIN) ?? '');
  switch (note?.noteable_type ?? '') {
    case 'Issue':
      return ticketNews(issue, { about: 'comment', added: [], removed: [], labels: issue?.labels, ownComment });
    case 'MergeRequest':
      return linkNews(mergeRequest?.description, project, { ownComment });
    default:
      return 'unsupported-event';
  }
}

function ticketNews(
  issue: { readonly iid?: number | undefined; readonly state?: string | undefined } | undefined,
  news: Omit<TicketNews, 'ticketIds' | 'open'>,
): News {
  if (issue?.iid === undefined) return 'no-ticket';
  return { ticketIds: [String(issue.iid)], ...news, open: openIn(issue.state) };
}

function openIn(state: string | undefined): boolean | undefined {
  return state === 'opened' || state === 'closed' ? state === 'opened' : undefined;
}

function linkNews(description: string | undefined, project: Project, more: Pick<TicketNews, 'ownComment'> = {}): News {
  const ticketIds = ticketsClosedBy(description ?? '', project);
  if (ticketIds.length === 0) return 'no-ticket';
  return { ticketIds, about: 'link', added: [], removed: [], labels: undefined, open: undefined, ...more };
}
