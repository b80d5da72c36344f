/**
 * From a request to an answer, in GitLab's order: who asks, rate limit, scope, which project, the route. A function
 * without I/O, so that faults can call it or not.
 */
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Answer } from '../faults.ts';
import type { HttpRequest } from '../http-server.ts';
import type { RateLimits } from './rate-limits.ts';
import { badParameter, insufficientScope, notFound, type Reply, refused, revokedToken } from './replies.ts';
import type { Call, Route } from './routes.ts';
import type { Addresses } from './shapes.ts';
import { isNamed, type Project, type State } from './state.ts';
import type { Identified, Scope, Token } from './tokens.ts';
import type { Webhooks } from './webhooks.ts';

export interface Api {
  /** `route` is undefined when no route has the path. Never throws. */
  answer(route: Route | undefined, request: HttpRequest, identified: Identified): Answer;
}

export interface ApiDeps {
  readonly state: State;
  readonly webhooks: Webhooks;
  readonly rateLimits: RateLimits;
  readonly at: () => Addresses;
  readonly nowMs: () => number;
}

export function createApi({ state, webhooks, rateLimits, at, nowMs }: ApiDeps): Api {
  const dress = (reply: Reply): Answer => ({
    status: reply.status,
    headers: {
      ...(reply.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(reply.text === undefined ? {} : { 'content-type': 'text/plain' }),
      // Of the same clock as the reset of the rate limit: clients subtract one from the other.
      date: new Date(nowMs()).toUTCString(),
      ...reply.headers,
    },
    body: reply.text ?? (reply.body === undefined ? '' : JSON.stringify(reply.body)),
  });

  const replyTo = (route: Route | undefined, request: HttpRequest, token: Token): Reply => {
    if (route === undefined) return { status: 404, body: { error: '404 Not Found' } };
    if (!scopesOf(route).some((scope) => token.scopes.includes(scope))) return insufficientScope;
    const found = route.scope === 'project' ? findProject(state, at(), request, token) : undefined;
    if (found?.kind === 'refused') return found.reply;
    const query = new URLSearchParams(request.path.split('?')[1] ?? '');
    const body = readBody(request.body);
    if (body === undefined) return badParameter('Problem parsing the JSON body');
    const call: Call = {
      state,
      webhooks,
      at: at(),
      nowMs,
      url: `${new URL(at().api).origin}${request.path.split('?')[0]}`,
      token,
      actor: { kind: 'token', id: token.id, login: token.login },
      params: request.params,
      query,
      body: { ...Object.fromEntries(query), ...body },
    };
    return handle(route, call, found?.project);
  };

  return {
    answer(route, request, identified) {
      try {
        switch (identified.kind) {
          case 'missing':
          case 'wrong':
            return dress(refused(401, '401 Unauthorized'));
          case 'revoked':
            return dress(revokedToken);
          case 'known': {
            const { token } = identified;
            const exhausted = rateLimits.refusal(token.id);
            if (exhausted !== undefined) return dress(exhausted);
            const reply = replyTo(route, request, token);
            rateLimits.spend(token.id);
            return dress({ ...reply, headers: { ...rateLimits.headers(token.id), ...reply.headers } });
          }
          default:
            return unreachable(identified);
        }
      } catch (error) {
        return dress(refused(500, `The emulator failed: ${messageOf(error)}`));
      }
    },
  };
}

function scopesOf(route: Route): readonly Scope[] {
  return route.scopes ?? (route.method === 'GET' ? ['api', 'read_api'] : ['api']);
}

function handle(route: Route, call: Call, project: Project | undefined): Reply {
  switch (route.scope) {
    case 'account':
      return route.handle(call);
    case 'project':
      return project === undefined ? notFound('Project') : route.handle({ ...call, project });
    default:
      return unreachable(route);
  }
}

type Found =
  | { readonly kind: 'found'; readonly project: Project }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** By number or by path. What a token does not see is not there. By a former path only reads are helped on. */
function findProject(state: State, at: Addresses, request: HttpRequest, token: Token): Found {
  const { project: id = '' } = request.params;
  const project = /^\d+$/.test(id) ? state.findById(Number(id)) : state.findByPath(id);
  if (project === undefined || !token.sees(project.path)) return { kind: 'refused', reply: notFound('Project') };
  if (id === String(project.id) || isNamed(project, id)) return { kind: 'found', project };
  if (request.method !== 'GET') {
    return { kind: 'refused', reply: refused(405, 'Non GET methods are not allowed for moved projects') };
  }
  const rest = request.path.slice(request.path.indexOf('/projects/') + '/projects/'.length).replace(/^[^/?]+/, '');
  const location = `${at.api}/projects/${project.id}${rest}`;
  const text = `This resource has been moved permanently to ${location}.`;
  return { kind: 'refused', reply: { status: 301, text, headers: { location } } };
}

/** An empty body is none; undefined when it is no JSON object. */
function readBody(text: string): Record<string, unknown> | undefined {
  if (text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined; // Not hidden: the caller answers 400.
  }
}
