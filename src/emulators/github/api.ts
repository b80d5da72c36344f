/**
 * From a request to an answer, in GitHub's order: who asks, preconditions, rate limit, which repository, the cached
 * ETag, the route. A function without I/O, so that faults can call it or not.
 */
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Answer } from '../faults.ts';
import type { HttpRequest } from '../http-server.ts';
import { parseJson } from '../json-body.ts';
import type { IdentifiedApp } from './apps.ts';
import { createETags, namesETag } from './etags.ts';
import type { RateLimits } from './rate-limits.ts';
import { lacksPermission, moved, notFound, type Reply, refused } from './replies.ts';
import type { Call, Route } from './routes.ts';
import { type Addresses, numericUrl } from './shapes.ts';
import { fullNameOf, isTaken, type Repository, type State } from './state.ts';
import type { Identified, Token } from './tokens.ts';
import type { Webhooks } from './webhooks.ts';

/** Where a GitHub Enterprise Server keeps its API. */
export const API_BASE = '/api/v3';

const CONDITIONAL_HEADERS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'];

export interface Api {
  /** `route` is undefined when no route has the path. Never throws. */
  answer(route: Route | undefined, request: HttpRequest, identified: Identified | IdentifiedApp): Answer;
}

export interface ApiDeps {
  readonly state: State;
  readonly webhooks: Webhooks;
  readonly rateLimits: RateLimits;
  readonly at: () => Addresses;
  readonly nowMs: () => number;
}

export function createApi({ state, webhooks, rateLimits, at, nowMs }: ApiDeps): Api {
  const etags = createETags();
  let lastRequest = 0;

  const dress = (reply: Reply, tokenHeaders: Record<string, string> = {}): Answer => {
    lastRequest += 1;
    const body = reply.body === undefined ? '' : JSON.stringify(reply.body);
    return {
      status: reply.status,
      headers: {
        ...(body === '' ? {} : { 'content-type': 'application/json; charset=utf-8' }),
        // Of the same clock as the reset of the rate limit: clients subtract one from the other.
        date: new Date(nowMs()).toUTCString(),
        vary: 'Accept, Authorization, Cookie, X-GitHub-OTP',
        'x-github-media-type': 'github.v3; format=json',
        'x-github-request-id': lastRequest.toString(16).padStart(8, '0').toUpperCase(),
        ...tokenHeaders,
        ...reply.headers,
      },
      body,
    };
  };

  const answerTo = (route: Route | undefined, request: HttpRequest, token: Token): Answer => {
    const isUnsafe = request.method !== 'GET';
    if (isUnsafe && CONDITIONAL_HEADERS.some((name) => request.headers[name] !== undefined)) {
      const message = 'Conditional request headers are not allowed in unsafe requests unless supported by the endpoint';
      return dress(refused(400, message), rateLimits.headers(token.id));
    }
    const isFree = route?.operation === 'rate-limit/get';
    const exhausted = isFree ? undefined : rateLimits.refusal(token.id);
    if (exhausted !== undefined) return dress(exhausted, rateLimits.headers(token.id));
    const reply = route === undefined ? notFound : replyTo(route, request, token);
    if (!isFree && reply.status !== 304) rateLimits.spend(token.id);
    const scopes = token.scopes === undefined ? {} : { 'x-oauth-scopes': token.scopes.join(', ') };
    return dress(reply, { ...rateLimits.headers(token.id), ...scopes });
  };

  const replyTo = (route: Route, request: HttpRequest, token: Token): Reply => {
    const found = route.scope === 'repository' ? findRepository(state, at(), request, token) : undefined;
    if (found?.kind === 'refused') return found.reply;
    const repository = found?.repository;
    const barred = repository && whyBarred(route, request.method, token, repository);
    if (barred !== undefined) return barred;

    const isCacheable = request.method === 'GET' && !isAlwaysFresh(route);
    const version = repository?.version ?? 0;
    const ifNoneMatch = request.headers['if-none-match'];
    const known = isCacheable ? etags.known(token.etagSalt, request.path, version) : undefined;
    if (known !== undefined && namesETag(ifNoneMatch, known)) return notModified(known);

    const body = parseJson(request.body);
    if (body === 'broken') return refused(400, 'Problems parsing JSON');
    const call: Call = {
      state,
      webhooks,
      rateLimits,
      at: at(),
      method: request.method,
      token,
      actor: { kind: 'token', id: token.id, login: token.login },
      params: request.params,
      query: queryOf(request),
      body: body.value,
    };
    const reply = handle(route, call, repository);
    if (!isCacheable || reply.status !== 200) return reply;

    const etag = etags.remember(token.etagSalt, request.path, version, JSON.stringify([reply.body, reply.headers]));
    if (namesETag(ifNoneMatch, etag)) return notModified(etag);
    return { ...reply, headers: { ...reply.headers, etag, 'cache-control': 'private, max-age=60, s-maxage=60' } };
  };

  return {
    answer(route, request, identified) {
      try {
        switch (identified.kind) {
          case 'missing':
            return dress(refused(401, 'Requires authentication'));
          case 'wrong':
            return dress(refused(401, 'Bad credentials'));
          case 'unusable':
            return dress(refused(401, identified.message));
          case 'app':
            return dress(
              route?.scope === 'app'
                ? route.handle({
                    at: at(),
                    state,
                    webhooks,
                    nowMs,
                    params: request.params,
                    query: queryOf(request),
                    app: identified.app,
                  })
                : refused(401, 'Bad credentials'),
            );
          case 'known':
            return answerTo(route, request, identified.token);
          default:
            return unreachable(identified);
        }
      } catch (error) {
        return dress(refused(500, `The emulator failed: ${messageOf(error)}`));
      }
    },
  };
}

const queryOf = ({ path }: HttpRequest): URLSearchParams => new URLSearchParams(path.split('?')[1] ?? '');

/** What is spent and what was delivered changes without the repository. */
const isAlwaysFresh = ({ operation }: Route): boolean =>
  operation === 'rate-limit/get' || operation.includes('webhook');

function handle(route: Route, call: Call, repository: Repository | undefined): Reply {
  switch (route.scope) {
    case 'app':
      return refused(401, 'A JSON web token could not be decoded');
    case 'account':
      return route.handle(call);
    case 'repository':
      return repository === undefined ? notFound : route.handle({ ...call, repository });
    default:
      return unreachable(route);
  }
}

/** What the repository refuses to anybody, and what this token may not do although its account may. */
function whyBarred(route: Route, method: string, token: Token, repository: Repository): Reply | undefined {
  if (!route.operation.startsWith('issues/')) return undefined;
  const needed = method === 'GET' ? 'read' : 'write';
  if (token.issues !== 'write' && token.issues !== needed) return lacksPermission(token, `issues=${needed}`);
  if (!repository.hasIssues && route.path.startsWith('/issues')) {
    return refused(410, 'Issues are disabled for this repo');
  }
  if (repository.archived && method !== 'GET') return refused(403, 'Repository was archived so is read-only.');
  return undefined;
}

type Found =
  | { readonly kind: 'found'; readonly repository: Repository }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** By number or by name; a former name leads to the number. What a token does not see is not there. */
function findRepository(state: State, at: Addresses, request: HttpRequest, token: Token): Found {
  const { id, owner, repo } = request.params;
  const name = `${owner}/${repo}`;
  const repository = id === undefined ? state.findByName(name) : state.findById(Number(id));
  if (repository === undefined || !token.sees(fullNameOf(repository))) return { kind: 'refused', reply: notFound };
  if (id !== undefined || isTaken(repository, name)) return { kind: 'found', repository };
  const rest = request.path.replace(/^\/api\/v3\/repos\/[^/?]+\/[^/?]+/, '');
  return { kind: 'refused', reply: moved(request.method, `${numericUrl(at, repository)}${rest}`) };
}

/** A 304 carries the ETag again, and neither a body nor `Link`. */
function notModified(etag: string): Reply {
  return { status: 304, headers: { etag, 'cache-control': 'private, max-age=60, s-maxage=60' } };
}
