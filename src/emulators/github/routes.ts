/** What a route is: its address, the official name of its operation, and a function from a call to a reply. */

import { unreachable } from '../../foundation/errors.ts';
import type { Actor } from '../ledger.ts';
import type { App } from './apps.ts';
import type { RateLimits } from './rate-limits.ts';
import { moved, notFound, type Reply, refused } from './replies.ts';
import { type Addresses, numericUrl } from './shapes.ts';
import { fullNameOf, type Issue, type Repository, type State } from './state.ts';
import type { Token } from './tokens.ts';
import type { Webhooks } from './webhooks.ts';

export interface Call {
  readonly state: State;
  readonly webhooks: Webhooks;
  readonly rateLimits: RateLimits;
  readonly at: Addresses;
  readonly method: string;
  readonly token: Token;
  /** The token as the ledger names it. */
  readonly actor: Actor;
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON; undefined when no body was sent. */
  readonly body: unknown;
}

export interface RepositoryCall extends Call {
  readonly repository: Repository;
}

/** Of an App that has signed in as itself. */
export interface AppCall extends Pick<Call, 'state' | 'webhooks' | 'at' | 'params' | 'query'> {
  readonly app: App;
  readonly nowMs: () => number;
}

interface Named {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the API's base, or below the repository. */
  readonly path: string;
  /** Operation id in the official description. */
  readonly operation: string;
}

export type Route =
  | (Named & { readonly scope: 'app'; handle(call: AppCall): Reply })
  | (Named & { readonly scope: 'account'; handle(call: Call): Reply })
  | (Named & { readonly scope: 'repository'; handle(call: RepositoryCall): Reply });

/** Finds the issue of the call, or replies what GitHub replies for one that is not there (any more). */
export function withIssue(call: RepositoryCall, handle: (issue: Issue) => Reply): Reply {
  const issue = call.repository.issues[Number(call.params.number) - 1];
  if (issue === undefined) return notFound;
  const { gone } = issue;
  switch (gone?.kind) {
    case undefined:
      return handle(issue);
    case 'deleted':
      return refused(410, 'This issue was deleted', 'https://docs.github.com/rest/issues/issues#get-an-issue');
    case 'transferred': {
      const { repository, number } = gone.to;
      if (!call.token.sees(fullNameOf(repository))) return notFound;
      return moved(call.method, `${numericUrl(call.at, repository)}/issues/${number}`);
    }
    default:
      return unreachable(gone);
  }
}

/** Refuses a token that may not change labels. */
export function withPush(call: Call, handle: () => Reply): Reply {
  return call.token.canPush ? handle() : refused(403, 'Resource not accessible by personal access token');
}
