/** Replies of the API as values, with the messages that GitHub itself uses. Refusals are replies like any other. */
import type { Token } from './tokens.ts';

export interface Reply {
  readonly status: number;
  /** Sent as JSON; undefined means no body at all. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One entry of `errors` in a 422. */
export interface FieldProblem {
  readonly resource: 'Label' | 'Issue' | 'IssueComment' | 'PullRequest' | 'Search';
  readonly field: string;
  readonly code: 'missing_field' | 'invalid' | 'already_exists' | 'custom';
  readonly message?: string;
  readonly value?: string;
}

const DOCS = 'https://docs.github.com/rest';

export function ok(body: unknown, headers: Record<string, string> = {}): Reply {
  return { status: 200, body, headers };
}

export function created(body: { url: string }): Reply {
  return { status: 201, body, headers: { location: body.url } };
}

export const noContent: Reply = { status: 204 };

export function refused(status: number, message: string, documentationUrl = DOCS): Reply {
  return { status, body: { message, documentation_url: documentationUrl, status: String(status) } };
}

export const notFound: Reply = refused(404, 'Not Found');

/** What a fine-grained token or an App is told that its owner has not given this permission, `issues=write`. */
export function lacksPermission(token: Pick<Token, 'isInstallation'>, permission: string): Reply {
  const kind = token.isInstallation ? 'integration' : 'personal access token';
  const reply = refused(403, `Resource not accessible by ${kind}`);
  return { ...reply, headers: { 'x-accepted-github-permissions': permission } };
}

export function invalid(...errors: FieldProblem[]): Reply {
  return {
    status: 422,
    body: { message: 'Validation Failed', errors, documentation_url: DOCS },
  };
}

/** 301 for reads and 307 for writes, as recorded from the real API. */
export function moved(method: string, location: string): Reply {
  return {
    status: method === 'GET' ? 301 : 307,
    body: { message: 'Moved Permanently', url: location, documentation_url: `${DOCS}/using-the-rest-api` },
    headers: { location },
  };
}
