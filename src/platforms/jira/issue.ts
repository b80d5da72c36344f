/** What we read of an issue, and nothing else. */
import { z } from 'zod';
import { type Ticket, ticketKey } from '../../domain/ticket.ts';
import { inConfiguredScope } from '../configured-scope.ts';
import { adfNode, adfToMarkdown } from './adf.ts';
import type { JiraClient, JiraSession } from './client.ts';

/** Those that a listing shows. */
export const LISTED_FIELDS = ['summary', 'labels', 'status', 'project'];

export const issueSchema = z.object({
  id: z.string().regex(/^\d+$/),
  key: z.string(),
  fields: z.object({
    summary: z.string().nullish(),
    labels: z.array(z.string()).default([]),
    status: z.object({ statusCategory: z.object({ key: z.string() }) }),
    project: z.object({ key: z.string(), id: z.string().optional() }),
    /** A time with an offset; only where it was asked for. */
    updated: z.string().nullish(),
    /** A document on Cloud, wiki markup on Data Center. */
    description: z.union([z.string(), adfNode]).nullish(),
  }),
});

export type Issue = z.infer<typeof issueSchema>;

const projectSchema = z.object({ key: z.string() });

/** The issue as a ticket of the configured project, whose key may have changed since: Jira finds it by the former one. */
export function ticketOf(client: JiraClient, jira: JiraSession, issue: Issue): Promise<Ticket> {
  return inConfiguredScope(client, toTicket(client, issue), async () => {
    const project = await jira.cloud.getProject(jira.api, { projectIdOrKey: client.source.scope ?? '' });
    return jira.read(projectSchema, project).key;
  });
}

/**
 * The issue as a ticket. Its id is the numeric one: the key changes when the issue is moved to another project. It is
 * open unless its status is of the category done, whatever the workflow calls it.
 */
function toTicket({ source, siteUrl }: JiraClient, { id, key, fields }: Issue): Ticket {
  const { summary, labels, status, project, description } = fields;
  return {
    key: ticketKey(source, id),
    id,
    display: key,
    url: `${siteUrl}/browse/${key}`,
    title: summary ?? '',
    body: typeof description === 'object' && description !== null ? adfToMarkdown(description) : (description ?? ''),
    labels,
    open: status.statusCategory.key !== 'done',
    scope: project.key,
  };
}
