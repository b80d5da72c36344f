/** What is asked about the repository itself, the token and the server. */
import { authenticatedUserShape, rateLimitShape, repositoryShape } from './account-shapes.ts';
import { ok, refused } from './replies.ts';
import type { Route } from './routes.ts';

export const accountRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '',
    scope: 'repository',
    operation: 'repos/get',
    handle: (call) => ok(repositoryShape(call.at, call.repository, call.token)),
  },
  {
    method: 'GET',
    path: '/user',
    scope: 'account',
    operation: 'users/get-authenticated',
    handle: (call) =>
      call.token.isInstallation
        ? refused(403, 'Resource not accessible by integration')
        : ok(authenticatedUserShape(call.at, call.state.user(call.token.login))),
  },
  {
    method: 'GET',
    path: '/rate_limit',
    scope: 'account',
    operation: 'rate-limit/get',
    handle: (call) => ok(rateLimitShape(call.rateLimits.window(call.token.id))),
  },
  {
    method: 'GET',
    path: '/meta',
    scope: 'account',
    operation: 'meta/get',
    handle: () => ok({ verifiable_password_authentication: true }),
  },
];
