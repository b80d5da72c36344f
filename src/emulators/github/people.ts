/**
 * The emulator's side door: what people do in the browser. Nothing here counts as a request; label changes and comments
 * reach the ledger under the person's name. Tickets are addressed as in the ledger, `org/repo#7`.
 */

import type { Actor } from '../ledger.ts';
import { type Addresses, issuePage } from './shapes.ts';
import {
  type Branches,
  type Issue,
  type Label,
  labelNames,
  type NewIssue,
  type Repository,
  type RepositorySettings,
  type State,
  ticketOf,
} from './state.ts';
import type { GitHubHookSettings, Webhooks } from './webhooks.ts';

/** An issue as a test or the demo looks at it. A snapshot, not a live object. */
export interface IssueView {
  /** For example `org/repo#7`. */
  readonly ticket: string;
  readonly number: number;
  /** Its page for people. */
  readonly url: string;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly open: boolean;
  readonly isPullRequest: boolean;
  /** Of a pull request. */
  readonly branches?: Branches | undefined;
  readonly comments: readonly { readonly login: string; readonly body: string }[];
}

export interface People {
  /** `owner/name`; throws when it exists. */
  addRepository(fullName: string): void;
  /** Renames, or moves to another owner. The old name redirects from now on. */
  renameRepository(fullName: string, to: string): void;
  configureRepository(fullName: string, settings: RepositorySettings): void;
  repositoryLabels(fullName: string): readonly Label[];
  /** Registers a webhook, which is pinged; its id. */
  addWebhook(fullName: string, settings: GitHubHookSettings): string;
  /** Ticks or unticks Active. */
  switchWebhook(fullName: string, id: string, active: boolean): void;

  /** `title` defaults to a plain one, `by` to `octocat`, as everywhere here. */
  openIssue(fullName: string, issue?: Partial<NewIssue> & { readonly by?: string }): IssueView;
  editIssue(ticket: string, fields: { readonly title?: string; readonly body?: string }, by?: string): void;
  addLabel(ticket: string, label: string, by?: string): void;
  removeLabel(ticket: string, label: string, by?: string): void;
  /** Makes these the only labels. */
  setLabels(ticket: string, labels: readonly string[], by?: string): void;
  comment(ticket: string, body: string, by?: string): void;
  closeIssue(ticket: string, by?: string): void;
  reopenIssue(ticket: string, by?: string): void;
  /** Leaves a 410. */
  deleteIssue(ticket: string, by?: string): void;
  /** Leaves a redirect to the new issue, which is returned. */
  transferIssue(ticket: string, toFullName: string, by?: string): IssueView;

  /** Throws for an issue that is not there (any more). */
  issue(ticket: string): IssueView;
  /** All that are there, oldest first, pull requests included. */
  issues(fullName: string): IssueView[];
}

const SOMEBODY = 'octocat';

export function createPeople(state: State, webhooks: Webhooks, at: () => Addresses): People {
  const repositoryOf = (fullName: string): Repository => {
    const repository = state.findByName(fullName);
    if (repository === undefined) throw new Error(`no repository ${fullName}`);
    return repository;
  };
  const issueOf = (ticket: string): Issue => {
    const [fullName = '', number = ''] = ticket.split('#');
    const issue = repositoryOf(fullName).issues[Number(number) - 1];
    if (issue === undefined || issue.gone !== undefined) throw new Error(`no issue ${ticket}`);
    return issue;
  };
  const view = (issue: Issue): IssueView => ({
    ticket: ticketOf(issue),
    number: issue.number,
    url: issuePage(at(), issue),
    title: issue.title,
    body: issue.body ?? '',
    labels: labelNames(issue),
    open: issue.closed === undefined,
    isPullRequest: issue.isPullRequest,
    ...(issue.branches === undefined ? {} : { branches: issue.branches }),
    comments: issue.comments.map((comment) => ({ login: comment.user.login, body: comment.body })),
  });

  return {
    addRepository: (fullName) => void state.addRepository(fullName),
    renameRepository: (fullName, to) => state.rename(repositoryOf(fullName), to),
    configureRepository: (fullName, settings) => state.configure(repositoryOf(fullName), settings),
    repositoryLabels: (fullName) => [...repositoryOf(fullName).labels.values()],
    addWebhook: (fullName, settings) =>
      String(webhooks.add({ kind: 'repository', repository: repositoryOf(fullName) }, settings).id),
    switchWebhook(fullName, id, active) {
      const hook = webhooks.of(repositoryOf(fullName)).find((one) => String(one.id) === id);
      if (hook === undefined) throw new Error(`no webhook ${id} of ${fullName}`);
      hook.active = active;
    },

    openIssue(fullName, { by, title = 'A ticket', ...fields } = {}) {
      return view(state.openIssue(repositoryOf(fullName), { title, ...fields }, person(by)));
    },
    editIssue: (ticket, fields, by) => state.edit(issueOf(ticket), fields, person(by)),
    addLabel: (ticket, label, by) => state.changeLabels(issueOf(ticket), [label], [], person(by)),
    removeLabel: (ticket, label, by) => state.changeLabels(issueOf(ticket), [], [label], person(by)),
    setLabels: (ticket, labels, by) => state.setLabels(issueOf(ticket), labels, person(by)),
    comment: (ticket, body, by) => void state.comment(issueOf(ticket), body, person(by)),
    closeIssue: (ticket, by) => state.close(issueOf(ticket), person(by)),
    reopenIssue: (ticket, by) => state.reopen(issueOf(ticket), person(by)),
    deleteIssue: (ticket, by) => state.deleteIssue(issueOf(ticket), person(by)),
    transferIssue: (ticket, to, by) => view(state.transfer(issueOf(ticket), repositoryOf(to), person(by))),

    issue: (ticket) => view(issueOf(ticket)),
    issues: (fullName) =>
      repositoryOf(fullName)
        .issues.filter((issue) => issue.gone === undefined)
        .map(view),
  };
}

function person(login = SOMEBODY): Actor {
  return { kind: 'person', login };
}
