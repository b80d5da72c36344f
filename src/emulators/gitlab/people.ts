/**
 * The emulator's side door: what people do in the browser. Nothing here counts as a request; label changes and comments
 * reach the ledger under the person's name. Tickets are addressed as in the ledger, `group/project#7`.
 */
import type { TicketView } from '../emulated-project.ts';
import type { Actor } from '../ledger.ts';
import type { HookSettings } from '../webhook-sender.ts';
import { type Addresses, issuePage } from './shapes.ts';
import { type Issue, type Label, type NewIssue, type Project, type State, ticketOf } from './state.ts';
import type { Webhooks } from './webhooks.ts';

export interface People {
  /** `group/project`, groups may be nested; throws when it exists. */
  addProject(path: string): void;
  /** Renames, or moves to another group. Reads by the old path are redirected from now on. */
  renameProject(path: string, to: string): void;
  /** The number by which the API knows it, too. */
  projectId(path: string): number;
  projectLabels(path: string): readonly Label[];
  createLabel(path: string, name: string): void;
  /** Registers one for issues, comments and merge requests of a project. A secret `whsec_...` is a signing token. Its id. */
  addWebhook(path: string, hook: HookSettings): string;

  /** `title` defaults to a plain one, `by` to `root`, as everywhere here. */
  openIssue(path: string, issue?: Partial<NewIssue> & { readonly by?: string }): TicketView;
  addLabel(ticket: string, label: string, by?: string): void;
  removeLabel(ticket: string, label: string, by?: string): void;
  comment(ticket: string, body: string, by?: string): void;
  closeIssue(ticket: string, by?: string): void;
  reopenIssue(ticket: string, by?: string): void;
  deleteIssue(ticket: string): void;
  /** Closes it here and opens it in another project, which is returned. */
  moveIssue(ticket: string, toPath: string, by?: string): TicketView;

  /** Throws for an issue that is not there (any more). */
  issue(ticket: string): TicketView;
  /** All that are there, oldest first. */
  issues(path: string): TicketView[];
}

const SOMEBODY = 'root';

export function createPeople(state: State, webhooks: Webhooks, at: () => Addresses): People {
  const projectOf = (path: string): Project => {
    const project = state.findByPath(path);
    if (project === undefined) throw new Error(`no project ${path}`);
    return project;
  };
  const issueOf = (ticket: string): Issue => {
    const [path = '', iid = ''] = ticket.split('#');
    const issue = projectOf(path).issues[Number(iid) - 1];
    if (issue === undefined || issue.deleted) throw new Error(`no issue ${ticket}`);
    return issue;
  };
  const view = (issue: Issue): TicketView => ({
    ticket: ticketOf(issue),
    id: String(issue.iid),
    url: issuePage(at(), issue),
    title: issue.title,
    body: issue.description ?? '',
    labels: [...issue.labels.keys()],
    open: issue.closed === undefined,
    comments: issue.notes.filter(({ system }) => !system).map(({ author, body }) => ({ login: author.username, body })),
  });

  return {
    addProject: (path) => void state.addProject(path),
    renameProject: (path, to) => state.rename(projectOf(path), to),
    projectId: (path) => projectOf(path).id,
    projectLabels: (path) => [...projectOf(path).labels.values()],
    createLabel: (path, name) => void state.createLabel(projectOf(path), name),
    addWebhook: (path, hook) => String(webhooks.add(projectOf(path), hook).id),

    openIssue(path, { by, title = 'A ticket', ...fields } = {}) {
      return view(state.openIssue(projectOf(path), { title, ...fields }, person(by)));
    },
    addLabel: (ticket, label, by) => state.changeLabels(issueOf(ticket), [label], [], person(by)),
    removeLabel: (ticket, label, by) => state.changeLabels(issueOf(ticket), [], [label], person(by)),
    comment: (ticket, body, by) => void state.comment(issueOf(ticket), body, person(by)),
    closeIssue: (ticket, by) => state.close(issueOf(ticket), person(by)),
    reopenIssue: (ticket, by) => state.reopen(issueOf(ticket), person(by)),
    deleteIssue: (ticket) => void (issueOf(ticket).deleted = true),
    moveIssue: (ticket, toPath, by) => view(state.move(issueOf(ticket), projectOf(toPath), person(by))),

    issue: (ticket) => view(issueOf(ticket)),
    issues: (path) =>
      projectOf(path)
        .issues.filter(({ deleted }) => !deleted)
        .map(view),
  };
}

function person(login = SOMEBODY): Actor {
  return { kind: 'person', login };
}
