/** Azure DevOps as a ticket platform: dev.azure.com and collections of a server, by a token or an application of Entra. */
import type { TicketPlatform } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { checkAccess } from './access.ts';
import { createAzureDevOpsClient } from './client.ts';
import { moveLifecycle, readWorkItem } from './labels.ts';
import { listTickets } from './listing.ts';
import { inProject } from './project.ts';
import { labelActor, postComment } from './thread.ts';
import { openStatesSchema } from './tickets-schema.ts';
import { toTicket } from './work-item.ts';

/** @throws PlatformError `unsupported` for a credential that Azure DevOps does not take. */
export function connectAzureDevOps(options: ConnectOptions): TicketPlatform {
  const client = createAzureDevOpsClient(options);
  const openStates = openStatesSchema.parse(options.tickets.open_states);
  return {
    slug: 'azuredevops',
    capabilities: { labelActors: true, catchupState: 'open' },
    listTickets: (query, cursor, call) => listTickets(client, openStates, query, cursor, call),
    readTicket: (id, call) =>
      client.ask(`read work item ${id}`, call, async (azure) => {
        const item = await readWorkItem(azure, id);
        const ticket = await inProject(client, azure, toTicket(client, item, openStates));
        client.readFrom.set(ticket, item);
        return ticket;
      }),
    moveLifecycle: (ticket, to, call) => moveLifecycle(client, ticket, to, call),
    // A tag comes into being when it is first used, and has no colour.
    ensureLifecycleLabels: () => Promise.resolve(),
    comment: (id, comment, call) => postComment(client, id, comment, call),
    labelActor: (id, label, call) => labelActor(client, id, label, call),
    checkAccess: (call) => checkAccess(client, call),
  };
}
