/** Replies of the API as values, with the codes and words that Azure DevOps uses. Refusals are replies like any other. */

export interface Reply {
  readonly status: number;
  /** Sent as JSON; undefined means no body at all. */
  readonly body?: unknown;
  /** Sent as a page instead of JSON. */
  readonly html?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(body: unknown): Reply {
  return { status: 200, body };
}

/** Lists are wrapped everywhere but in the comments. */
export function list(value: readonly unknown[]): Reply {
  return ok({ count: value.length, value });
}

export function refused(status: number, message: string, typeKey = 'VssServiceException'): Reply {
  return {
    status,
    body: {
      $id: '1',
      innerException: null,
      message,
      typeName: `Microsoft.VisualStudio.Services.Common.${typeKey}, Microsoft.VisualStudio.Services.Common`,
      typeKey,
      errorCode: 0,
      eventId: 3000,
    },
  };
}

export function noProject(name: string): Reply {
  const message = `VS800075: The project with id 'vstfs:///Classification/TeamProject/${name}' does not exist, or you do not have permission to access it.`;
  return refused(404, message, 'ProjectDoesNotExistException');
}

export function noWorkItem(id: number | string): Reply {
  const message = `TF401232: Work item ${id} does not exist, or you do not have permissions to read it.`;
  return refused(404, message, 'WorkItemUnauthorizedAccessException');
}

/** For addresses that are none of the API's: a page, as a web server has it. */
export const noPage: Reply = {
  status: 404,
  html: '<!DOCTYPE html><title>404</title><h1>The resource cannot be found.</h1>',
};

/** What an expired token gets, and Azure DevOps means it: a success with the page on which people sign in. */
export const signInPage: Reply = {
  status: 203,
  html: '<!DOCTYPE html><html lang="en-US"><head><title>Azure DevOps Services | Sign In</title></head><body></body></html>',
};
