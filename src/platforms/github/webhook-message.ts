/** What GitHub's payloads say about issues, and about pull requests that close some. */
import { z } from 'zod';
import type { Place, TicketNews } from '../../domain/ticket-news.ts';
import { isOwnComment } from '../comment-marker.ts';
import { readWebAddress } from '../web-address.ts';
import type { WebhookMessage } from '../webhook.ts';
import { lenient, linkNews, listOf, NO_CHANGE, printable } from '../webhook-fields.ts';
import { ticketsClosedBy } from './closing-keywords.ts';

const label = z.object({ name: z.string() }).transform(({ name }) => name);

const issueSchema = z.object({
  number: z.int().positive(),
  body: lenient(z.string()),
  state: lenient(z.string()),
  labels: lenient(listOf(label)),
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
  label: lenient(label),
  comment: lenient(z.object({ body: z.string() })),
});

type Payload = z.infer<typeof payloadSchema>;
type Issue = z.infer<typeof issueSchema>;
type News = WebhookMessage['news'];

/** What stands in the headers of a delivery. */
export interface GitHubHeaders {
  readonly id: string | undefined;
  readonly hook: string | undefined;
  readonly event: string | undefined;
}

/** Reads any JSON object. */
export function readGitHubMessage(
  data: Readonly<Record<string, unknown>>,
  { id, hook, event: name }: GitHubHeaders,
): WebhookMessage {
  const payload = payloadSchema.parse(data);
  const event = printable(name) ?? 'unknown';
  const place = placeOf(payload);
  return {
    id,
    hook,
    event,
    action: printable(payload.action),
    installation: payload.installation?.id.toString(),
    place,
    news: newsOf(event, payload, place),
  };
}

type RepositoryPlace = Place & { readonly host: string };

function placeOf({ repository }: Payload): RepositoryPlace | undefined {
  if (repository === undefined) return undefined;
  const address = readWebAddress(repository.html_url);
  if ('problem' in address) return undefined;
  return { host: address.host, container: repository.full_name, id: repository.id?.toString() };
}

function newsOf(event: string, payload: Payload, place: RepositoryPlace | undefined): News {
  const { issue, pull_request: pullRequest, comment } = payload;
  const ownComment = comment !== undefined && isOwnComment(comment.body);
  const linkedBy = (text = ''): News => linkNews(place === undefined ? [] : ticketsClosedBy(text, place), ownComment);
  switch (event) {
    case 'ping':
      return 'ping';
    case 'issues':
    case 'issue_comment':
      if (issue === undefined) return 'no-ticket';
      if (issue.pull_request !== undefined) return linkedBy(issue.body);
      return event === 'issues' ? issueNews(issue, payload) : commentNews(issue, ownComment);
    case 'pull_request':
    case 'pull_request_review':
    case 'pull_request_review_comment':
    case 'pull_request_review_thread':
      return linkedBy(pullRequest?.body);
    default:
      return 'unsupported-event';
  }
}

function issueNews(issue: Issue, { action, label: named }: Payload): TicketNews {
  const changed = named === undefined ? [] : [named];
  return {
    ticketIds: [String(issue.number)],
    about: 'ticket',
    added: action === 'labeled' ? changed : [],
    removed: action === 'unlabeled' ? changed : [],
    labels: issue.labels,
    // The payload of one that is gone still shows how it was.
    open: action === 'deleted' || action === 'transferred' ? false : openIn(issue),
    ownComment: false,
  };
}

function commentNews(issue: Issue, ownComment: boolean): TicketNews {
  const ticketIds = [String(issue.number)];
  return { ticketIds, about: 'comment', ...NO_CHANGE, labels: issue.labels, open: openIn(issue), ownComment };
}

function openIn({ state }: Issue): boolean | undefined {
  return state === 'open' || state === 'closed' ? state === 'open' : undefined;
}
