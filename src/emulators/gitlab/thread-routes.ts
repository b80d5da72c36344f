/** What is written under an issue, and who set which label. */
import { paginate } from './paging.ts';
import { badParameter, created, forbidden, refused } from './replies.ts';
import { type Route, withIssue } from './routes.ts';
import { labelEventShape, noteShape } from './shapes.ts';
import { ACCESS_LEVELS } from './tokens.ts';

const MAX_NOTE_LENGTH = 1_000_000;

export const threadRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/issues/:iid/notes',
    scope: 'project',
    operation: 'notes/list',
    handle: (call) =>
      withIssue(call, (issue) => {
        const { query, url, at } = call;
        const filter = query.get('activity_filter') ?? 'all_notes';
        const all = issue.notes.filter(
          ({ system }) => filter === 'all_notes' || system === (filter === 'only_activity'),
        );
        if (query.get('sort') !== 'asc') all.reverse();
        return paginate({ all, query, url, shape: (note) => noteShape(at, issue, note) });
      }),
  },
  {
    method: 'POST',
    path: '/issues/:iid/notes',
    scope: 'project',
    operation: 'notes/create',
    handle: (call) =>
      withIssue(call, (issue) => {
        const { body } = call.body;
        if (typeof body !== 'string') return badParameter('body is missing');
        if (call.token.accessLevel < ACCESS_LEVELS.guest) return forbidden;
        if (body.trim() === '') return refused(400, { note: ["can't be blank"] });
        if (body.length > MAX_NOTE_LENGTH)
          return refused(400, { note: ['is too long (maximum is 1000000 characters)'] });
        return created(noteShape(call.at, issue, call.state.comment(issue, body, call.actor)));
      }),
  },
  {
    method: 'GET',
    path: '/issues/:iid/resource_label_events',
    scope: 'project',
    operation: 'label-events/list',
    handle: (call) =>
      withIssue(call, (issue) => {
        const { query, url, at } = call;
        return paginate({ all: issue.labelEvents, query, url, shape: (event) => labelEventShape(at, issue, event) });
      }),
  },
];
