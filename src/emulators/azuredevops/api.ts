/**
 * From a request to an answer, in Azure DevOps' order: who asks, which version, which collection and project, the route.
 * A function without I/O, so that faults can call it or not.
 */
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Answer } from '../faults.ts';
import type { HttpRequest } from '../http-server.ts';
import { parseJson } from '../json-body.ts';
import type { Limits } from './limits.ts';
import { noPage, type Reply, refused, signInPage } from './replies.ts';
import { projectOf, type Route } from './routes.ts';
import type { Emulated } from './state.ts';
import type { Identified, Token } from './tokens.ts';
import type { Webhooks } from './webhooks.ts';

export interface Api {
  /** `route` is undefined when no route has the path. Never throws. */
  answer(route: Route | undefined, request: HttpRequest, identified: Identified): Answer;
}

export interface ApiDeps {
  readonly state: Emulated;
  readonly webhooks: Webhooks;
  readonly limits: Limits;
  readonly origin: () => string;
  readonly nowMs: () => number;
  readonly queryLimit: number;
}

export function createApi({ state, webhooks, limits, origin, nowMs, queryLimit }: ApiDeps): Api {
  const dress = (reply: Reply, more: Record<string, string> = {}): Answer => ({
    status: reply.status,
    headers: {
      ...(reply.html !== undefined && { 'content-type': 'text/html; charset=utf-8' }),
      ...(reply.body !== undefined && { 'content-type': 'application/json; charset=utf-8; api-version=7.1' }),
      date: new Date(nowMs()).toUTCString(),
      ...more,
      ...reply.headers,
    },
    body: reply.html ?? (reply.body === undefined ? '' : JSON.stringify(reply.body)),
  });

  const replyTo = (route: Route, request: HttpRequest, token: Token): Reply => {
    const { params } = request;
    const query = new URLSearchParams(request.path.split('?')[1] ?? '');
    const path = params.organization ?? `tfs/${params.collection}`;
    const collection = state.collection(path);
    if (collection === undefined) return noPage;
    const outdated = versionProblem(route, request, query);
    if (outdated !== undefined) return outdated;
    // A token without the scope is not told from a wrong one.
    if (route.writes === true && token.scope === 'read') return unauthorized(token.login);
    const project = params.project === undefined ? undefined : projectOf(collection, params.project);
    if (project !== undefined && 'status' in project) return project;
    const body = parseJson(request.body);
    if (body === 'broken') return refused(400, 'VS403403: The body of the request is not valid JSON.');
    return route.handle({
      state,
      webhooks,
      collection,
      project,
      token,
      params,
      query,
      queryLimit,
      base: `${origin()}/${collection.path.split('/').map(encodeURIComponent).join('/')}`,
      actor: { kind: 'token', id: token.id, login: token.login },
      contentType: request.headers['content-type'] ?? '',
      body: body.value,
    });
  };

  return {
    answer(route, request, identified) {
      try {
        switch (identified.kind) {
          case 'missing': {
            const location = `${origin()}/_signin?realm=127.0.0.1&reply_to=${encodeURIComponent(request.path)}`;
            return dress({ status: 302, html: '<h2>Object moved</h2>', headers: { location } });
          }
          case 'wrong':
            return dress({ status: 401, headers: { 'www-authenticate': 'Basic realm="Azure DevOps"' } });
          case 'expired':
            return dress(signInPage);
          case 'known':
            if (route === undefined) return dress(noPage);
            return dress(replyTo(route, request, identified.token), limits.headers(identified.token.id));
          default:
            return unreachable(identified);
        }
      } catch (error) {
        return dress(refused(500, `The emulator failed: ${messageOf(error)}`));
      }
    },
  };
}

function unauthorized(login: string): Reply {
  const message = `TF400813: The user '${login}' is not authorized to access this resource.`;
  return refused(401, message, 'UnauthorizedRequestException');
}

/** Reads may leave the version out, writes not; and a preview is not given to those who do not ask for one. */
function versionProblem(route: Route, { method, headers }: HttpRequest, query: URLSearchParams): Reply | undefined {
  if (method === 'OPTIONS') return undefined;
  const version = query.get('api-version') ?? /api-version=([\w.-]+)/.exec(headers.accept ?? '')?.[1];
  if (version === undefined) {
    if (method === 'GET') return undefined;
    const message = `No api-version was supplied for the "${method}" request. The version must be supplied either as part of the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").`;
    return refused(400, message, 'VssVersionNotSpecifiedException');
  }
  if (route.preview !== true || version.includes('-preview')) return undefined;
  const message = `The requested version "${version}" of the resource is under preview. The -preview flag must be supplied in the api-version for such requests. For example: "${version}-preview"`;
  return refused(400, message, 'VssInvalidPreviewVersionException');
}
