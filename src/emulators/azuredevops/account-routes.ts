/** Who is asking, what there is, and what the asker may do: nothing here is about one work item. */
import { guidOf } from './identities.ts';
import { LOCATIONS, RESOURCE_AREAS } from './locations.ts';
import { list, noProject, ok, type Reply } from './replies.ts';
import type { Call, Route } from './routes.ts';
import { findProject, type Project, STATES } from './state.ts';

/** Security namespaces: areas with work items, tags, service hooks. */
const AREAS = '83e28ad4-2d72-4ceb-97b0-c7726d5502c3';
const EDIT_WORK_ITEMS = '32';
const TAGGING = 'bb50f182-8e5e-40b8-bc21-e8752a1e7ae2';
const CREATE_TAGS = '2';
const SERVICE_HOOKS = 'cb594ebe-87dd-4fc9-ac2c-6a10a4c92046';
const VIEW_SUBSCRIPTIONS = '1';

export const accountRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '_apis/connectionData',
    below: 'collection',
    operation: 'location/connectionData',
    preview: true,
    handle: connectionData,
  },
  {
    method: 'GET',
    path: '_apis/resourceAreas',
    below: 'collection',
    operation: 'location/resourceAreas',
    preview: true,
    // A server has no areas of its own: everything is at the collection.
    handle: ({ collection, base }) =>
      list(collection.path.includes('/') ? [] : RESOURCE_AREAS.map((area) => ({ ...area, locationUrl: `${base}/` }))),
  },
  {
    method: 'OPTIONS',
    path: '_apis/:area',
    below: 'collection',
    operation: 'locations',
    handle: ({ params }) => list(LOCATIONS.filter(({ area }) => area.toLowerCase() === params.area?.toLowerCase())),
  },
  {
    method: 'GET',
    path: '_apis/projects',
    below: 'collection',
    operation: 'core/projects',
    handle: ({ collection, base }) =>
      list([...new Set(collection.projects.values())].map((each) => projectShape(base, each))),
  },
  {
    method: 'GET',
    path: '_apis/projects/:name',
    below: 'collection',
    operation: 'core/projects/get',
    handle: ({ collection, base, params: { name = '' } }) => {
      const project = findProject(collection, name);
      return project === undefined ? noProject(name) : ok(projectShape(base, project));
    },
  },
  {
    method: 'GET',
    path: '_apis/wit/tags',
    below: 'project',
    operation: 'wit/tags',
    preview: true,
    handle: (call) =>
      withProject(call, ({ tags }) => list([...tags.values()].map((name) => ({ id: guidOf(name), name })))),
  },
  {
    method: 'GET',
    path: '_apis/wit/classificationNodes',
    below: 'project',
    operation: 'wit/classificationNodes',
    handle: (call) =>
      withProject(call, ({ name, areaId }) =>
        list([
          { id: 1, identifier: areaId, name, structureType: 'area', hasChildren: false, path: `\\${name}\\Area` },
          {
            id: 2,
            identifier: guidOf(areaId),
            name,
            structureType: 'iteration',
            hasChildren: false,
            path: `\\${name}\\Iteration`,
          },
        ]),
      ),
  },
  {
    method: 'GET',
    path: '_apis/wit/workItemTypes/:type/states',
    below: 'project',
    operation: 'wit/workItemTypeStates',
    handle: () => list(Object.entries(STATES).map(([name, category]) => ({ name, color: 'b2b2b2', category }))),
  },
  {
    method: 'GET',
    path: '_apis/permissions/:namespace/:permission',
    below: 'collection',
    operation: 'security/permissions',
    handle: permissions,
  },
];

function connectionData({ token, collection }: Call): Reply {
  const id = guidOf(token.login);
  const user = {
    id,
    descriptor: `Microsoft.IdentityModel.Claims.ClaimsIdentity;${id}\\${token.login}`,
    subjectDescriptor: `aad.${id}`,
    providerDisplayName: token.login,
    isActive: true,
    properties: { Account: { $type: 'System.String', $value: token.login } },
  };
  return ok({
    authenticatedUser: user,
    authorizedUser: user,
    instanceId: guidOf(collection.path),
    deploymentType: 'hosted',
  });
}

/** Of the account: what its token may do is another matter, and not seen here. */
function permissions({ params, query, token, collection }: Call): Reply {
  const { namespace, permission } = params;
  const projects = [...collection.projects.values()];
  const granted = (query.get('tokens') ?? '').split(',').map((asked) => {
    const isArea = projects.some(({ areaId }) => asked.endsWith(areaId));
    if (namespace === AREAS && permission === EDIT_WORK_ITEMS && isArea) return token.canEdit;
    const isTags = projects.some(({ id }) => asked === `/${id}`);
    if (namespace === TAGGING && permission === CREATE_TAGS && isTags) return token.canCreateTags;
    const isPublisher = projects.some(({ id }) => asked === `PublisherSecurity/${id}`);
    return namespace === SERVICE_HOOKS && permission === VIEW_SUBSCRIPTIONS && isPublisher && token.canViewHooks;
  });
  return list(granted);
}

function projectShape(base: string, { id, name }: Project) {
  return { id, name, url: `${base}/_apis/projects/${id}`, state: 'wellFormed', revision: 1, visibility: 'private' };
}

function withProject({ project }: Call, handle: (project: Project) => Reply): Reply {
  return project === undefined ? noProject('') : handle(project);
}
