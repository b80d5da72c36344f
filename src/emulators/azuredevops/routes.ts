/** What a route is: its address below a collection, and a function from a call to a reply. */
import type { Actor } from '../ledger.ts';
import { noProject, noWorkItem, type Reply, refused } from './replies.ts';
import { type Collection, type Emulated, findProject, findWorkItem, type Project, type WorkItem } from './state.ts';
import type { Token } from './tokens.ts';
import type { Webhooks } from './webhooks.ts';

export interface Call {
  readonly state: Emulated;
  readonly webhooks: Webhooks;
  readonly collection: Collection;
  /** Address of the collection. */
  readonly base: string;
  readonly token: Token;
  /** The token as the ledger names it. */
  readonly actor: Actor;
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly contentType: string;
  /** Parsed JSON; undefined when no body was sent. */
  readonly body: unknown;
  /** The project in the address; undefined when there is none. */
  readonly project: Project | undefined;
  /** The most that a query may find. */
  readonly queryLimit: number;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'OPTIONS';
  /** Below the collection, or below one of its projects: `_apis/wit/wiql`. */
  readonly path: string;
  /** Where it is found: below the collection, below a project, or both. */
  readonly below: 'collection' | 'project' | 'either';
  /** How the ledger names it: area and resource of the API. */
  readonly operation: string;
  /** Its versions are previews: a client has to say that it knows. */
  readonly preview?: boolean;
  /** Whether it writes, which the scope of a token has to allow. */
  readonly writes?: boolean;
  handle(call: Call): Reply;
}

/** Finds the work item of the call, or replies what Azure DevOps replies for one that is not there (any more). */
export function withWorkItem(call: Call, handle: (item: WorkItem) => Reply): Reply {
  const id = call.params.id ?? '';
  const item = findWorkItem(call.collection, Number(id));
  if (item === undefined) return noWorkItem(id);
  return call.project === undefined || call.project === item.project ? handle(item) : noWorkItem(id);
}

/** Refuses an account that may not edit work items here. */
export function withEdit(call: Call, handle: () => Reply): Reply {
  if (call.token.canEdit) return handle();
  const message =
    'TF237111: The current user does not have permissions to save work items under the specified area path.';
  return refused(403, message, 'WorkItemUnauthorizedSaveException');
}

/** The project that the address names; what is not there is not told from what may not be seen. */
export function projectOf(collection: Collection, name: string): Project | Reply {
  return findProject(collection, name) ?? noProject(name);
}
