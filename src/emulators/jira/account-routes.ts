/** Who am I, what may I do, and where. */
import { ok, type Reply, refused, unauthenticated } from './replies.ts';
import { type Call, listIn, type Route } from './routes.ts';
import { projectShape, userShape } from './shapes.ts';
import type { Project } from './state.ts';

const PERMISSIONS: Readonly<Record<string, { readonly name: string; has(call: Call): boolean }>> = {
  BROWSE_PROJECTS: { name: 'Browse Projects', has: () => true },
  EDIT_ISSUES: { name: 'Edit Issues', has: ({ account }) => account.canEdit },
  ADD_COMMENTS: { name: 'Add Comments', has: ({ account }) => account.canComment },
  ADMINISTER: { name: 'Administer Jira', has: ({ account }) => account.isAdmin },
};

export const accountRoutes: readonly Route[] = [
  { method: 'GET', path: '/myself', operation: 'myself', handle: myself },
  { method: 'GET', path: '/mypermissions', operation: 'mypermissions', handle: myPermissions },
  {
    method: 'GET',
    path: '/project/:project',
    operation: 'project/get',
    handle: (call) => {
      const key = call.params.project ?? '';
      const project = visibleProject(call, key);
      return project === undefined ? noProject(key) : ok(projectShape(call.at, project));
    },
  },
];

function myself(call: Call): Reply {
  const { login, email, id } = call.account;
  if (id === 'anonymous') return unauthenticated;
  return ok({ ...userShape(call.at, call.state.user(login)), emailAddress: email, locale: 'en_US' });
}

function myPermissions(call: Call): Reply {
  const asked = listIn(call.query, 'permissions');
  // Cloud wants to be told which; Data Center answers all that there are.
  if (asked.length === 0 && call.deployment === 'cloud') {
    return refused(400, "The 'permissions' query parameter is required.");
  }
  const unknown = asked.find((key) => PERMISSIONS[key] === undefined);
  if (unknown !== undefined) return refused(400, `Unrecognized permission: ${unknown}`);
  const key = call.query.get('projectKey');
  if (key !== null && visibleProject(call, key) === undefined) return noProject(key);
  const shown = Object.entries(PERMISSIONS)
    .filter(([name]) => asked.length === 0 || asked.includes(name))
    .map(([name, permission], position) => [
      name,
      {
        id: String(position + 10),
        key: name,
        name: permission.name,
        type: name === 'ADMINISTER' ? 'GLOBAL' : 'PROJECT',
        description: permission.name,
        havePermission: permission.has(call),
      },
    ]);
  return ok({ permissions: Object.fromEntries(shown) });
}

function visibleProject(call: Call, key: string): Project | undefined {
  const project = call.state.project(key);
  return project !== undefined && call.account.sees(project.key) ? project : undefined;
}

const noProject = (key: string): Reply => refused(404, `No project could be found with key '${key}'.`);
