/** Replies of the API as values, in the words and the shape that Jira itself uses. Refusals are replies like any other. */

export interface Reply {
  readonly status: number;
  /** Sent as JSON; undefined means no body at all. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

export const noContent: Reply = { status: 204 };

/** A refusal in words. */
export function refused(status: number, ...errorMessages: readonly string[]): Reply {
  return { status, body: { errorMessages, errors: {} } };
}

/** A refusal of single fields. */
export function invalid(errors: Readonly<Record<string, string>>): Reply {
  return { status: 400, body: { errorMessages: [], errors } };
}

export const noIssue: Reply = refused(404, 'Issue does not exist or you do not have permission to see it.');

/** Said of a field that is not on the screen, and of every field to who may not edit the issue at all. */
export function notOnScreen(field: string): Reply {
  return invalid({ [field]: `Field '${field}' cannot be set. It is not on the appropriate screen, or unknown.` });
}

export const unauthenticated: Reply = {
  ...refused(401, 'Client must be authenticated to access this resource.'),
  headers: { 'www-authenticate': 'Basic realm="Jira"' },
};
