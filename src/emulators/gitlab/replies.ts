/** Replies of the API as values, with the words that GitLab itself uses. Refusals are replies like any other. */

export interface Reply {
  readonly status: number;
  /** Sent as JSON; undefined means no body at all, or `text`. */
  readonly body?: unknown;
  /** Sent as plain text. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(body: unknown, headers: Record<string, string> = {}): Reply {
  return { status: 200, body, headers };
}

export function created(body: unknown): Reply {
  return { status: 201, body };
}

export const noContent: Reply = { status: 204 };

/** By GitLab's own code: `{message}`, a text or field by field. */
export function refused(status: number, message: string | Record<string, readonly string[]>): Reply {
  return { status, body: { message } };
}

/** By the framework below it, which reads the parameters: `{error}`. */
export function badParameter(error: string): Reply {
  return { status: 400, body: { error } };
}

export function notFound(what?: 'Project' | 'Issue' | 'Label'): Reply {
  return refused(404, what === undefined ? '404 Not Found' : `404 ${what} Not Found`);
}

export const forbidden: Reply = refused(403, '403 Forbidden');

export const insufficientScope: Reply = {
  status: 403,
  body: {
    error: 'insufficient_scope',
    error_description: 'The request requires higher privileges than provided by the access token.',
    scope: 'api',
  },
};

export const revokedToken: Reply = {
  status: 401,
  body: {
    error: 'invalid_token',
    error_description: 'Token was revoked. You have to re-authorize from the user.',
  },
};
