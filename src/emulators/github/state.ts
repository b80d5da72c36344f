/**
 * What the emulated GitHub remembers: repositories, their labels, issues with labels, comments and events. Plain data
 * and the few acts that change it. Every act bumps the version of its repository, which is what makes ETags cheap, and
 * tells the ledger.
 */
import type { Actor, Ledger } from '../ledger.ts';

export interface User {
  readonly id: number;
  readonly login: string;
}

export interface Label {
  readonly id: number;
  readonly name: string;
  /** Six hex digits without `#`. */
  readonly color: string;
  readonly description: string | null;
}

export interface Comment {
  readonly id: number;
  readonly body: string;
  readonly user: User;
  readonly createdAtMs: number;
}

export interface IssueEvent {
  readonly id: number;
  readonly event: 'labeled' | 'unlabeled' | 'closed' | 'reopened';
  readonly label: Label | undefined;
  readonly actor: User;
  readonly createdAtMs: number;
}

/** What a pull request wants to merge, and where. */
export interface Branches {
  readonly head: string;
  readonly base: string;
}

export interface Issue {
  readonly id: number;
  readonly number: number;
  readonly repository: Repository;
  title: string;
  body: string | null;
  readonly user: User;
  readonly isPullRequest: boolean;
  /** Of a pull request. */
  readonly branches: Branches | undefined;
  /** By lower-cased name, in the order in which they were set. */
  readonly labels: Map<string, Label>;
  readonly comments: Comment[];
  readonly events: IssueEvent[];
  readonly createdAtMs: number;
  updatedAtMs: number;
  closed:
    | { readonly atMs: number; readonly by: User; readonly reason: 'completed' | 'not_planned' | 'duplicate' }
    | undefined;
  reopened: boolean;
  /** Where the issue went: only a tombstone is left here. */
  gone: { readonly kind: 'deleted' } | { readonly kind: 'transferred'; readonly to: Issue } | undefined;
}

export interface Repository {
  readonly id: number;
  owner: User;
  name: string;
  readonly createdAtMs: number;
  /** By lower-cased name. */
  readonly labels: Map<string, Label>;
  /** Issue n is at n - 1; tombstones stay. */
  readonly issues: Issue[];
  archived: boolean;
  hasIssues: boolean;
  isPrivate: boolean;
  /** Grows with every change inside the repository. */
  version: number;
}

/** What webhooks tell of, when it has happened. */
export type Happening = { readonly issue: Issue; readonly by: User } & (
  | { readonly action: 'opened'; readonly transferredFrom?: Issue | undefined }
  | { readonly action: 'labeled' | 'unlabeled'; readonly label: Label }
  | { readonly action: 'edited'; readonly before: { readonly title?: string; readonly body?: string } }
  | { readonly action: 'closed' | 'reopened' | 'deleted' }
  | { readonly action: 'transferred'; readonly to: Issue }
  | { readonly action: 'commented'; readonly comment: Comment }
);

/** What its owner can switch; what is absent stays. */
export type RepositorySettings = Partial<Pick<Repository, 'archived' | 'hasIssues' | 'isPrivate'>>;

export interface NewIssue {
  readonly title: string;
  readonly body?: string | null;
  readonly labels?: readonly string[];
  readonly isPullRequest?: boolean;
  /** Of a pull request. Default: a branch of its own into `main`. */
  readonly branches?: Branches;
}

/** Colour of a label that came into being by being used. */
const AUTO_COLOR = 'ededed';

export type State = ReturnType<typeof createState>;

/** Names of the branches of a repository; undefined when every branch that is named is taken to be there. */
export type ListBranches = (fullName: string) => readonly string[] | undefined;

export function createState(
  ledger: Ledger,
  nowMs: () => number,
  tell: (happening: Happening) => void,
  listBranches: ListBranches = () => undefined,
) {
  const repositories = new Map<number, Repository>();
  /** Current and former names, lower-cased; a former name gives way to a new repository. */
  const byName = new Map<string, Repository>();
  const users = new Map<string, User>();
  let lastId = 1000;

  const nextId = (): number => (lastId += 1);

  const user = (login: string): User => {
    const known = users.get(login.toLowerCase());
    if (known !== undefined) return known;
    const created = { id: nextId(), login };
    users.set(login.toLowerCase(), created);
    return created;
  };

  const touch = (issue: Issue): void => {
    issue.updatedAtMs = nowMs();
    issue.repository.version += 1;
  };

  const addEvent = (issue: Issue, event: IssueEvent['event'], by: Actor, label?: Label): void => {
    issue.events.push({ id: nextId(), event, label, actor: user(by.login), createdAtMs: nowMs() });
  };

  const createLabel = (
    repository: Repository,
    name: string,
    color = AUTO_COLOR,
    description: string | null = null,
  ): Label => {
    const label = { id: nextId(), name, color, description };
    repository.labels.set(name.toLowerCase(), label);
    repository.version += 1;
    return label;
  };

  /**
   * Adds first, then removes; what changes nothing leaves no trace. Unknown labels come into being. Returns what is to be
   * told, label by label, once all of them are there.
   */
  const applyLabels = (issue: Issue, add: readonly string[], remove: readonly string[], by: Actor): Happening[] => {
    const added: Label[] = [];
    const removed: Label[] = [];
    for (const name of add) {
      const key = name.toLowerCase();
      if (issue.labels.has(key)) continue;
      const label = issue.repository.labels.get(key) ?? createLabel(issue.repository, name);
      issue.labels.set(key, label);
      addEvent(issue, 'labeled', by, label);
      added.push(label);
    }
    for (const name of remove) {
      const label = issue.labels.get(name.toLowerCase());
      if (label === undefined) continue;
      issue.labels.delete(name.toLowerCase());
      addEvent(issue, 'unlabeled', by, label);
      removed.push(label);
    }
    if (added.length + removed.length === 0) return [];
    touch(issue);
    ledger.recordLabels({
      atMs: nowMs(),
      ticket: ticketOf(issue),
      added: added.map(({ name }) => name),
      removed: removed.map(({ name }) => name),
      labels: labelNames(issue),
      by,
    });
    const told = { issue, by: user(by.login) };
    return [
      ...added.map((label) => ({ ...told, action: 'labeled' as const, label })),
      ...removed.map((label) => ({ ...told, action: 'unlabeled' as const, label })),
    ];
  };

  const changeLabels = (issue: Issue, add: readonly string[], remove: readonly string[], by: Actor): void => {
    for (const happening of applyLabels(issue, add, remove, by)) tell(happening);
  };

  const openIssue = (repository: Repository, fields: NewIssue, by: Actor, transferredFrom?: Issue): Issue => {
    const atMs = nowMs();
    const number = repository.issues.length + 1;
    const issue: Issue = {
      id: nextId(),
      number,
      repository,
      title: fields.title,
      body: fields.body ?? null,
      user: user(by.login),
      isPullRequest: fields.isPullRequest ?? false,
      branches:
        fields.isPullRequest === true ? (fields.branches ?? { head: `change-${number}`, base: 'main' }) : undefined,
      labels: new Map(),
      comments: [],
      events: [],
      createdAtMs: atMs,
      updatedAtMs: atMs,
      closed: undefined,
      reopened: false,
      gone: undefined,
    };
    repository.issues.push(issue);
    repository.version += 1;
    issue.comments.push(...(transferredFrom?.comments ?? []));
    // It is told of with its labels, and then of each of them.
    const labelled = applyLabels(issue, fields.labels ?? [], [], by);
    tell({ issue, by: user(by.login), action: 'opened', transferredFrom });
    for (const happening of labelled) tell(happening);
    return issue;
  };

  return {
    user,
    createLabel,
    changeLabels,
    openIssue,
    branchesOf: (repository: Repository) => listBranches(fullNameOf(repository)),

    /** Makes exactly these the labels of the issue. */
    setLabels(issue: Issue, names: readonly string[], by: Actor): void {
      const wanted = new Set(names.map((name) => name.toLowerCase()));
      const surplus = labelNames(issue).filter((name) => !wanted.has(name.toLowerCase()));
      changeLabels(issue, names, surplus, by);
    },

    edit(issue: Issue, fields: { title?: string; body?: string | null }, by: Actor): void {
      const { title, body } = issue;
      issue.title = fields.title ?? title;
      if (fields.body !== undefined) issue.body = fields.body;
      touch(issue);
      const before = {
        ...(issue.title !== title && { title }),
        ...(issue.body !== body && { body: body ?? '' }),
      };
      if (Object.keys(before).length > 0) tell({ issue, by: user(by.login), action: 'edited', before });
    },

    close(issue: Issue, by: Actor, reason: 'completed' | 'not_planned' | 'duplicate' = 'completed'): void {
      if (issue.closed !== undefined) return;
      issue.closed = { atMs: nowMs(), by: user(by.login), reason };
      addEvent(issue, 'closed', by);
      touch(issue);
      tell({ issue, by: user(by.login), action: 'closed' });
    },

    reopen(issue: Issue, by: Actor): void {
      if (issue.closed === undefined) return;
      issue.closed = undefined;
      issue.reopened = true;
      addEvent(issue, 'reopened', by);
      touch(issue);
      tell({ issue, by: user(by.login), action: 'reopened' });
    },

    comment(issue: Issue, body: string, by: Actor): Comment {
      const comment = { id: nextId(), body, user: user(by.login), createdAtMs: nowMs() };
      issue.comments.push(comment);
      touch(issue);
      ledger.recordComment({ atMs: comment.createdAtMs, ticket: ticketOf(issue), body, by });
      tell({ issue, by: comment.user, action: 'commented', comment });
      return comment;
    },

    deleteIssue(issue: Issue, by: Actor): void {
      issue.gone = { kind: 'deleted' };
      touch(issue);
      tell({ issue, by: user(by.login), action: 'deleted' });
    },

    /** Opens the issue again in another repository, under a new number; the old address redirects. */
    transfer(issue: Issue, target: Repository, by: Actor): Issue {
      const fields = { title: issue.title, body: issue.body, labels: labelNames(issue) };
      const moved = openIssue(target, fields, by, issue);
      issue.gone = { kind: 'transferred', to: moved };
      touch(issue);
      tell({ issue, by: user(by.login), action: 'transferred', to: moved });
      return moved;
    },

    addRepository(fullName: string): Repository {
      if (isTaken(byName.get(fullName.toLowerCase()), fullName))
        throw new Error(`repository ${fullName} exists already`);
      const { owner, name } = splitName(fullName);
      const repository: Repository = {
        id: nextId(),
        owner: user(owner),
        name,
        createdAtMs: nowMs(),
        labels: new Map(),
        issues: [],
        archived: false,
        hasIssues: true,
        isPrivate: true,
        version: 1,
      };
      repositories.set(repository.id, repository);
      byName.set(fullName.toLowerCase(), repository);
      return repository;
    },

    configure(repository: Repository, settings: RepositorySettings): void {
      Object.assign(repository, settings);
      repository.version += 1;
    },

    /** Renames or moves to another owner; the old name redirects. */
    rename(repository: Repository, fullName: string): void {
      if (isTaken(byName.get(fullName.toLowerCase()), fullName))
        throw new Error(`repository ${fullName} exists already`);
      const { owner, name } = splitName(fullName);
      repository.owner = user(owner);
      repository.name = name;
      repository.version += 1;
      byName.set(fullName.toLowerCase(), repository);
    },

    /** By current or former name, any letter case. */
    findByName: (fullName: string): Repository | undefined => byName.get(fullName.toLowerCase()),
    findById: (id: number): Repository | undefined => repositories.get(id),
    repositories: (): Repository[] => [...repositories.values()],
  };
}

export function fullNameOf(repository: Repository): string {
  return `${repository.owner.login}/${repository.name}`;
}

/** The name of a ticket in the ledger and for people, for example `org/repo#7`. */
export function ticketOf(issue: Issue): string {
  return `${fullNameOf(issue.repository)}#${issue.number}`;
}

export function labelNames(issue: Issue): string[] {
  return [...issue.labels.values()].map((label) => label.name);
}

/** Whether the repository goes by this name now, not formerly. */
export function isTaken(repository: Repository | undefined, fullName: string): repository is Repository {
  return repository !== undefined && fullNameOf(repository).toLowerCase() === fullName.toLowerCase();
}

function splitName(fullName: string): { owner: string; name: string } {
  const [owner, name, ...rest] = fullName.split('/');
  if (owner === undefined || owner === '' || name === undefined || name === '' || rest.length > 0) {
    throw new Error(`not a repository name of the form owner/name: ${fullName}`);
  }
  return { owner, name };
}
