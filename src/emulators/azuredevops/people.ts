/**
 * The emulator's side door: what people do in the browser. Nothing here counts as a request; tag changes and comments
 * reach the ledger under the person's name. Work items are addressed as in the ledger, `org#7`.
 */
import type { Actor } from '../ledger.ts';
import type { HookSettings } from '../webhook-sender.ts';
import { workItemPage } from './shapes.ts';
import {
  type Collection,
  type Emulated,
  findProject,
  findWorkItem,
  type Project,
  type State,
  ticketOf,
  type WorkItem,
} from './state.ts';
import { EVENT_TYPES, type Subscription, type SubscriptionSettings, type Webhooks } from './webhooks.ts';

/** A work item as a test or the demo looks at it. A snapshot, not a live object. */
export interface WorkItemView {
  /** For example `org#7`. */
  readonly ticket: string;
  readonly id: number;
  readonly rev: number;
  /** Its page for people. */
  readonly url: string;
  readonly project: string;
  readonly title: string;
  readonly body: string;
  readonly state: State;
  readonly labels: readonly string[];
  readonly comments: readonly { readonly login: string; readonly body: string }[];
}

export interface NewWorkItem {
  readonly title?: string;
  readonly body?: string;
  readonly labels?: readonly string[];
  readonly type?: string;
  readonly by?: string;
}

export interface People {
  /** A collection by its path (`org`, or `tfs/DefaultCollection`) with its projects; throws when it exists. */
  addCollection(path: string, projects: readonly string[]): void;
  /** Its former name goes on working. */
  renameProject(collection: string, project: string, to: string): void;
  /** `by` defaults to somebody, as everywhere here. */
  openWorkItem(collection: string, project: string, fields?: NewWorkItem): WorkItemView;
  addTag(ticket: string, tag: string, by?: string): void;
  removeTag(ticket: string, tag: string, by?: string): void;
  comment(ticket: string, text: string, by?: string): void;
  setState(ticket: string, state: State, by?: string): void;
  /** Into the recycle bin, where the API does not look. */
  deleteWorkItem(ticket: string): void;
  /** Out of the recycle bin. */
  restoreWorkItem(ticket: string): void;
  /** To another project of the collection: it keeps its id. */
  moveWorkItem(ticket: string, toProject: string, by?: string): void;

  /** Subscribes an address to one kind of event of a project; the id of the subscription. */
  subscribe(collection: string, project: string, settings: SubscriptionSettings): string;
  /**
   * To everything that happens to its work items: one subscription for each kind of event, as it takes. The id of the one
   * for updates, which changes of tags are.
   */
  addWebhook(collection: string, project: string, hook: HookSettings): string;
  /** What has become of it. Throws for an id that nobody has, as the next two do. */
  subscription(id: string): Subscription;
  /** As people do on its page. */
  enableSubscription(id: string): void;
  /** What the platform does from time to time on probation, 20 minutes to 15 hours apart: the last failure, once more. */
  probeSubscription(id: string): void;

  /** Throws for a work item that is not there (any more). */
  workItem(ticket: string): WorkItemView;
  /** All of a project that are there, oldest first. */
  workItems(collection: string, project: string): WorkItemView[];
}

const UPDATED = 'workitem.updated';

export function createPeople(state: Emulated, webhooks: Webhooks, base: (collection: Collection) => string): People {
  const collectionOf = (path: string): Collection => found(state.collection(path), `no collection ${path}`);
  const projectIn = (path: string, name: string): Project =>
    found(findProject(collectionOf(path), name), `no project ${name}`);
  const itemOf = (ticket: string): WorkItem => {
    const [path = '', id = ''] = ticket.split('#');
    return found(findWorkItem(collectionOf(path), Number(id)), `no work item ${ticket}`);
  };
  const view = (item: WorkItem): WorkItemView => ({
    ticket: ticketOf(item),
    id: item.id,
    rev: item.rev,
    url: workItemPage(base(item.collection), item),
    project: item.project.name,
    title: item.title,
    body: item.description,
    state: item.state,
    labels: item.tags,
    comments: item.comments.map(({ login, text }) => ({ login, body: text })),
  });
  const setTags = (ticket: string, by: string | undefined, tags: (tags: readonly string[]) => string[]): void => {
    const item = itemOf(ticket);
    state.change(item, { tags: tags(item.tags) }, person(by));
  };

  const subscribe: People['subscribe'] = (path, project, settings) =>
    webhooks.subscribe(collectionOf(path), projectIn(path, project), settings);

  return {
    subscribe,
    addWebhook(path, project, hook) {
      for (const eventType of EVENT_TYPES) if (eventType !== UPDATED) subscribe(path, project, { ...hook, eventType });
      return subscribe(path, project, { ...hook, eventType: UPDATED });
    },
    subscription: webhooks.subscription,
    enableSubscription: webhooks.enable,
    probeSubscription: webhooks.probe,
    addCollection(path, projects) {
      const collection = state.addCollection(path);
      for (const name of projects) state.addProject(collection, name);
    },
    renameProject: (path, project, to) => state.renameProject(collectionOf(path), projectIn(path, project), to),
    openWorkItem(path, project, { title = 'A ticket', body = '', labels = [], type = 'Bug', by } = {}) {
      const fields = { type, title, description: body, tags: labels };
      return view(state.openWorkItem(collectionOf(path), projectIn(path, project), fields, person(by)));
    },
    addTag: (ticket, tag, by) => setTags(ticket, by, (tags) => [...tags, tag]),
    removeTag: (ticket, tag, by) =>
      setTags(ticket, by, (tags) => tags.filter((each) => each.toLowerCase() !== tag.toLowerCase())),
    comment: (ticket, text, by) => void state.comment(itemOf(ticket), text, person(by)),
    setState: (ticket, to, by) => state.change(itemOf(ticket), { state: to }, person(by)),
    deleteWorkItem: (ticket) => state.remove(itemOf(ticket)),
    restoreWorkItem(ticket) {
      const [path = '', id = ''] = ticket.split('#');
      const binned = collectionOf(path).workItems[Number(id) - 1];
      state.restore(found(binned?.deleted === true ? binned : undefined, `${ticket} is not in the recycle bin`));
    },
    moveWorkItem(ticket, toProject, by) {
      const item = itemOf(ticket);
      state.change(item, { project: projectIn(item.collection.path, toProject) }, person(by));
    },
    workItem: (ticket) => view(itemOf(ticket)),
    workItems(path, project) {
      const wanted = projectIn(path, project);
      return collectionOf(path)
        .workItems.filter((item) => !item.deleted && item.project === wanted)
        .map(view);
    },
  };
}

function person(login = 'somebody'): Actor {
  return { kind: 'person', login };
}

function found<T>(thing: T | undefined, otherwise: string): T {
  if (thing === undefined) throw new Error(otherwise);
  return thing;
}
