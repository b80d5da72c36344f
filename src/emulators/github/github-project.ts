/** A repository of the GitHub emulator as a project like any other. */
import type { EmulatedProject, TicketView } from '../emulated-project.ts';
import type { GitHubEmulator } from './github-emulator.ts';
import type { IssueView } from './people.ts';

/** @param token the secret of a token that the emulator knows. */
export function githubProject(github: GitHubEmulator, fullName: string, token: string): EmulatedProject {
  return {
    platform: 'github',
    get tickets() {
      return { type: 'GitHub', url: github.pageUrl(fullName), api_url: github.url };
    },
    environment: { GITHUB_TOKEN: token },
    ledger: github.ledger,
    faults: github.faults,
    webhooks: github.webhooks,
    addWebhook: (hook) => github.addWebhook(fullName, hook),
    openTicket: ({ labels, ...ticket } = {}) =>
      view(github.openIssue(fullName, { ...ticket, ...(labels && { labels: [...labels] }) })),
    addLabel: github.addLabel,
    removeLabel: github.removeLabel,
    comment: github.comment,
    closeTicket: github.closeIssue,
    reopenTicket: github.reopenIssue,
    deleteTicket: github.deleteIssue,
    ticket: (ticket) => view(github.issue(ticket)),
    all: () =>
      github
        .issues(fullName)
        .filter(({ isPullRequest }) => !isPullRequest)
        .map(view),
  };
}

function view({ number, ticket, url, title, body, labels, open, comments }: IssueView): TicketView {
  return { id: String(number), ticket, url, title, body, labels, open, comments };
}
