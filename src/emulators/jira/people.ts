/**
 * The emulator's side door: what people do in the browser. Nothing here counts as a request; label changes and comments
 * reach the ledger under the person's name. Issues are addressed by their key, a former one too, or by their id.
 */
import type { Actor } from '../ledger.ts';
import type { Deployment } from './accounts.ts';
import { documentOf, type RichText, textOf } from './rich-text.ts';
import { type Addresses, issuePage } from './shapes.ts';
import { type Issue, keyOf, type Project, type State, type StatusCategory } from './state.ts';

/** An issue as a test or the demo looks at it. A snapshot, not a live object. */
export interface IssueView {
  /** For example `ABC-7`. */
  readonly key: string;
  readonly id: string;
  /** Its page for people. */
  readonly url: string;
  readonly summary: string;
  readonly description: string;
  readonly labels: readonly string[];
  readonly status: StatusCategory;
  readonly comments: readonly { readonly login: string; readonly body: string }[];
}

export interface NewIssueByPerson {
  readonly summary?: string;
  /** Plain text, or as this deployment keeps it. */
  readonly description?: RichText;
  readonly labels?: readonly string[];
  /** Default `sam`, as everywhere here. */
  readonly by?: string;
}

export interface People {
  /** A key such as `ABC`; throws when it exists. */
  addProject(key: string): void;
  /** Gives the project another key; the former one goes on working. */
  renameProject(projectKey: string, key: string): void;
  /** Takes labels off the screen for editing, or puts them there. */
  setLabelsOnEditScreen(projectKey: string, on: boolean): void;
  openIssue(projectKey: string, issue?: NewIssueByPerson): IssueView;
  addLabel(issue: string, label: string, by?: string): void;
  removeLabel(issue: string, label: string, by?: string): void;
  comment(issue: string, body: string, by?: string): void;
  setStatus(issue: string, status: StatusCategory, by?: string): void;
  /** Into another project, under a new key. */
  moveIssue(issue: string, projectKey: string, by?: string): IssueView;
  deleteIssue(issue: string, by?: string): void;
  /** Throws for an issue that is not there (any more). */
  issue(issue: string): IssueView;
  /** All that are there, oldest first. */
  issues(projectKey: string): IssueView[];
}

export function createPeople(state: State, deployment: Deployment, at: () => Addresses): People {
  const projectOf = (key: string): Project => {
    const project = state.project(key);
    if (project === undefined) throw new Error(`no project ${key}`);
    return project;
  };
  const issueOf = (idOrKey: string): Issue => {
    const issue = state.find(idOrKey);
    if (issue === undefined) throw new Error(`no issue ${idOrKey}`);
    return issue;
  };
  const written = (text: RichText): RichText =>
    deployment === 'cloud' && typeof text === 'string' ? documentOf(text) : text;
  const view = (issue: Issue): IssueView => ({
    key: keyOf(issue),
    id: String(issue.id),
    url: issuePage(at(), issue),
    summary: issue.summary,
    description: issue.description === null ? '' : textOf(issue.description),
    labels: [...issue.labels],
    status: issue.status,
    comments: issue.comments.map(({ author, body }) => ({ login: author.login, body: textOf(body) })),
  });

  return {
    addProject: (key) => void state.addProject(key),
    renameProject: (projectKey, key) => state.renameProject(projectOf(projectKey), key),
    setLabelsOnEditScreen(projectKey, on) {
      projectOf(projectKey).labelsOnEditScreen = on;
    },
    openIssue(projectKey, { by, summary = 'A ticket', description, labels = [] } = {}) {
      const fields = { summary, labels, ...(description === undefined ? {} : { description: written(description) }) };
      return view(state.openIssue(projectOf(projectKey), fields, person(by)));
    },
    addLabel: (issue, label, by) => state.changeLabels(issueOf(issue), [label], [], person(by)),
    removeLabel: (issue, label, by) => state.changeLabels(issueOf(issue), [], [label], person(by)),
    comment: (issue, body, by) => void state.comment(issueOf(issue), written(body), person(by)),
    setStatus: (issue, status, by) => state.setStatus(issueOf(issue), status, person(by)),
    moveIssue(issue, projectKey, by) {
      state.move(issueOf(issue), projectOf(projectKey), person(by));
      return view(issueOf(issue));
    },
    deleteIssue: (issue, by) => state.remove(issueOf(issue), person(by)),
    issue: (issue) => view(issueOf(issue)),
    issues: (projectKey) =>
      state
        .issues()
        .filter(({ project }) => project === projectOf(projectKey))
        .map(view),
  };
}

function person(login = 'sam'): Actor {
  return { kind: 'person', login };
}
