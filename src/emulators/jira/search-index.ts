/**
 * What the search knows of the issues: a copy of each, made when the index was last brought up to date. Jira's index
 * runs behind its database; here a test decides by how much.
 */
import type { Issue, State, StatusCategory } from './state.ts';

/** An issue as the index has seen it. */
export interface Entry {
  readonly issue: Issue;
  readonly project: string;
  readonly number: number;
  readonly labels: ReadonlySet<string>;
  readonly status: StatusCategory;
  readonly updatedAtMs: number;
}

export interface SearchIndex {
  /** From now on changes stay unseen until `catchUp`. */
  fallBehind(): void;
  /** Sees everything, now and from now on. */
  catchUp(): void;
  /** All issues as the index knows them; those of `reconciled` (numeric ids) as they are. */
  entries(reconciled: ReadonlySet<number>): Entry[];
}

export function createSearchIndex(state: State): SearchIndex {
  const entries = new Map<number, Entry>();
  const stale = new Set<Issue>();
  let isBehind = false;

  const update = (issue: Issue): void => {
    if (issue.deleted) entries.delete(issue.id);
    else entries.set(issue.id, entryOf(issue));
  };
  state.onChange((issue) => {
    if (isBehind) stale.add(issue);
    else update(issue);
  });

  return {
    fallBehind() {
      isBehind = true;
    },
    catchUp() {
      isBehind = false;
      for (const issue of stale) update(issue);
      stale.clear();
    },
    entries(reconciled) {
      for (const issue of stale) if (reconciled.has(issue.id)) update(issue);
      return [...entries.values()];
    },
  };
}

export function entryOf(issue: Issue): Entry {
  return {
    issue,
    project: issue.project.key,
    number: issue.number,
    labels: new Set(issue.labels),
    status: issue.status,
    updatedAtMs: issue.updatedAtMs,
  };
}
