/** What happens to tickets, as webhooks tell of it. Of an issue that was deleted they tell nothing. */
import type { Issue, Label, Note, User } from './state.ts';

/** How an issue was before something happened to it. */
export interface IssueSnapshot {
  readonly title: string;
  readonly description: string | null;
  readonly labels: readonly Label[];
  readonly updatedAtMs: number;
  readonly closedAtMs: number | undefined;
}

export interface IssueHappening {
  readonly kind: 'issue';
  readonly action: 'open' | 'update' | 'close' | 'reopen';
  readonly issue: Issue;
  readonly by: User;
  /** Undefined for a new one. */
  readonly before: IssueSnapshot | undefined;
}

export interface NoteHappening {
  readonly kind: 'note';
  readonly issue: Issue;
  readonly note: Note;
}

export type Happening = IssueHappening | NoteHappening;

export function snapshotOf({ title, description, labels, updatedAtMs, closed }: Issue): IssueSnapshot {
  return { title, description, labels: [...labels.values()], updatedAtMs, closedAtMs: closed?.atMs };
}
