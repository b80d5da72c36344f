/**
 * Listing tickets from Jira's search. It answers from an index that runs behind what people see, in either direction:
 * a ticket may be listed late, or with labels that it has lost. The claim reads the issue itself.
 *
 * Cloud pages by a token. Data Center counts, so what drops out of a result moves all that comes after it: a result that
 * has become shorter is asked again from as much further ahead, and a ticket may be listed twice. To go on behind the last
 * key would not do: JQL compares keys within one project only, and refuses the key of an issue that is gone.
 */
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import type { Ticket } from '../../domain/ticket.ts';
import type { Call, TicketPage, TicketQuery } from '../contract.ts';
import type { JiraClient, JiraSession } from './client.ts';
import { type Issue, issueSchema, LISTED_FIELDS, ticketOf } from './issue.ts';
import { listingJql } from './jql.ts';

/** As much as either gives with fields. */
const PAGE_SIZE = 100;

/** Where a search goes on. */
interface Place {
  readonly jql: string;
  /** Of the next page on Cloud; empty for the first. */
  readonly token: string;
  /** On Data Center; and how many there were in all when the last page was read. */
  readonly startAt: number;
  readonly total: number;
}

const beginningOf = (jql: string): Place => ({ jql, token: '', startAt: 0, total: 0 });

/** A query is one line. */
const cursorAt = ({ jql, token, startAt, total }: Place): string => [jql, token, startAt, total].join('\n');

function placeAt(cursor: string): Place {
  const [jql = '', token = '', startAt, total] = cursor.split('\n');
  return { jql, token, startAt: Number(startAt), total: Number(total) };
}

interface Page {
  readonly issues: readonly Issue[];
  readonly next: Place | undefined;
}

const cloudPage = z.object({
  issues: z.array(issueSchema),
  nextPageToken: z.string().nullish(),
  isLast: z.boolean().optional(),
});

const serverPage = z.object({ issues: z.array(issueSchema), total: z.int() });

/** One page, at most 100 tickets; what only the index still labels so is dropped, so it may be empty. */
export async function listTickets(
  client: JiraClient,
  query: TicketQuery,
  cursor: string | undefined,
  call: Call,
): Promise<TicketPage> {
  if (query.labels.length === 0) throw new TypeError('a listing needs at least one label');
  const jql = listingJql(client.source, query);
  const asked = cursor === undefined ? undefined : placeAt(cursor);
  // A reload of the configuration may have changed the labels: the listing begins again.
  const at = asked?.jql === jql ? asked : beginningOf(jql);
  return client.ask(
    `list tickets labelled ${query.labels.map((label) => `"${label}"`).join(', ')}`,
    call,
    async (jira) => {
      const { issues, next } = await search(client, jira, at, LISTED_FIELDS);
      const tickets: Ticket[] = [];
      for (const issue of issues) {
        if (query.labels.some((label) => hasLabel(issue.fields.labels, label)))
          tickets.push(await ticketOf(client, jira, issue));
      }
      return next === undefined ? { tickets } : { tickets, next: cursorAt(next) };
    },
  );
}

/** Page after page of what a query finds, each read when it is asked for. */
export async function* searchPages(
  client: JiraClient,
  jira: JiraSession,
  jql: string,
  fields: readonly string[],
): AsyncGenerator<readonly Issue[]> {
  for (let at: Place | undefined = beginningOf(jql); at !== undefined; ) {
    const page: Page = await search(client, jira, at, fields);
    yield page.issues;
    at = page.next;
  }
}

function search({ isCloud }: JiraClient, jira: JiraSession, at: Place, fields: readonly string[]): Promise<Page> {
  return isCloud ? cloudSearch(jira, at, fields) : serverSearch(jira, at, fields);
}

async function cloudSearch(jira: JiraSession, { jql, token }: Place, fields: readonly string[]): Promise<Page> {
  const data = await jira.cloud.searchAndReconsileIssuesUsingJqlPost(jira.api, {
    jql,
    fields: [...fields],
    maxResults: PAGE_SIZE,
    ...(token === '' ? {} : { nextPageToken: token }),
  });
  const { issues, nextPageToken, isLast } = jira.read(cloudPage, data);
  if (isLast === true || typeof nextPageToken !== 'string') return { issues, next: undefined };
  if (nextPageToken === token) throw jira.error('invalid-response', 'the next page is the page itself');
  return { issues, next: { jql, token: nextPageToken, startAt: 0, total: 0 } };
}

async function serverSearch(
  jira: JiraSession,
  { jql, startAt, total }: Place,
  fields: readonly string[],
): Promise<Page> {
  const ask = async (from: number) =>
    jira.read(
      serverPage,
      await jira.api.sendRequest({
        url: '/rest/api/2/search',
        method: 'POST',
        body: { jql, fields, maxResults: PAGE_SIZE, startAt: from },
      }),
    );
  const first = await ask(startAt);
  const missed = Math.min(startAt, Math.max(0, total - first.total));
  const from = startAt - missed;
  const found = missed === 0 ? first : await ask(from);
  const end = from + found.issues.length;
  const isLast = found.issues.length === 0 || end >= found.total;
  return { issues: found.issues, next: isLast ? undefined : { jql, token: '', startAt: end, total: found.total } };
}
