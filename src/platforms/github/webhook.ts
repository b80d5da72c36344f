/**
 * GitHub's webhooks. Those of a repository, of an organisation and of an App send the same payloads, as JSON or as a form
 * with the JSON in its field `payload`; the signature is over the body as it came in either case. Id, hook and event stand
 * in headers that nobody has signed: they tell deliveries apart, and as what a payload is read.
 */
import { z } from 'zod';
import type { Place, TicketNews } from '../../domain/ticket-news.ts';
import { readWebAddress } from '../web-address.ts';
import {
  headerOf,
  jsonObjectIn,
  provesByHmac,
  UnreadableWebhook,
  type WebhookDialect,
  type WebhookMessage,
  type WebhookRequest,
} from '../webhook.ts';
import { ticketsClosedBy } from './closing-keywords.ts';
import { labelNames } from './issue.ts';

export const githubWebhook: WebhookDialect = {
  alwaysHasId: true,
  provesSecret: (request, secret) => provesByHmac(request, 'x-hub-signature-256', secret),
  read(request) {
    const payload = payloadSchema.parse(jsonObjectIn(jsonIn(request)));
    const event = printable(headerOf(request, 'x-github-event') ?? 'unknown');
    const place = placeOf(payload);
    return {
      id: headerOf(request, 'x-github-delivery'),
      hook: headerOf(request, 'x-github-hook-id'),
      event,
      action: payload.action && printable(payload.action),
      installation: payload.installation?.id.toString(),
      place,
      news: newsOf(event, payload, place),
    };
  },
};

function jsonIn(request: WebhookRequest): Buffer | string {
  const type = headerOf(request, 'content-type')?.toLowerCase() ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) return request.body;
  const json = new URLSearchParams(request.body.toString()).get('payload');
  if (json === null) throw new UnreadableWebhook('the form has no field payload');
  return json;
}

/** What has another shape counts as missing: a payload that we cannot read to the end is still a delivery. */
const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

/** Of one issue. Counted before they are read: to say of each of a million what is wrong with it takes all the memory. */
const MOST_LABELS = 100;

const issueSchema = z.object({
  number: z.int().positive(),
  body: lenient(z.string()),
  state: lenient(z.string()),
  labels: lenient(z.array(z.unknown()).max(MOST_LABELS).pipe(labelNames)),
  /** There for a pull request: it gets comments, and milestones, as an issue. */
  pull_request: lenient(z.looseObject({})),
});

const payloadSchema = z.object({
  action: lenient(z.string()),
  repository: lenient(
    z.object({
      id: lenient(z.int()),
      full_name: z.string().regex(/^[\w.-]{1,100}\/[\w.-]{1,100}$/),
      html_url: z.string(),
    }),
  ),
  installation: lenient(z.object({ id: z.int() })),
  issue: lenient(issueSchema),
  pull_request: lenient(z.object({ body: lenient(z.string()) })),
  label: lenient(z.object({ name: z.string() })),
  comment: lenient(z.object({ body: z.string() })),
});

type Payload = z.infer<typeof payloadSchema>;
type Issue = z.infer<typeof issueSchema>;

type RepositoryPlace = Place & { readonly host: string };

function placeOf({ repository }: Payload): RepositoryPlace | undefined {
  if (repository === undefined) return undefined;
  const address = readWebAddress(repository.html_url);
  if ('problem' in address) return undefined;
  return { host: address.host, container: repository.full_name, id: repository.id?.toString() };
}

function newsOf(event: string, payload: Payload, place: RepositoryPlace | undefined): WebhookMessage['news'] {
  if (event === 'ping') return 'ping';
  if (place === undefined) return 'unsupported-event';
  const { issue, pull_request: pullRequest } = payload;
  switch (event) {
    case 'issues':
    case 'issue_comment':
      if (issue === undefined) return 'unsupported-event';
      if (issue.pull_request !== undefined) return linkNews(issue, payload, place);
      return event === 'issues' ? issueNews(issue, payload) : commentNews(issue, payload);
    case 'pull_request':
    case 'pull_request_review':
    case 'pull_request_review_comment':
    case 'pull_request_review_thread':
      return pullRequest === undefined ? 'unsupported-event' : linkNews(pullRequest, payload, place);
    default:
      return 'unsupported-event';
  }
}

function issueNews(issue: Issue, { action, label }: Payload): TicketNews {
  const named = label === undefined ? [] : [label.name];
  // The payload still calls it open, but its number leads nowhere from now on.
  const isGone = action === 'deleted' || action === 'transferred';
  return {
    ticketIds: [String(issue.number)],
    about: 'ticket',
    added: action === 'labeled' ? named : [],
    removed: action === 'unlabeled' ? named : [],
    labels: issue.labels,
    open: isGone ? undefined : isOpen(issue),
  };
}

function commentNews(issue: Issue, payload: Payload): TicketNews {
  return {
    ticketIds: [String(issue.number)],
    about: 'comment',
    added: [],
    removed: [],
    labels: issue.labels,
    open: isOpen(issue),
    ownComment: isOurComment(payload),
  };
}

/** Labels and state are the pull request's own and say nothing of the tickets. */
function linkNews(
  { body = '' }: { readonly body?: string | undefined },
  payload: Payload,
  place: RepositoryPlace,
): TicketNews | 'no-ticket' {
  const ticketIds = ticketsClosedBy(body, place);
  if (ticketIds.length === 0) return 'no-ticket';
  const ownComment = isOurComment(payload);
  return { ticketIds, about: 'link', added: [], removed: [], labels: undefined, open: undefined, ownComment };
}

function isOpen({ state }: Issue): boolean | undefined {
  return state === 'open' || state === 'closed' ? state === 'open' : undefined;
}

/** Only at the end: a person who quotes us does not speak for us. */
function isOurComment({ comment }: Payload): boolean {
  const end = comment?.body.trimEnd().slice(-200) ?? '';
  return /<!-- agent-smith run=\S+ -->$/.test(end);
}

/** What came in a header or a field of any length, fit for a log. */
const printable = (text: string): string => text.replace(/[^ -~]/g, '').slice(0, 100);
