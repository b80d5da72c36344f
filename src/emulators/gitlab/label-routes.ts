/** Labels of a project. Names are compared letter by letter and hold no comma; a search finds any letter case. */
import { paginate } from './paging.ts';
import { badParameter, created, forbidden, noContent, notFound, ok, type Reply, refused } from './replies.ts';
import { mayLabel, type ProjectCall, type Route } from './routes.ts';
import { labelShape } from './shapes.ts';
import type { Label } from './state.ts';

const COLOR = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i;
const MAX_NAME_LENGTH = 255;

export const labelRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/labels',
    scope: 'project',
    operation: 'labels/list',
    handle: ({ project, query, url }) => {
      const search = query.get('search')?.toLowerCase() ?? '';
      const found = [...project.labels.values()].filter((label) => textOf(label).includes(search));
      const all = found.sort((a, b) => (a.name < b.name ? -1 : 1));
      return paginate({ all, query, url, shape: labelShape });
    },
  },
  { method: 'POST', path: '/labels', scope: 'project', operation: 'labels/create', handle: createLabel },
  {
    method: 'GET',
    path: '/labels/:label',
    scope: 'project',
    operation: 'labels/get',
    handle: (call) => withLabel(call, (label) => ok(labelShape(label))),
  },
  {
    method: 'DELETE',
    path: '/labels/:label',
    scope: 'project',
    operation: 'labels/delete',
    handle: (call) =>
      withLabel(call, (label) => {
        if (!mayLabel(call)) return forbidden;
        for (const issue of call.project.issues) issue.labels.delete(label.name);
        call.project.labels.delete(label.name);
        return noContent;
      }),
  },
];

function createLabel(call: ProjectCall): Reply {
  const { name, color, description } = call.body;
  if (typeof name !== 'string') return badParameter('name is missing');
  if (typeof color !== 'string') return badParameter('color is missing');
  if (!mayLabel(call)) return forbidden;
  if (call.project.labels.has(name)) return refused(409, 'Label already exists');
  if (name.trim() === '' || name.includes(',') || name.length > MAX_NAME_LENGTH) {
    return refused(400, { title: ['is invalid'] });
  }
  if (!COLOR.test(color)) return refused(400, { color: ['must be a valid color code'] });
  const label = call.state.createLabel(call.project, name, color, typeof description === 'string' ? description : null);
  return created(labelShape(label));
}

/** By id or by name. */
function withLabel({ project, params }: ProjectCall, handle: (label: Label) => Reply): Reply {
  const wanted = params.label ?? '';
  const label = project.labels.get(wanted) ?? [...project.labels.values()].find(({ id }) => String(id) === wanted);
  return label === undefined ? notFound('Label') : handle(label);
}

const textOf = ({ name, description }: Label): string => `${name}\n${description ?? ''}`.toLowerCase();
