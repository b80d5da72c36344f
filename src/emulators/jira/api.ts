/**
 * From a request to an answer: who asks, the rate limit, the route. A function without I/O, so that faults can call it
 * or not.
 */
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Answer } from '../faults.ts';
import type { HttpRequest } from '../http-server.ts';
import { parseJson } from '../json-body.ts';
import { type Account, ANONYMOUS, type Identified } from './accounts.ts';
import { type Reply, refused, unauthenticated } from './replies.ts';
import type { Call, Route } from './routes.ts';
import type { TokenBuckets } from './token-buckets.ts';

/** What a call needs beside the request and its account. */
export type Surroundings = Pick<Call, 'deployment' | 'state' | 'index' | 'at' | 'pageLimit'>;

export interface ApiDeps {
  readonly surroundings: () => Surroundings;
  readonly buckets: TokenBuckets;
  /** What a failed login gets: a 401, or what somebody without an account would see. Jira does both. */
  readonly failedLogin: () => 'refused' | 'anonymous';
  readonly nowMs: () => number;
}

export interface Api {
  /** `route` is undefined when no route has the path. Never throws. */
  answer(route: Route | undefined, request: HttpRequest, identified: Identified): Answer;
}

export function createApi({ surroundings, buckets, failedLogin, nowMs }: ApiDeps): Api {
  const dress = (reply: Reply, more: Record<string, string> = {}): Answer => {
    const body = reply.body === undefined ? '' : JSON.stringify(reply.body);
    return {
      status: reply.status,
      headers: {
        ...(body === '' ? {} : { 'content-type': 'application/json;charset=UTF-8' }),
        // Of the same clock as the reset of a limit: clients subtract one from the other.
        date: new Date(nowMs()).toUTCString(),
        ...more,
        ...reply.headers,
      },
      body,
    };
  };

  const replyTo = (route: Route, request: HttpRequest, account: Account): Reply => {
    const body = parseJson(request.body);
    if (body === 'broken')
      return refused(400, 'There was an error parsing JSON. Check that your request body is valid.');
    return route.handle({
      ...surroundings(),
      account,
      actor: { kind: 'token', id: account.id, login: account.login },
      params: request.params,
      query: new URLSearchParams(request.path.split('?')[1] ?? ''),
      body: body.value,
      nowMs: nowMs(),
    });
  };

  const answerTo = (route: Route | undefined, request: HttpRequest, account: Account): Reply => {
    const empty = buckets.spend(account.id);
    if (empty !== undefined) return empty;
    return route === undefined ? refused(404, 'null for uri') : replyTo(route, request, account);
  };

  return {
    answer(route, request, identified) {
      try {
        switch (identified.kind) {
          case 'missing':
            return dress(unauthenticated);
          case 'wrong': {
            const failed = { 'x-seraph-loginreason': 'AUTHENTICATED_FAILED', 'x-ausername': 'anonymous' };
            return failedLogin() === 'refused'
              ? dress(unauthenticated, failed)
              : dress(answerTo(route, request, ANONYMOUS), failed);
          }
          case 'known': {
            const { account } = identified;
            const reply = answerTo(route, request, account);
            return dress(reply, buckets.headers(account.id));
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
