/**
 * What Jira's payloads say about issues. What an event does not show stays undefined: a comment on Cloud comes with an
 * issue without labels, one on Data Center with no issue at all, whose id then stands in the comment's address.
 */
import { z } from 'zod';
import type { Place, TicketNews } from '../../domain/ticket-news.ts';
import { isOwnComment } from '../comment-marker.ts';
import type { WebhookMessage } from '../webhook.ts';
import { changeBetween, lenient, listOf, printable } from '../webhook-fields.ts';
import { changeItem, labelChangeOf } from './changelog.ts';
import { ISSUE_ID, jiraSiteName } from './source.ts';

const ISSUE_EVENTS: ReadonlySet<string> = new Set(['jira:issue_created', 'jira:issue_updated', 'jira:issue_deleted']);
const COMMENT_EVENTS: ReadonlySet<string> = new Set(['comment_created', 'comment_updated']);

const COMMENT_ADDRESS = /\/issue\/([^/]+)\/comment\//;
/** Our documents are two deep. */
const MAX_DEPTH = 10;

const payloadSchema = z.object({
  webhookEvent: z.string().catch(''),
  issue_event_type_name: z.string().catch(''),
  /** Dynamic hooks that asked for this event; admin hooks do not tell which they are. */
  matchedWebhookIds: listOf(z.int()).catch([]),
  issue: lenient(
    z.object({
      id: z.string().regex(ISSUE_ID),
      self: z.string().catch(''),
      fields: lenient(
        z.object({
          labels: lenient(listOf(z.string())),
          status: lenient(z.object({ statusCategory: z.object({ key: z.string() }) })),
          project: lenient(z.object({ key: lenient(z.string()), id: lenient(z.string()) })),
        }),
      ),
    }),
  ),
  comment: lenient(z.object({ self: z.string().catch(''), body: z.unknown().optional() })),
  changelog: lenient(z.object({ items: listOf(changeItem) })),
});

type Payload = z.infer<typeof payloadSchema>;

/** Reads any JSON object. */
export function readJiraMessage(data: Readonly<Record<string, unknown>>, id: string | undefined): WebhookMessage {
  const payload = payloadSchema.parse(data);
  const ids = payload.matchedWebhookIds;
  return {
    id,
    hook: ids.length === 0 ? undefined : ids.join('-'),
    event: printable(payload.webhookEvent) ?? 'unknown',
    action: printable(payload.issue_event_type_name),
    place: placeOf(payload),
    news: newsOf(payload),
  };
}

function placeOf({ issue, comment }: Payload): Place | undefined {
  const about = issue ?? comment;
  if (about === undefined) return undefined;
  const project = issue?.fields?.project;
  return { host: jiraSiteName(about.self), container: '', scope: project?.key, id: project?.id };
}

function newsOf(payload: Payload): WebhookMessage['news'] {
  const { webhookEvent, issue, comment, changelog } = payload;
  const isComment = COMMENT_EVENTS.has(webhookEvent);
  if (!isComment && !ISSUE_EVENTS.has(webhookEvent)) return 'unsupported-event';
  const id = issue?.id ?? idIn(comment?.self ?? '');
  if (id === undefined) return 'no-ticket';
  return {
    ticketIds: [id],
    // A comment is told once more as a change of its issue, in which nothing has changed.
    about: isComment || (comment !== undefined && changelog === undefined) ? 'comment' : 'ticket',
    ...labelNews(changelog?.items ?? []),
    labels: issue?.fields?.labels,
    open: openIn(payload),
    // Where a document is told as wiki markup, what may be markup is escaped.
    ownComment: comment !== undefined && isOwnComment(lastTextOf(comment.body).replaceAll('\\', '')),
  };
}

function openIn({ webhookEvent, issue }: Payload): boolean | undefined {
  if (webhookEvent === 'jira:issue_deleted') return false;
  const status = issue?.fields?.status;
  return status === undefined ? undefined : status.statusCategory.key !== 'done';
}

function idIn(commentAddress: string): string | undefined {
  const [, id = ''] = COMMENT_ADDRESS.exec(commentAddress) ?? [];
  return ISSUE_ID.test(id) ? id : undefined;
}

/** One change of the issue may hold several of its labels. */
function labelNews(items: readonly z.infer<typeof changeItem>[]): Pick<TicketNews, 'added' | 'removed'> {
  const changes = items
    .map(labelChangeOf)
    .filter((change) => change !== undefined)
    .map(({ before, after }) => changeBetween(before, after));
  return { added: changes.flatMap(({ added }) => added), removed: changes.flatMap(({ removed }) => removed) };
}

const documentNode = z.object({ text: lenient(z.string()), content: z.array(z.unknown()).catch([]) });

/** The text itself, or the last one in a document. */
function lastTextOf(body: unknown): string {
  let node = body;
  for (let depth = 0; depth < MAX_DEPTH; depth += 1) {
    if (typeof node === 'string') return node;
    const { success, data } = documentNode.safeParse(node);
    if (!success) return '';
    if (data.text !== undefined) return data.text;
    node = data.content.at(-1);
  }
  return '';
}
