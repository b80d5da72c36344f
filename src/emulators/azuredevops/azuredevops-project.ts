/** A project of the Azure DevOps emulator as a project like any other. */
import type { EmulatedProject, TicketView } from '../emulated-project.ts';
import type { AzureDevOpsEmulator } from './azuredevops-emulator.ts';
import type { WorkItemView } from './people.ts';

/** @param token the secret of a token that the emulator knows. */
export function azureDevOpsProject(
  emulator: AzureDevOpsEmulator,
  { organization, project }: { readonly organization: string; readonly project: string },
  token: string,
): EmulatedProject {
  return {
    platform: 'azuredevops',
    get tickets() {
      const api_url = emulator.collectionUrl(organization);
      return { type: 'AzureDevOps', url: `${api_url}/${encodeURIComponent(project)}`, api_url };
    },
    environment: { AZURE_DEVOPS_TOKEN: token },
    ledger: emulator.ledger,
    faults: emulator.faults,
    webhooks: emulator.webhooks,
    addWebhook: (hook) => emulator.addWebhook(organization, project, hook),
    openTicket: (ticket) => view(emulator.openWorkItem(organization, project, ticket)),
    addLabel: emulator.addTag,
    removeLabel: emulator.removeTag,
    comment: emulator.comment,
    closeTicket: (ticket, by) => emulator.setState(ticket, 'Closed', by),
    reopenTicket: (ticket, by) => emulator.setState(ticket, 'Active', by),
    deleteTicket: emulator.deleteWorkItem,
    ticket: (ticket) => view(emulator.workItem(ticket)),
    all: () => emulator.workItems(organization, project).map(view),
  };
}

function view({ ticket, id, url, title, body, labels, state, comments }: WorkItemView): TicketView {
  return { ticket, id: String(id), url, title, body, labels, open: state === 'New' || state === 'Active', comments };
}
