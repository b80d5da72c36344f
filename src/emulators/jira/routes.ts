/** What a route is: its address, a name for its operation, and a function from a call to a reply. */
import type { Actor } from '../ledger.ts';
import type { Account, Deployment } from './accounts.ts';
import { noIssue, type Reply } from './replies.ts';
import type { SearchIndex } from './search-index.ts';
import type { Addresses } from './shapes.ts';
import type { Issue, State } from './state.ts';

export interface Call {
  readonly deployment: Deployment;
  readonly state: State;
  readonly index: SearchIndex;
  readonly at: Addresses;
  readonly account: Account;
  /** The account as the ledger names it. */
  readonly actor: Actor;
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON; undefined when no body was sent. */
  readonly body: unknown;
  readonly nowMs: number;
  /** The most that a page of a search holds. */
  readonly pageLimit: number;
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below `/rest/api/3` or `/rest/api/2`. */
  readonly path: string;
  readonly operation: string;
  /** Both when absent. */
  readonly only?: Deployment;
  handle(call: Call): Reply;
}

/** Finds the issue of the call, or replies what Jira says of one that is not there or not for this account. */
export function withIssue(call: Call, handle: (issue: Issue) => Reply): Reply {
  const issue = visibleIssue(call, call.params.issue ?? '');
  return issue === undefined ? noIssue : handle(issue);
}

export function visibleIssue(call: Call, idOrKey: string): Issue | undefined {
  const issue = call.state.find(idOrKey);
  return issue !== undefined && call.account.sees(issue.project.key) ? issue : undefined;
}

/** A parameter that may be given several times, or once with commas. */
export function listIn(query: URLSearchParams, name: string): string[] {
  return query
    .getAll(name)
    .flatMap((value) => value.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '');
}

/** A whole number from 0 on. */
export function numberIn(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  return text !== null && /^\d+$/.test(text) ? Number(text) : otherwise;
}
