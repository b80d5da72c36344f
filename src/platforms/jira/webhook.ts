/**
 * Jira's webhooks: those that an administrator registers under System > WebHooks, on Cloud and on Data Center.
 *
 * Every field is read for itself, so that one of a shape that we do not know takes nothing else with it. What an event
 * does not show stays undefined: a comment on Cloud comes with an issue without labels, one on Data Center with no issue
 * at all, whose id then stands in the comment's address.
 */
import { z } from 'zod';
import type { Place, TicketNews } from '../../domain/ticket-news.ts';
import {
  headerOf,
  isSameSecret,
  jsonObjectIn,
  provesByHmac,
  type WebhookDialect,
  type WebhookMessage,
  type WebhookRequest,
} from '../webhook.ts';
import { changeItem, labelChangeOf } from './changelog.ts';
import { ISSUE_ID, jiraSiteName } from './source.ts';

const SIGNATURE = 'x-hub-signature';

const ISSUE_EVENTS: ReadonlySet<string> = new Set(['jira:issue_created', 'jira:issue_updated', 'jira:issue_deleted']);
const COMMENT_EVENTS: ReadonlySet<string> = new Set(['comment_created', 'comment_updated']);

const COMMENT_ADDRESS = /\/issue\/([^/]+)\/comment\//;
/** Our comments end with it. Only there: a person who quotes us does not speak for us. */
const OUR_MARKER = /<!-- agent-smith run=\S+ -->\s*$/;
const MARKER_WITHIN = 300;
/** Our documents are two deep. */
const MAX_DEPTH = 10;

/** Entries of one list that are looked at, which is more than Jira sends. */
const MAX_ENTRIES = 1_000;

const maybe = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

/** Those entries of a list that fit: to say of each of a million why it does not would take all the memory. */
const listOf = <T extends z.ZodType>(schema: T) =>
  z.array(z.unknown()).transform((entries) => {
    const read = entries.slice(0, MAX_ENTRIES).map((entry) => schema.safeParse(entry));
    return read.flatMap(({ success, data }) => (success ? [data] : []));
  });

const payloadSchema = z.object({
  webhookEvent: z.string().catch(''),
  issue_event_type_name: z.string().catch(''),
  /** Dynamic hooks that asked for this event; admin hooks do not tell which they are. */
  matchedWebhookIds: listOf(z.int()).catch([]),
  issue: maybe(
    z.object({
      id: z.string().regex(ISSUE_ID),
      self: z.string().catch(''),
      fields: maybe(
        z.object({
          labels: maybe(listOf(z.string())),
          status: maybe(z.object({ statusCategory: z.object({ key: z.string() }) })),
          project: maybe(z.object({ key: maybe(z.string()), id: maybe(z.string()) })),
        }),
      ),
    }),
  ),
  comment: maybe(z.object({ self: z.string().catch(''), body: z.unknown().optional() })),
  changelog: maybe(z.object({ items: listOf(changeItem) })),
});

type Payload = z.infer<typeof payloadSchema>;

export const jiraWebhook: WebhookDialect = {
  // The same header on both deployments, and the same id when a delivery is sent again.
  alwaysHasId: true,
  provesSecret,
  read: (request) => messageIn(jsonObjectIn(request.body), headerOf(request, 'x-atlassian-webhook-identifier')),
};

/**
 * Data Center may send the secret as a password instead of signing with it. A signature that is there has to be right: a
 * password says nothing about the body.
 */
function provesSecret(request: WebhookRequest, secret: string): boolean {
  if (request.headers[SIGNATURE] !== undefined) return provesByHmac(request, SIGNATURE, secret);
  const password = passwordIn(headerOf(request, 'authorization'));
  return password !== undefined && isSameSecret(password, secret);
}

/** Of Basic authentication, whatever the name of the user. */
function passwordIn(authorization: string | undefined): string | undefined {
  const [, encoded] = /^basic +([\w+/=-]+)$/i.exec(authorization ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const [, ...password] = Buffer.from(encoded, 'base64').toString().split(':');
  return password.length === 0 ? undefined : password.join(':');
}

function messageIn(body: unknown, id: string | undefined): WebhookMessage {
  const payload = payloadSchema.parse(body);
  const ids = payload.matchedWebhookIds;
  return {
    id,
    hook: ids.length === 0 ? undefined : ids.join('-'),
    event: shortName(payload.webhookEvent) ?? 'unknown',
    action: shortName(payload.issue_event_type_name),
    place: placeOf(payload),
    news: newsOf(payload),
  };
}

/** What a log and a record can hold. */
function shortName(text: string): string | undefined {
  const name = text.replace(/[^ -~]/g, '').slice(0, 100);
  return name === '' ? undefined : name;
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
  const { labels, status } = issue?.fields ?? {};
  return {
    ticketIds: [id],
    // A comment is told once more as a change of its issue, in which nothing has changed.
    about: isComment || (comment !== undefined && changelog === undefined) ? 'comment' : 'ticket',
    ...labelNews(changelog?.items ?? []),
    labels,
    open:
      webhookEvent === 'jira:issue_deleted' || status === undefined ? undefined : status.statusCategory.key !== 'done',
    ...(comment !== undefined && { ownComment: isOurComment(comment.body) }),
  };
}

function idIn(commentAddress: string): string | undefined {
  const [, id = ''] = COMMENT_ADDRESS.exec(commentAddress) ?? [];
  return ISSUE_ID.test(id) ? id : undefined;
}

function labelNews(items: readonly z.infer<typeof changeItem>[]): Pick<TicketNews, 'added' | 'removed'> {
  const changes = items.map(labelChangeOf).filter((change) => change !== undefined);
  return {
    added: changes.flatMap(({ before, after }) => without(after, before)),
    removed: changes.flatMap(({ before, after }) => without(before, after)),
  };
}

function without(labels: readonly string[], others: readonly string[]): string[] {
  const left = new Set(others);
  return labels.filter((label) => !left.has(label));
}

function isOurComment(body: unknown): boolean {
  // Where a document is told as wiki markup, what may be markup is escaped.
  const end = lastTextOf(body).slice(-MARKER_WITHIN).replaceAll('\\', '');
  return OUR_MARKER.test(end);
}

const documentNode = z.object({ text: maybe(z.string()), content: z.array(z.unknown()).catch([]) });

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
