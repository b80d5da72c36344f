/**
 * What the emulated Azure DevOps remembers: collections (organisations) with their projects, and work items that are
 * numbered within their collection, with every revision. Plain data and the few acts that change it; each act is a
 * revision and tells the ledger.
 */
import type { Actor, Ledger } from '../ledger.ts';
import { guidOf } from './identities.ts';

export interface Project {
  readonly id: string;
  name: string;
  /** The root of its areas, by which permissions are asked for. */
  readonly areaId: string;
  /** Tags that were ever used here, by lower-cased name: the first spelling stays. */
  readonly tags: Map<string, string>;
}

export interface Comment {
  readonly id: number;
  /** HTML. */
  readonly text: string;
  readonly login: string;
  readonly createdAtMs: number;
}

export interface Change {
  readonly oldValue?: unknown;
  readonly newValue?: unknown;
}

/** What one revision changed, by field. */
export interface Update {
  readonly id: number;
  readonly rev: number;
  readonly login: string;
  readonly atMs: number;
  readonly fields: Readonly<Record<string, Change>>;
}

export interface WorkItem {
  readonly id: number;
  readonly collection: Collection;
  project: Project;
  readonly type: string;
  rev: number;
  title: string;
  description: string;
  state: State;
  tags: readonly string[];
  readonly createdBy: string;
  readonly createdAtMs: number;
  changedBy: string;
  changedAtMs: number;
  readonly updates: Update[];
  readonly comments: Comment[];
  deleted: boolean;
}

export interface Collection {
  /** Its path: `org` in the cloud, `tfs/DefaultCollection` on a server. */
  readonly path: string;
  /** By lower-cased name, a former one too. */
  readonly projects: Map<string, Project>;
  /** Work item n is at n - 1; deleted ones stay. */
  readonly workItems: WorkItem[];
}

/** What service hooks can tell of. A comment is an update too. */
export type Happening =
  | { readonly kind: 'created' | 'deleted' | 'restored'; readonly item: WorkItem }
  | { readonly kind: 'updated'; readonly item: WorkItem; readonly update: Update }
  | { readonly kind: 'commented'; readonly item: WorkItem; readonly comment: Comment };

/** The states of the Agile process, and what they mean. */
export const STATES = {
  New: 'Proposed',
  Active: 'InProgress',
  Resolved: 'Resolved',
  Closed: 'Completed',
  Removed: 'Removed',
} as const;

export type State = keyof typeof STATES;

export const isState = (text: unknown): text is State => typeof text === 'string' && Object.hasOwn(STATES, text);

/** A change of some fields; what is not named stays. */
export interface WorkItemChange {
  readonly title?: string;
  readonly description?: string;
  readonly state?: State;
  readonly tags?: readonly string[];
  readonly project?: Project;
}

export type Emulated = ReturnType<typeof createState>;

/** @param tell called after each act, with the work item as it is then. */
export function createState(ledger: Ledger, nowMs: () => number, tell: (happening: Happening) => void) {
  const collections = new Map<string, Collection>();
  let lastComment = 0;

  /** One revision. What changes nothing leaves no trace. */
  const change = (item: WorkItem, wanted: WorkItemChange, by: Actor): void => {
    const project = wanted.project ?? item.project;
    const tags = wanted.tags === undefined ? item.tags : spelled(project, wanted.tags);
    const fields = changesOf(fieldsOf(item), fieldsOf({ ...item, ...wanted, tags, project }));
    if (Object.keys(fields).length === 0) return;
    const before = item.tags;
    Object.assign(item, { ...wanted, tags, project });
    const update = revise(item, by, fields);
    recordTags(item, before, by);
    tell({ kind: 'updated', item, update });
  };

  const revise = (item: WorkItem, by: Actor, fields: Update['fields']): Update => {
    item.rev += 1;
    item.changedBy = by.login;
    item.changedAtMs = nowMs();
    const update = { id: item.updates.length + 1, rev: item.rev, login: by.login, atMs: nowMs(), fields };
    item.updates.push(update);
    return update;
  };

  const recordTags = (item: WorkItem, before: readonly string[], by: Actor): void => {
    const added = item.tags.filter((tag) => !before.includes(tag));
    const removed = before.filter((tag) => !item.tags.includes(tag));
    if (added.length + removed.length === 0) return;
    ledger.recordLabels({ atMs: nowMs(), ticket: ticketOf(item), added, removed, labels: item.tags, by });
  };

  return {
    change,

    addCollection(path: string): Collection {
      if (collections.has(path.toLowerCase())) throw new Error(`collection ${path} exists already`);
      const collection = { path, projects: new Map(), workItems: [] };
      collections.set(path.toLowerCase(), collection);
      return collection;
    },

    addProject(collection: Collection, name: string): Project {
      if (collection.projects.has(name.toLowerCase())) throw new Error(`project ${name} exists already`);
      const seed = `${collection.path}/${name}`;
      const project = { id: guidOf(seed), name, areaId: guidOf(`area of ${seed}`), tags: new Map() };
      collection.projects.set(name.toLowerCase(), project);
      return project;
    },

    /** The former name goes on working; what the work items show is the new one, without a revision. */
    renameProject(collection: Collection, project: Project, to: string): void {
      if (collection.projects.has(to.toLowerCase())) throw new Error(`project ${to} exists already`);
      project.name = to;
      collection.projects.set(to.toLowerCase(), project);
    },

    openWorkItem(
      collection: Collection,
      project: Project,
      fields: {
        readonly type: string;
        readonly title: string;
        readonly description: string;
        readonly tags: readonly string[];
      },
      by: Actor,
    ): WorkItem {
      const { tags, ...text } = fields;
      const item: WorkItem = {
        id: collection.workItems.length + 1,
        rev: 0,
        collection,
        project,
        ...text,
        state: 'New',
        tags: spelled(project, tags),
        createdBy: by.login,
        createdAtMs: nowMs(),
        changedBy: by.login,
        changedAtMs: nowMs(),
        updates: [],
        comments: [],
        deleted: false,
      };
      collection.workItems.push(item);
      revise(item, by, changesOf({}, fieldsOf(item)));
      recordTags(item, [], by);
      tell({ kind: 'created', item });
      return item;
    },

    comment(item: WorkItem, text: string, by: Actor): Comment {
      lastComment += 1;
      const comment = { id: lastComment, text, login: by.login, createdAtMs: nowMs() };
      item.comments.push(comment);
      const update = revise(item, by, { 'System.History': { newValue: text } });
      ledger.recordComment({ atMs: comment.createdAtMs, ticket: ticketOf(item), body: text, by });
      tell({ kind: 'updated', item, update });
      tell({ kind: 'commented', item, comment });
      return comment;
    },

    /** Into the recycle bin. */
    remove(item: WorkItem): void {
      item.deleted = true;
      tell({ kind: 'deleted', item });
    },

    /** Out of it. */
    restore(item: WorkItem): void {
      item.deleted = false;
      tell({ kind: 'restored', item });
    },

    /** By path, any letter case. */
    collection: (path: string): Collection | undefined => collections.get(path.toLowerCase()),
  };
}

/** The name of a ticket in the ledger and for people, for example `org#7`. */
export function ticketOf(item: WorkItem): string {
  return `${item.collection.path}#${item.id}`;
}

/** The work item that is there; undefined when it never was, or was deleted. */
export function findWorkItem(collection: Collection, id: number): WorkItem | undefined {
  const item = collection.workItems[id - 1];
  return item === undefined || item.deleted ? undefined : item;
}

/** By name or id. */
export function findProject(collection: Collection, name: string): Project | undefined {
  return collection.projects.get(name.toLowerCase()) ?? [...collection.projects.values()].find(({ id }) => id === name);
}

/** Tags as the API takes them: `one; two`. A comma separates too. */
export function tagsIn(text: string): string[] {
  return text
    .split(/[;,]/)
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}

/** Each tag once, spelled as it was when it was first used in the project. */
function spelled({ tags: known }: Project, tags: readonly string[]): string[] {
  for (const tag of tags) if (!known.has(tag.toLowerCase())) known.set(tag.toLowerCase(), tag);
  return [...new Set(tags.map((tag) => known.get(tag.toLowerCase()) ?? tag))];
}

/** The fields that queries and patches know. A field without a value is not there. */
export function fieldsOf(
  item: Pick<WorkItem, 'project' | 'type' | 'state' | 'title' | 'description' | 'tags'>,
): Record<string, string> {
  return {
    'System.AreaPath': item.project.name,
    'System.TeamProject': item.project.name,
    'System.WorkItemType': item.type,
    'System.State': item.state,
    'System.Title': item.title,
    ...(item.description !== '' && { 'System.Description': item.description }),
    ...(item.tags.length > 0 && { 'System.Tags': item.tags.join('; ') }),
  };
}

function changesOf(before: Record<string, string>, after: Record<string, string>): Record<string, Change> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...names].filter((name) => before[name] !== after[name]);
  return Object.fromEntries(
    changed.map((name) => {
      const [oldValue, newValue] = [before[name], after[name]];
      return [name, { ...(oldValue !== undefined && { oldValue }), ...(newValue !== undefined && { newValue }) }];
    }),
  );
}
