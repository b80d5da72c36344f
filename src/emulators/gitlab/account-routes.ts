/** What is asked about the project itself, the token and the user behind it. */
import { notFound, ok, refused } from './replies.ts';
import type { Route } from './routes.ts';
import { projectShape, userShape } from './shapes.ts';

const READ_USER = ['api', 'read_api', 'read_user'] as const;

export const accountRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '',
    scope: 'project',
    operation: 'projects/get',
    handle: (call) => ok(projectShape(call.at, call.project, call.token)),
  },
  {
    method: 'GET',
    path: '/user',
    scope: 'account',
    operation: 'user/get',
    scopes: READ_USER,
    handle: (call) => ok({ ...userShape(call.at, call.state.user(call.token.login)), bot: false }),
  },
  {
    method: 'GET',
    path: '/personal_access_tokens/:id',
    scope: 'account',
    operation: 'personal-access-tokens/get',
    scopes: READ_USER,
    handle: ({ params, token, state }) => {
      if (params.id !== 'self') return notFound();
      if (token.oauth) return refused(400, '400 Bad request - This endpoint requires a personal access token');
      return ok({
        id: 1,
        name: token.id,
        revoked: false,
        created_at: '2026-01-01T00:00:00.000Z',
        scopes: token.scopes,
        user_id: state.user(token.login).id,
        active: true,
        expires_at: '2099-01-01',
      });
    },
  },
];
