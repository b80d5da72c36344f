/** What a route is: its address, a name for the ledger, the scopes that open it, and a function from a call to a reply. */
import type { Actor } from '../ledger.ts';
import { notFound, type Reply } from './replies.ts';
import type { Addresses } from './shapes.ts';
import type { Issue, Project, State } from './state.ts';
import { ACCESS_LEVELS, type Scope, type Token } from './tokens.ts';
import type { Webhooks } from './webhooks.ts';

export interface Call {
  readonly state: State;
  readonly webhooks: Webhooks;
  readonly at: Addresses;
  /** Wall clock of the server. */
  readonly nowMs: () => number;
  /** Address that was asked, without the query: links of a listing lead back to it. */
  readonly url: string;
  readonly token: Token;
  /** The token as the ledger names it. */
  readonly actor: Actor;
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON, an empty object when no body was sent. GitLab takes parameters from the query as well: merged in. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface ProjectCall extends Call {
  readonly project: Project;
}

interface Named {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the API's base, or below the project. */
  readonly path: string;
  readonly operation: string;
  /** Any of these will do; `api` and, for reads, `read_api` when absent. */
  readonly scopes?: readonly Scope[];
}

export type Route =
  | (Named & { readonly scope: 'account'; handle(call: Call): Reply })
  | (Named & { readonly scope: 'project'; handle(call: ProjectCall): Reply });

/** Finds the issue of the call, or replies what GitLab replies for one that is not there (any more). */
export function withIssue(call: ProjectCall, handle: (issue: Issue) => Reply): Reply {
  const issue = call.project.issues[Number(call.params.iid) - 1];
  return issue === undefined || issue.deleted ? notFound('Issue') : handle(issue);
}

/** Whether the owner of the token may set labels, and create them. */
export function mayLabel({ token }: Call): boolean {
  return token.accessLevel >= ACCESS_LEVELS.planner;
}

/** `a,b`, `['a', 'b']` or both at once: the comma separates, so no label can hold one. */
export function commaList(value: unknown): string[] | undefined {
  if (value === undefined) return undefined;
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  return texts
    .flatMap((text) => String(text).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
}
