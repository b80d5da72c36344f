/**
 * Listing tickets. GitHub's `labels=a,b` means both, so labels are walked one after the other; a ticket with two of them
 * is listed twice, and whoever reads the listing knows tickets by their key. The order is by creation and stays the
 * same, so that an unchanged page keeps its ETag and the oldest ticket is never starved by newer ones.
 */
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import type { Call, TicketPage, TicketQuery } from '../contract.ts';
import { nextLink } from '../next-link.ts';
import type { GitHubClient, GitHubSession } from './client.ts';
import { createEtagCache, type KnownPage } from './etag-cache.ts';
import { isPullRequest, issueSchema, toTicket } from './issue.ts';

/** Where a listing goes on: the label it is at, and the page of it unless that is the first. */
interface Place {
  readonly label: string;
  readonly url?: string | undefined;
}

const place = z.object({ label: z.string(), url: z.string().optional() });

/** One page, at most 100 tickets; pull requests and labels that only look alike are dropped, so it may be empty. */
export async function listTickets(
  client: GitHubClient,
  query: TicketQuery,
  cursor: string | undefined,
  call: Call,
): Promise<TicketPage> {
  const [first] = query.labels;
  if (first === undefined) throw new TypeError('a listing needs at least one label');
  const asked = cursor === undefined ? undefined : place.parse(JSON.parse(cursor));
  // A reload of the configuration may have taken the label away in which the listing stood: it begins again.
  const at: Place = asked !== undefined && query.labels.includes(asked.label) ? asked : { label: first };
  return client.run(`list tickets labelled "${at.label}"`, call, async (github) => {
    const url = at.url ?? firstPage(github, at.label, query.state);
    const { tickets, next } = await readPage(client, github, at.label, url);
    const onward = next === undefined ? nextLabel(query.labels, at.label) : { label: at.label, url: next };
    return onward === undefined ? { tickets } : { tickets, next: JSON.stringify(onward) };
  });
}

function firstPage({ octokit, repository }: GitHubSession, label: string, state: 'open' | 'all'): string {
  const order = { sort: 'created', direction: 'asc', per_page: 100 } as const;
  return octokit.rest.issues.listForRepo.endpoint({ ...repository, labels: label, state, ...order }).url;
}

function nextLabel(labels: readonly string[], label: string): Place | undefined {
  const next = labels[labels.indexOf(label) + 1];
  return next === undefined ? undefined : { label: next };
}

async function readPage(
  client: GitHubClient,
  github: GitHubSession,
  label: string,
  url: string,
): Promise<Omit<KnownPage, 'etag'>> {
  const cache = client.shared(createEtagCache);
  const known = cache.get(url);
  const headers = known === undefined ? {} : { 'if-none-match': known.etag };
  const answer = await github.octokit.request({ method: 'GET', url, headers }).catch((error: unknown) => {
    if (isNotModified(error)) return undefined;
    throw error;
  });
  if (answer === undefined) {
    if (known !== undefined) return known;
    throw github.error('invalid-response', 'answered 304 to a request without If-None-Match');
  }
  const issues = github.read(z.array(issueSchema), answer.data);
  const page = {
    tickets: issues
      .filter((issue) => !isPullRequest(issue) && hasLabel(issue.labels, label))
      .map((issue) => toTicket(client.source, { ...issue, body: '' })),
    next: nextLink(github, answer.headers.link, url),
  };
  if (answer.headers.etag !== undefined) cache.set(url, { etag: answer.headers.etag, ...page });
  return page;
}

const isNotModified = (error: unknown): boolean => error instanceof Error && 'status' in error && error.status === 304;
