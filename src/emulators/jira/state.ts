/**
 * What the emulated Jira remembers: projects, issues with labels, comments and a changelog. Plain data and the few acts
 * that change it; every act tells the ledger.
 *
 * As in Jira, labels differ by letter case, and labels that an issue was created with leave no trace in its changelog.
 */
import type { Actor, Ledger } from '../ledger.ts';
import { type RichText, textOf } from './rich-text.ts';

export interface User {
  /** On Cloud the account id, on Data Center the name. */
  readonly login: string;
  readonly displayName: string;
}

export type StatusCategory = 'new' | 'indeterminate' | 'done';

export interface Comment {
  readonly id: number;
  readonly body: RichText;
  readonly author: User;
  readonly createdAtMs: number;
}

export interface Change {
  readonly id: number;
  readonly field: 'labels' | 'status' | 'Key' | 'project';
  readonly from: string;
  readonly to: string;
  readonly author: User;
  readonly createdAtMs: number;
}

/** What Jira tells webhooks about. */
export type Happening =
  | { readonly kind: 'created' | 'deleted'; readonly issue: Issue; readonly by: User }
  | { readonly kind: 'updated'; readonly issue: Issue; readonly by: User; readonly changes: readonly Change[] }
  | { readonly kind: 'commented'; readonly issue: Issue; readonly by: User; readonly comment: Comment };

export interface Issue {
  /** Stays for life, unlike the key. */
  readonly id: number;
  project: Project;
  number: number;
  summary: string;
  readonly description: RichText | null;
  readonly labels: Set<string>;
  status: StatusCategory;
  readonly creator: User;
  readonly comments: Comment[];
  /** Oldest first. */
  readonly changes: Change[];
  readonly createdAtMs: number;
  updatedAtMs: number;
  deleted: boolean;
}

export interface Project {
  readonly id: number;
  key: string;
  /** Whether labels are on the screen for editing: without it nobody can change them through the API. */
  labelsOnEditScreen: boolean;
  lastNumber: number;
}

export interface NewIssue {
  readonly summary: string;
  readonly description?: RichText | null;
  readonly labels?: readonly string[];
}

export type State = ReturnType<typeof createState>;

export function createState(ledger: Ledger, nowMs: () => number) {
  /** By current and former keys. */
  const projects = new Map<string, Project>();
  const issues = new Map<number, Issue>();
  /** Current and former keys. */
  const byKey = new Map<string, Issue>();
  const users = new Map<string, User>();
  const listeners = new Set<(issue: Issue) => void>();
  const witnesses = new Set<(happening: Happening) => void>();
  let lastId = 10_000;

  const nextId = (): number => (lastId += 1);

  const user = (login: string): User => {
    const known = users.get(login) ?? { login, displayName: login.charAt(0).toUpperCase() + login.slice(1) };
    users.set(login, known);
    return known;
  };

  const touch = (issue: Issue): void => {
    issue.updatedAtMs = nowMs();
    for (const listener of listeners) listener(issue);
  };

  const tell = (happening: Happening): void => {
    for (const witness of witnesses) witness(happening);
  };

  const log = (issue: Issue, field: Change['field'], from: string, to: string, by: Actor): Change => {
    const change = { id: nextId(), field, from, to, author: user(by.login), createdAtMs: nowMs() };
    issue.changes.push(change);
    return change;
  };

  const changed = (issue: Issue, by: Actor, ...changes: Change[]): void => {
    touch(issue);
    tell({ kind: 'updated', issue, by: user(by.login), changes });
  };

  const recordLabels = (issue: Issue, added: readonly string[], removed: readonly string[], by: Actor): void =>
    ledger.recordLabels({ atMs: nowMs(), ticket: keyOf(issue), added, removed, labels: [...issue.labels], by });

  /** Gives the issue the next key of its project. */
  const number = (issue: Issue): void => {
    issue.number = issue.project.lastNumber += 1;
    byKey.set(keyOf(issue), issue);
  };

  return {
    user,
    issues: (): Issue[] => [...issues.values()].filter(({ deleted }) => !deleted),
    /** Deleted ones too: a listing may stand at one. */
    issueById: (id: number): Issue | undefined => issues.get(id),
    /** By a current or former key, or by the numeric id; undefined when it is not there (any more). */
    find(idOrKey: string): Issue | undefined {
      const issue = /^\d+$/.test(idOrKey) ? issues.get(Number(idOrKey)) : byKey.get(idOrKey.toUpperCase());
      return issue?.deleted === true ? undefined : issue;
    },
    project: (key: string): Project | undefined => projects.get(key.toUpperCase()),
    /** Called after every change of an issue. */
    onChange: (listener: (issue: Issue) => void): void => void listeners.add(listener),
    /** Called when all of it is done. */
    onHappening: (witness: (happening: Happening) => void): void => void witnesses.add(witness),

    addProject(key: string): Project {
      if (!/^[A-Z][A-Z0-9_]+$/.test(key)) throw new Error(`not a project key: ${key}`);
      if (projects.has(key)) throw new Error(`project ${key} exists already`);
      const project = { id: nextId(), key, labelsOnEditScreen: true, lastNumber: 0 };
      projects.set(key, project);
      return project;
    },

    /** Its issues get new keys; the former keys go on finding it and them. */
    renameProject(project: Project, key: string): void {
      if (projects.has(key)) throw new Error(`project ${key} exists already`);
      project.key = key;
      projects.set(key, project);
      for (const issue of issues.values()) {
        if (issue.project !== project) continue;
        byKey.set(keyOf(issue), issue);
        touch(issue);
      }
    },

    openIssue(project: Project, fields: NewIssue, by: Actor): Issue {
      const atMs = nowMs();
      const issue: Issue = {
        id: nextId(),
        project,
        number: 0,
        summary: fields.summary,
        description: fields.description ?? null,
        labels: new Set(fields.labels),
        status: 'new',
        creator: user(by.login),
        comments: [],
        changes: [],
        createdAtMs: atMs,
        updatedAtMs: atMs,
        deleted: false,
      };
      number(issue);
      issues.set(issue.id, issue);
      if (issue.labels.size > 0) recordLabels(issue, [...issue.labels], [], by);
      touch(issue);
      tell({ kind: 'created', issue, by: issue.creator });
      return issue;
    },

    /** Adds first, then removes; what changes nothing leaves no trace. */
    changeLabels(issue: Issue, add: readonly string[], remove: readonly string[], by: Actor): void {
      const before = [...issue.labels];
      const added = add.filter((label) => !issue.labels.has(label));
      for (const label of added) issue.labels.add(label);
      const removed = remove.filter((label) => issue.labels.delete(label));
      if (added.length + removed.length === 0) return;
      const change = log(issue, 'labels', before.join(' '), [...issue.labels].join(' '), by);
      recordLabels(issue, added, removed, by);
      changed(issue, by, change);
    },

    setStatus(issue: Issue, status: StatusCategory, by: Actor): void {
      if (issue.status === status) return;
      const change = log(issue, 'status', issue.status, status, by);
      issue.status = status;
      changed(issue, by, change);
    },

    comment(issue: Issue, body: RichText, by: Actor): Comment {
      const comment = { id: nextId(), body, author: user(by.login), createdAtMs: nowMs() };
      issue.comments.push(comment);
      ledger.recordComment({ atMs: comment.createdAtMs, ticket: keyOf(issue), body: textOf(body), by });
      touch(issue);
      tell({ kind: 'commented', issue, by: comment.author, comment });
      return comment;
    },

    /** Into another project, under a new key; the id stays, and the old key still finds it. */
    move(issue: Issue, target: Project, by: Actor): void {
      const from = keyOf(issue);
      const move = log(issue, 'project', issue.project.key, target.key, by);
      issue.project = target;
      number(issue);
      changed(issue, by, move, log(issue, 'Key', from, keyOf(issue), by));
    },

    remove(issue: Issue, by: Actor): void {
      issue.deleted = true;
      touch(issue);
      tell({ kind: 'deleted', issue, by: user(by.login) });
    },
  };
}

/** How people and the ledger call an issue, for example `ABC-7`. */
export function keyOf(issue: Issue): string {
  return `${issue.project.key}-${issue.number}`;
}
