/** What an App asks about itself, and how it gets a token for an installation. */
import { listedRepositoryShape } from './account-shapes.ts';
import type { Installation } from './apps.ts';
import { notFound, ok, type Reply, refused } from './replies.ts';
import type { AppCall, Route } from './routes.ts';
import { nodeId, timestamp, userShape } from './shapes.ts';
import { fullNameOf } from './state.ts';

export const appRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/app',
    scope: 'app',
    operation: 'apps/get-authenticated',
    handle: (call) => ok(appShape(call)),
  },
  {
    method: 'GET',
    path: '/app/installations/:id',
    scope: 'app',
    operation: 'apps/get-installation',
    handle: (call) => withInstallation(call, (installation) => ok(installationShape(call, installation))),
  },
  {
    method: 'POST',
    path: '/app/installations/:id/access_tokens',
    scope: 'app',
    operation: 'apps/create-installation-access-token',
    handle: (call) =>
      withInstallation(call, (installation) => {
        if (installation.suspendedAtMs !== undefined) return refused(403, 'This installation has been suspended');
        const { token, expiresAtMs } = call.app.mint(installation);
        return {
          status: 201,
          body: {
            token,
            expires_at: timestamp(expiresAtMs),
            permissions: permissionsOf(installation),
            repository_selection: selectionOf(installation),
          },
        };
      }),
  },
  {
    method: 'GET',
    path: '/installation/repositories',
    scope: 'account',
    operation: 'apps/list-repos-accessible-to-installation',
    handle({ at, state, token }) {
      if (!token.isInstallation) {
        return refused(403, 'You must authenticate with an installation access token in order to list repositories');
      }
      const seen = state.repositories().filter((repository) => token.sees(fullNameOf(repository)));
      return ok({
        total_count: seen.length,
        repositories: seen.map((repository) => listedRepositoryShape(at, repository, token)),
      });
    },
  },
];

function withInstallation({ app, params }: AppCall, handle: (installation: Installation) => Reply): Reply {
  const installation = app.installations.get(Number(params.id));
  return installation === undefined ? notFound : handle(installation);
}

function permissionsOf({ issues, webhooks }: Installation): Record<string, string> {
  return {
    metadata: 'read',
    ...(issues === 'none' ? {} : { issues }),
    ...(webhooks === 'none' ? {} : { repository_hooks: webhooks }),
  };
}

const selectionOf = ({ repositories }: Installation): 'all' | 'selected' =>
  repositories === undefined ? 'all' : 'selected';

const EPOCH = '2020-01-01T00:00:00Z';

function appShape({ at, state, app }: AppCall) {
  return {
    id: app.appId,
    slug: app.slug,
    node_id: nodeId('App', app.appId),
    client_id: app.clientId,
    owner: userShape(at, state.user('org')),
    name: app.slug,
    description: null,
    external_url: at.origin,
    html_url: `${at.origin}/apps/${app.slug}`,
    created_at: EPOCH,
    updated_at: EPOCH,
    permissions: { metadata: 'read', issues: 'write' },
    events: [],
    installations_count: app.installations.size,
  };
}

function installationShape({ at, state, app }: AppCall, installation: Installation) {
  const { id, account, suspendedAtMs } = installation;
  const owner = state.user(account);
  return {
    id,
    account: userShape(at, owner),
    repository_selection: selectionOf(installation),
    access_tokens_url: `${at.api}/app/installations/${id}/access_tokens`,
    repositories_url: `${at.api}/installation/repositories`,
    html_url: `${at.origin}/organizations/${account}/settings/installations/${id}`,
    app_id: app.appId,
    client_id: app.clientId,
    app_slug: app.slug,
    target_id: owner.id,
    target_type: 'Organization',
    permissions: permissionsOf(installation),
    events: [],
    created_at: EPOCH,
    updated_at: EPOCH,
    single_file_name: null,
    suspended_by: suspendedAtMs === undefined ? null : userShape(at, owner),
    suspended_at: suspendedAtMs === undefined ? null : timestamp(suspendedAtMs),
  };
}
