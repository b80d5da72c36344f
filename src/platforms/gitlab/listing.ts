/**
 * Listing tickets. GitLab's `labels=a,b` means both, so labels are walked one after the other; a ticket with two of them
 * is listed twice, and whoever reads the listing knows tickets by their key. The order is by creation with a keyset where
 * the server has one: tickets that leave the listing while it is walked then hide no others.
 */
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import { type Call, PlatformError, type TicketPage, type TicketQuery } from '../contract.ts';
import type { GitLabClient, GitLabSession, Place } from './client.ts';
import { issueSchema, toTicket } from './issue.ts';
import { spellingsOf } from './spellings.ts';

const cursorSchema = z.object({
  label: z.string(),
  place: z.object({ page: z.int().optional(), cursor: z.string().optional() }),
});

/** Which spelling of which label a listing is at, and where in it. */
type Cursor = z.infer<typeof cursorSchema>;

/** One page, at most 100 tickets; labels that only look alike are dropped, so it may be empty. */
export async function listTickets(
  client: GitLabClient,
  query: TicketQuery,
  cursor: string | undefined,
  call: Call,
): Promise<TicketPage> {
  const [first] = query.labels;
  if (first === undefined) throw new TypeError('a listing needs at least one label');
  refuseUnlistable(client, query.labels);
  const asked = cursor === undefined ? undefined : cursorSchema.parse(JSON.parse(cursor));
  return client.run(`list tickets labelled "${asked?.label ?? first}"`, call, async (gitlab) => {
    const labels = new Set<string>();
    for (const label of query.labels) {
      for (const spelling of await spellingsOf(client, gitlab, label)) labels.add(spelling);
    }
    // A reload of the configuration may have taken the label away in which the listing stood: it begins again.
    const at: Cursor = asked !== undefined && labels.has(asked.label) ? asked : { label: first, place: {} };
    const { items, next } = await gitlab.page(issueSchema, listOf(gitlab, at.label, query.state), at.place);
    const tickets = items
      .filter((issue) => hasLabel(issue.labels, at.label))
      .map((issue) => toTicket(client.source, { ...issue, description: '' }));
    const onward = next === undefined ? beginning([...labels], at.label) : { label: at.label, place: next };
    return onward === undefined ? { tickets } : { tickets, next: JSON.stringify(onward satisfies Cursor) };
  });
}

function listOf({ api, project }: GitLabSession, label: string, state: TicketQuery['state']) {
  const order = { orderBy: 'created_at', sort: 'asc', pagination: 'keyset', perPage: 100 } as const;
  const filter = { labels: label, state: state === 'open' ? 'opened' : 'all' };
  return (place: Place): Promise<unknown> => api.issues.all({ projectId: project, ...filter, ...order, ...place });
}

/** The listing of the label after this one. */
function beginning(labels: readonly string[], label: string): Cursor | undefined {
  const next = labels[labels.indexOf(label) + 1];
  return next === undefined ? undefined : { label: next, place: {} };
}

/** A comma separates labels in a filter, where `None` stands for no label at all and `Any` for any. */
export function gitlabLabelProblem(label: string): string | undefined {
  if (label.includes(',')) return 'GitLab has no labels with a comma';
  return /^(none|any)$/i.test(label) ? 'GitLab cannot filter by a label of this name' : undefined;
}

function refuseUnlistable({ source }: GitLabClient, labels: readonly string[]): void {
  for (const label of labels) {
    const problem = gitlabLabelProblem(label);
    if (problem === undefined) continue;
    const text = `list tickets labelled "${label}" of ${source.container}: ${problem}`;
    throw new PlatformError('unsupported', text, { effect: 'none' });
  }
}
