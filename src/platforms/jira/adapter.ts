/** Jira as a ticket platform: Cloud by an email and an API token, Data Center by a personal access token. */
import type { Ticket } from '../../domain/ticket.ts';
import type { Call, TicketPlatform } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { checkAccess } from './access.ts';
import { createJiraClient, type JiraClient } from './client.ts';
import { issueSchema, LISTED_FIELDS, ticketOf } from './issue.ts';
import { labelActor } from './label-actor.ts';
import { moveLifecycle } from './labels.ts';
import { listTickets } from './listing.ts';
import { postComment } from './thread.ts';

/** @throws PlatformError for a credential that cannot be used with the deployment. */
export function connectJira(options: ConnectOptions): TicketPlatform {
  const client = createJiraClient(options);
  return {
    slug: 'jira',
    capabilities: { labelActors: true, catchupState: 'all' },
    listTickets: (query, cursor, call) => listTickets(client, query, cursor, call),
    readTicket: (id, call) => readTicket(client, id, call),
    moveLifecycle: (ticket, to, call) => moveLifecycle(client, ticket, to, call),
    // Jira has no list of labels: one comes into being when it is first used.
    ensureLifecycleLabels: async () => {},
    comment: (id, comment, call) => postComment(client, id, comment, call),
    labelActor: (id, label, call) => labelActor(client, id, label, call),
    checkAccess: (call) => checkAccess(client, call),
  };
}

/** Jira finds a moved issue by its numeric id and by its former key: where it is now, its `scope` says. */
function readTicket(client: JiraClient, id: string, call: Call): Promise<Ticket> {
  return client.ask(`read ticket ${id}`, call, async (jira) => {
    const data = await jira.cloud.getIssue(jira.api, { ...jira.issue(id), fields: [...LISTED_FIELDS, 'description'] });
    return ticketOf(client, jira, jira.read(issueSchema, data));
  });
}
