/** What we read of GitHub's answers, and nothing else: no user, no reaction, no id beyond the safe integers. */
import { z } from 'zod';
import { type Ticket, type TicketSource, ticketKey } from '../../domain/ticket.ts';

/** A label in an answer: its name alone, or an object with it. */
export const labelName = z.union([
  z.string(),
  z.object({ name: z.string().nullish() }).transform(({ name }) => name ?? ''),
]);

/** The names in a list of labels. */
export const labelNames = z.array(labelName).transform((names) => names.filter((name) => name !== ''));

/** An id of GitHub's as text: those of deliveries are beyond the safe integers, and the client library reads them as BigInt. */
export const idText = z.union([z.number(), z.bigint()]).transform(String);

export const issueSchema = z.object({
  number: z.int().positive(),
  title: z.string(),
  body: z.string().nullish(),
  html_url: z.string(),
  state: z.string(),
  labels: labelNames,
  /** There for pull requests only: in GitHub's lists they are issues too. */
  pull_request: z.unknown().optional(),
  repository_url: z.string(),
});

export const repositorySchema = z.object({ full_name: z.string() });

export type Issue = z.infer<typeof issueSchema>;

export const isPullRequest = (issue: Issue): boolean => issue.pull_request !== undefined && issue.pull_request !== null;

/** The issue as a ticket of the configured source; its key never follows what an answer says about the repository. */
export function toTicket(source: TicketSource, issue: Issue): Ticket {
  const id = String(issue.number);
  return {
    key: ticketKey(source, id),
    id,
    display: `${source.container}#${id}`,
    url: issue.html_url,
    title: issue.title,
    body: issue.body ?? '',
    labels: issue.labels,
    open: issue.state === 'open',
  };
}
