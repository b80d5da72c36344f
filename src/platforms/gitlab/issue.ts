/** What we read of GitLab's answers about issues, and nothing else. Tasks and incidents are issues like any other. */
import { z } from 'zod';
import { type Ticket, type TicketSource, ticketKey } from '../../domain/ticket.ts';

export const issueSchema = z.object({
  iid: z.int().positive(),
  title: z.string(),
  description: z.string().nullish(),
  web_url: z.string(),
  /** `opened` or `closed`; an issue that was moved to another project is closed in this one. */
  state: z.string(),
  labels: z.array(z.string()),
});

export type Issue = z.infer<typeof issueSchema>;

/** The issue as a ticket of the configured source; its key never follows what an answer says about the project. */
export function toTicket(source: TicketSource, issue: Issue): Ticket {
  const id = String(issue.iid);
  return {
    key: ticketKey(source, id),
    id,
    display: `${source.container}#${id}`,
    url: issue.web_url,
    title: issue.title,
    body: issue.description ?? '',
    labels: issue.labels,
    open: issue.state === 'opened',
  };
}
