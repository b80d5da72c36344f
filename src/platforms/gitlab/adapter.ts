/** GitLab as a ticket platform: gitlab.com and own servers, by a personal, project or group access token. */
import type { Ticket } from '../../domain/ticket.ts';
import type { Call, TicketPlatform } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { checkAccess } from './access.ts';
import { createGitLabClient, type GitLabClient } from './client.ts';
import { issueSchema, toTicket } from './issue.ts';
import { ensureLifecycleLabels, moveLifecycle } from './labels.ts';
import { listTickets } from './listing.ts';
import { labelActor, postComment } from './thread.ts';

/** @throws PlatformError `unsupported` for a credential other than a token. */
export function connectGitLab(options: Omit<ConnectOptions, 'tickets'>): TicketPlatform {
  const client = createGitLabClient(options);
  return {
    slug: 'gitlab',
    capabilities: { labelActors: true, catchupState: 'open' },
    listTickets: (query, cursor, call) => listTickets(client, query, cursor, call),
    readTicket: (id, call) => readTicket(client, id, call),
    moveLifecycle: (ticket, to, call) => moveLifecycle(client, ticket, to, call),
    ensureLifecycleLabels: (call) => ensureLifecycleLabels(client, call),
    comment: (id, comment, call) => postComment(client, id, comment, call),
    labelActor: (id, label, call) => labelActor(client, id, label, call),
    checkAccess: (call) => checkAccess(client, call),
  };
}

/**
 * A redirect leads to the same project under its new name, never to another issue: one that was moved to another project
 * stays here, closed.
 */
function readTicket(client: GitLabClient, id: string, call: Call): Promise<Ticket> {
  return client.run(`read ticket #${id}`, call, async (gitlab) => {
    const data = await gitlab.api.issues.show(gitlab.iid(id), { projectId: gitlab.project });
    const issue = gitlab.read(issueSchema, data);
    if (String(issue.iid) !== id) throw gitlab.error('invalid-response', 'answered with another issue');
    return toTicket(client.source, issue);
  });
}
