/** GitHub as a ticket platform: github.com, GitHub Enterprise Cloud and Server, by a token or as a GitHub App. */
import type { Ticket } from '../../domain/ticket.ts';
import type { Call, TicketPlatform } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { checkAccess } from './access.ts';
import { createGitHubClient, type GitHubClient, type GitHubSession } from './client.ts';
import { type Issue, isPullRequest, issueSchema, repositorySchema, toTicket } from './issue.ts';
import { ensureLifecycleLabels, moveLifecycle } from './labels.ts';
import { listTickets } from './listing.ts';
import { labelActor, postComment } from './thread.ts';

/** @throws PlatformError for a credential that GitHub does not know, or an App's that cannot be one. */
export function connectGitHub(options: Omit<ConnectOptions, 'tickets'>): TicketPlatform {
  const client = createGitHubClient(options);
  return {
    slug: 'github',
    capabilities: { labelActors: true, catchupState: 'all' },
    listTickets: (query, cursor, call) => listTickets(client, query, cursor, call),
    readTicket: (id, call) => readTicket(client, id, call),
    moveLifecycle: (ticket, to, call) => moveLifecycle(client, ticket, to, call),
    ensureLifecycleLabels: (call) => ensureLifecycleLabels(client, call),
    comment: (id, comment, call) => postComment(client, id, comment, call),
    labelActor: (id, label, call) => labelActor(client, id, label, call),
    checkAccess: (call) => checkAccess(client, call),
  };
}

function readTicket(client: GitHubClient, id: string, call: Call): Promise<Ticket> {
  return client.run(`read ticket #${id}`, call, async (github) => {
    const { data } = await github.octokit.rest.issues.get(github.issue(id));
    const issue = github.read(issueSchema, data);
    if (isPullRequest(issue)) throw github.error('not-found', 'it is a pull request');
    if (String(issue.number) !== id || !(await isOfRepository(github, issue))) {
      throw github.error('not-found', 'the issue was transferred to another repository');
    }
    return toTicket(client.source, issue);
  });
}

/**
 * GitHub redirects for two reasons: the repository was renamed, and the issue is still the one that was asked for; or
 * the issue was transferred, and the answer is a ticket of another source. Only asking for the repository itself, which
 * redirects after a rename too, tells them apart.
 */
async function isOfRepository(github: GitHubSession, issue: Issue): Promise<boolean> {
  const answered = nameIn(issue.repository_url);
  const { owner, repo } = github.repository;
  if (answered === `${owner}/${repo}`.toLowerCase()) return true;
  const { data } = await github.octokit.rest.repos.get(github.repository);
  return github.read(repositorySchema, data).full_name.toLowerCase() === answered;
}

/** `owner/repository` at the end of a URL of the API. */
const nameIn = (url: string): string => url.split('/').slice(-2).join('/').toLowerCase();
