/** A project of the Jira emulator as a project like any other. */
import type { EmulatedProject, TicketView } from '../emulated-project.ts';
import type { JiraEmulator } from './jira-emulator.ts';
import type { IssueView } from './people.ts';

/** What the account that watches the project signs in with; Data Center takes the token alone. */
export interface JiraCredential {
  readonly email?: string;
  readonly token: string;
}

/** @param credential of an account that the emulator knows. */
export function jiraProject(jira: JiraEmulator, projectKey: string, credential: JiraCredential): EmulatedProject {
  return {
    platform: 'jira',
    get tickets() {
      const { deployment, siteUrl, url } = jira;
      return {
        type: 'Jira',
        url: siteUrl,
        project: projectKey,
        deployment,
        ...(url === siteUrl ? {} : { api_url: url }),
      };
    },
    environment: {
      JIRA_TOKEN: credential.token,
      ...(credential.email === undefined ? {} : { JIRA_EMAIL: credential.email }),
    },
    ledger: jira.ledger,
    faults: jira.faults,
    webhooks: jira.webhooks,
    addWebhook: (hook) => jira.addWebhook({ ...hook, jql: `project = "${projectKey}"` }),
    openTicket: ({ title, body, labels, by } = {}) =>
      view(
        jira.openIssue(projectKey, {
          ...(title === undefined ? {} : { summary: title }),
          ...(body === undefined ? {} : { description: body }),
          ...(labels === undefined ? {} : { labels }),
          ...(by === undefined ? {} : { by }),
        }),
      ),
    addLabel: jira.addLabel,
    removeLabel: jira.removeLabel,
    comment: jira.comment,
    closeTicket: (ticket, by) => jira.setStatus(ticket, 'done', by),
    reopenTicket: (ticket, by) => jira.setStatus(ticket, 'new', by),
    deleteTicket: (ticket) => jira.deleteIssue(ticket),
    ticket: (ticket) => view(jira.issue(ticket)),
    all: () => jira.issues(projectKey).map(view),
  };
}

function view({ key, id, url, summary, description, labels, status, comments }: IssueView): TicketView {
  return { ticket: key, id, url, title: summary, body: description, labels, open: status !== 'done', comments };
}
