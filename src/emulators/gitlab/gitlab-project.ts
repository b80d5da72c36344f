/** A project of the GitLab emulator as a project like any other. */
import type { EmulatedProject } from '../emulated-project.ts';
import type { GitLabEmulator } from './gitlab-emulator.ts';

/** @param token the secret of a token that the emulator knows. */
export function gitlabProject(gitlab: GitLabEmulator, fullPath: string, token: string): EmulatedProject {
  return {
    platform: 'gitlab',
    get tickets() {
      return { type: 'GitLab', url: gitlab.pageUrl(fullPath), api_url: gitlab.url };
    },
    environment: { GITLAB_TOKEN: token },
    ledger: gitlab.ledger,
    faults: gitlab.faults,
    webhooks: gitlab.webhooks,
    addWebhook: (hook) => gitlab.addWebhook(fullPath, hook),
    openTicket: ({ body, ...ticket } = {}) =>
      gitlab.openIssue(fullPath, { ...ticket, ...(body !== undefined && { description: body }) }),
    addLabel: gitlab.addLabel,
    removeLabel: gitlab.removeLabel,
    comment: gitlab.comment,
    closeTicket: gitlab.closeIssue,
    reopenTicket: gitlab.reopenIssue,
    deleteTicket: gitlab.deleteIssue,
    ticket: gitlab.issue,
    all: () => gitlab.issues(fullPath),
  };
}
