/**
 * What the emulated GitLab remembers: projects, their labels, issues with labels, notes and label events. Plain data and
 * the few acts that change it; every act on a ticket tells the ledger and the webhooks. Unlike GitHub's, names of labels
 * are compared letter by letter: `Bug` and `bug` are two labels.
 */
import type { Actor, Ledger } from '../ledger.ts';
import { type Happening, type IssueHappening, snapshotOf } from './happenings.ts';

export interface User {
  readonly id: number;
  readonly username: string;
}

export interface Label {
  readonly id: number;
  readonly name: string;
  /** `#rrggbb`. */
  readonly color: string;
  readonly description: string | null;
}

export interface Note {
  readonly id: number;
  readonly body: string;
  readonly author: User;
  readonly createdAtMs: number;
  /** Written by GitLab itself: closed, reopened, moved. */
  readonly system: boolean;
}

export interface LabelEvent {
  readonly id: number;
  readonly action: 'add' | 'remove';
  readonly label: Label;
  readonly user: User;
  readonly createdAtMs: number;
}

export const ISSUE_TYPES = ['issue', 'incident', 'test_case', 'task'] as const;

export type IssueType = (typeof ISSUE_TYPES)[number];

export interface Issue {
  readonly id: number;
  readonly iid: number;
  readonly project: Project;
  title: string;
  description: string | null;
  readonly author: User;
  readonly type: IssueType;
  /** By name, in the order in which they were set. */
  readonly labels: Map<string, Label>;
  readonly notes: Note[];
  readonly labelEvents: LabelEvent[];
  readonly createdAtMs: number;
  updatedAtMs: number;
  closed: { readonly atMs: number; readonly by: User } | undefined;
  /** The issue that it became in another project; this one is closed. */
  movedTo: Issue | undefined;
  deleted: boolean;
}

export interface Project {
  readonly id: number;
  /** `group/subgroup/project`. */
  path: string;
  readonly createdAtMs: number;
  /** By name. */
  readonly labels: Map<string, Label>;
  /** Issue n is at n - 1; deleted ones stay. */
  readonly issues: Issue[];
}

export interface NewIssue {
  readonly title: string;
  readonly description?: string | null;
  readonly labels?: readonly string[];
  readonly type?: IssueType;
}

/** Colour of a label that came into being by being used. */
const DEFAULT_COLOR = '#6699cc';

export type State = ReturnType<typeof createState>;

/** @param tell told of everything that happens to a ticket, afterwards. */
export function createState(ledger: Ledger, nowMs: () => number, tell: (happening: Happening) => void) {
  const projects = new Map<number, Project>();
  /** Current and former paths, lower-cased; a former path gives way to a new project. */
  const byPath = new Map<string, Project>();
  const users = new Map<string, User>();
  let lastId = 1000;

  const nextId = (): number => (lastId += 1);

  const user = (username: string): User => {
    const known = users.get(username.toLowerCase()) ?? { id: nextId(), username };
    users.set(username.toLowerCase(), known);
    return known;
  };

  const addNote = (issue: Issue, body: string, by: Actor, system: boolean): Note => {
    const note = { id: nextId(), body, author: user(by.login), createdAtMs: nowMs(), system };
    issue.notes.push(note);
    issue.updatedAtMs = note.createdAtMs;
    return note;
  };

  const createLabel = (
    project: Project,
    name: string,
    color = DEFAULT_COLOR,
    description: string | null = null,
  ): Label => {
    const label = { id: nextId(), name, color, description };
    project.labels.set(name, label);
    return label;
  };

  /** Does something to an issue that is there, and tells of it. Undefined when it changes nothing. */
  const act = (issue: Issue, by: Actor, change: () => Exclude<IssueHappening['action'], 'open'> | undefined): void => {
    const before = snapshotOf(issue);
    const action = change();
    if (action !== undefined) tell({ kind: 'issue', action, issue, by: user(by.login), before });
  };

  /** Adds and removes in one act; what changes nothing leaves no trace. Unknown labels come into being. */
  const putLabels = (issue: Issue, add: readonly string[], remove: readonly string[], by: Actor): boolean => {
    const added: string[] = [];
    const removed: string[] = [];
    const note = (action: LabelEvent['action'], label: Label): void => {
      issue.labelEvents.push({ id: nextId(), action, label, user: user(by.login), createdAtMs: nowMs() });
      (action === 'add' ? added : removed).push(label.name);
    };
    for (const name of add) {
      if (issue.labels.has(name)) continue;
      const label = issue.project.labels.get(name) ?? createLabel(issue.project, name);
      issue.labels.set(name, label);
      note('add', label);
    }
    for (const name of remove) {
      const label = issue.labels.get(name);
      if (label === undefined) continue;
      issue.labels.delete(name);
      note('remove', label);
    }
    if (added.length + removed.length === 0) return false;
    issue.updatedAtMs = nowMs();
    ledger.recordLabels({
      atMs: nowMs(),
      ticket: ticketOf(issue),
      added,
      removed,
      labels: [...issue.labels.keys()],
      by,
    });
    return true;
  };

  const changeLabels = (issue: Issue, add: readonly string[], remove: readonly string[], by: Actor): void =>
    act(issue, by, () => (putLabels(issue, add, remove, by) ? 'update' : undefined));

  const openIssue = (project: Project, fields: NewIssue, by: Actor): Issue => {
    const atMs = nowMs();
    const issue: Issue = {
      id: nextId(),
      iid: project.issues.length + 1,
      project,
      title: fields.title,
      description: fields.description ?? null,
      author: user(by.login),
      type: fields.type ?? 'issue',
      labels: new Map(),
      notes: [],
      labelEvents: [],
      createdAtMs: atMs,
      updatedAtMs: atMs,
      closed: undefined,
      movedTo: undefined,
      deleted: false,
    };
    project.issues.push(issue);
    putLabels(issue, fields.labels ?? [], [], by);
    tell({ kind: 'issue', action: 'open', issue, by: issue.author, before: undefined });
    return issue;
  };

  const close = (issue: Issue, by: Actor): void =>
    act(issue, by, () => {
      if (issue.closed !== undefined) return undefined;
      issue.closed = { atMs: nowMs(), by: user(by.login) };
      addNote(issue, 'closed', by, true);
      return 'close';
    });

  const take = (path: string, project: Project): void => {
    if (!/^[^/]+(\/[^/]+)+$/.test(path)) throw new Error(`not a project path of the form group/project: ${path}`);
    const holder = byPath.get(path.toLowerCase());
    if (holder !== undefined && isNamed(holder, path)) throw new Error(`project ${path} exists already`);
    byPath.set(path.toLowerCase(), project);
  };

  return {
    user,
    createLabel,
    changeLabels,
    openIssue,
    close,

    reopen(issue: Issue, by: Actor): void {
      act(issue, by, () => {
        if (issue.closed === undefined) return undefined;
        issue.closed = undefined;
        addNote(issue, 'reopened', by, true);
        return 'reopen';
      });
    },

    edit(issue: Issue, fields: { title?: string; description?: string | null }, by: Actor): void {
      act(issue, by, () => {
        issue.title = fields.title ?? issue.title;
        if (fields.description !== undefined) issue.description = fields.description;
        issue.updatedAtMs = nowMs();
        return 'update';
      });
    },

    comment(issue: Issue, body: string, by: Actor): Note {
      const note = addNote(issue, body, by, false);
      ledger.recordComment({ atMs: note.createdAtMs, ticket: ticketOf(issue), body, by });
      tell({ kind: 'note', issue, note });
      return note;
    },

    /** Opens the issue again in another project, under a new number; the old one is closed and says where it went. */
    move(issue: Issue, target: Project, by: Actor): Issue {
      const { title, description, type } = issue;
      const moved = openIssue(target, { title, description, type, labels: [...issue.labels.keys()] }, by);
      moved.notes.push(...issue.notes);
      issue.movedTo = moved;
      close(issue, by);
      addNote(issue, `moved to ${ticketOf(moved)}`, by, true);
      return moved;
    },

    addProject(path: string): Project {
      const project: Project = { id: nextId(), path, createdAtMs: nowMs(), labels: new Map(), issues: [] };
      take(path, project);
      projects.set(project.id, project);
      return project;
    },

    /** Renames or moves to another group; reads by the old path are redirected. */
    rename(project: Project, path: string): void {
      take(path, project);
      project.path = path;
    },

    /** By current or former path, any letter case. */
    findByPath: (path: string): Project | undefined => byPath.get(path.toLowerCase()),
    findById: (id: number): Project | undefined => projects.get(id),
  };
}

/** The name of a ticket in the ledger and for people, for example `group/project#7`. */
export function ticketOf(issue: Issue): string {
  return `${issue.project.path}#${issue.iid}`;
}

/** Whether the project goes by this path now, not formerly. */
export function isNamed(project: Project, path: string): boolean {
  return project.path.toLowerCase() === path.toLowerCase();
}
