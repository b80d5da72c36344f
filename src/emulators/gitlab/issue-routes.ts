/** Issues: listing, reading, opening, editing with their labels, moving to another project. */
import { paginate } from './paging.ts';
import { badParameter, created, forbidden, notFound, ok, type Reply, refused } from './replies.ts';
import { commaList, mayLabel, type ProjectCall, type Route, withIssue } from './routes.ts';
import { issueShape } from './shapes.ts';
import { ISSUE_TYPES, type Issue, type IssueType } from './state.ts';

/** Real parameters that are not emulated: refused aloud, because an ignored filter would answer too much. */
const NOT_EMULATED = /^(milestone|author|assignee|search|in$|my_reaction|confidential|due_date|weight|epic|iteration)/;
const ORDERS = [
  'created_at',
  'updated_at',
  'title',
  'due_date',
  'label_priority',
  'milestone_due',
  'popularity',
  'priority',
  'relative_position',
];
/** What every issue is called when labels are asked for in general; no label can be found under these names. */
const ANY = 'any';
const NONE = 'none';

export const issueRoutes: readonly Route[] = [
  { method: 'GET', path: '/issues', scope: 'project', operation: 'issues/list', handle: listIssues },
  { method: 'POST', path: '/issues', scope: 'project', operation: 'issues/create', handle: createIssue },
  {
    method: 'GET',
    path: '/issues/:iid',
    scope: 'project',
    operation: 'issues/get',
    handle: (call) => withIssue(call, (issue) => ok(issueShape(call.at, issue, false))),
  },
  {
    method: 'PUT',
    path: '/issues/:iid',
    scope: 'project',
    operation: 'issues/update',
    handle: (call) => withIssue(call, (issue) => updateIssue(call, issue)),
  },
  {
    method: 'POST',
    path: '/issues/:iid/move',
    scope: 'project',
    operation: 'issues/move',
    handle: (call) =>
      withIssue(call, (issue) => {
        const target = call.state.findById(Number(call.body.to_project_id));
        if (target === undefined || !call.token.sees(target.path)) return notFound('Project');
        if (!mayLabel(call)) return refused(400, 'Cannot move issue due to insufficient permissions!');
        return created(issueShape(call.at, call.state.move(issue, target, call.actor), false));
      }),
  },
];

/** Parameters that GitLab does not declare, `or[labels]` for one, are ignored without a word: all issues are answered. */
function listIssues({ project, query, at, url }: ProjectCall): Reply {
  const foreign = [...query.keys()].find((name) => NOT_EMULATED.test(name));
  if (foreign !== undefined) return refused(501, `The emulator does not know the parameter ${foreign}`);
  const state = query.get('state') ?? 'all';
  const orderBy = query.get('order_by') ?? 'created_at';
  if (!['opened', 'closed', 'all'].includes(state)) return badParameter('state does not have a valid value');
  if (!ORDERS.includes(orderBy)) return badParameter('order_by does not have a valid value');
  const wanted = [...(commaList(query.getAll('labels')) ?? []), ...(commaList(query.getAll('labels[]')) ?? [])];
  const unwanted = [
    ...(commaList(query.getAll('not[labels]')) ?? []),
    ...(commaList(query.getAll('not[labels][]')) ?? []),
  ];
  const type = query.get('issue_type');
  const updatedAfterMs = Date.parse(query.get('updated_after') ?? '');
  const all = project.issues.filter(
    (issue) =>
      !issue.deleted &&
      (state === 'all' || state === (issue.closed === undefined ? 'opened' : 'closed')) &&
      (type === null || type === issue.type) &&
      // Without the parameter the comparison is with NaN and never true.
      !(issue.updatedAtMs < updatedAfterMs) &&
      wanted.every((label) => carries(issue, label)) &&
      !unwanted.some((label) => carries(issue, label)),
  );
  const keyOf = keysOf(orderBy);
  // Issues are kept in the order of their creation: what has no key here stays in it.
  if (keyOf !== undefined) all.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  if (query.get('sort') !== 'asc') all.reverse();
  const withDetails = query.get('with_labels_details') === 'true';
  return paginate({ all, query, url, keyOf, shape: (issue) => issueShape(at, issue, withDetails) });
}

function carries(issue: Issue, label: string): boolean {
  if (label.toLowerCase() === ANY) return issue.labels.size > 0;
  if (label.toLowerCase() === NONE) return issue.labels.size === 0;
  return issue.labels.has(label);
}

/** Sortable text, told apart by the id; undefined for an order that has no keyset. */
function keysOf(orderBy: string): ((issue: Issue) => string) | undefined {
  const number = (value: number): string => String(value).padStart(16, '0');
  switch (orderBy) {
    case 'created_at':
      return (issue) => number(issue.createdAtMs) + number(issue.id);
    case 'updated_at':
      return (issue) => number(issue.updatedAtMs) + number(issue.id);
    case 'title':
      return (issue) => `${issue.title.toLowerCase()}\n${number(issue.id)}`;
    default:
      return undefined;
  }
}

function createIssue(call: ProjectCall): Reply {
  const { title, description, issue_type: type = 'issue' } = call.body;
  if (typeof title !== 'string' || title === '') return badParameter('title is missing');
  if (!isIssueType(type)) return badParameter('issue_type does not have a valid value');
  const issue = call.state.openIssue(
    call.project,
    {
      title,
      description: typeof description === 'string' ? description : null,
      type,
      labels: mayLabel(call) ? (commaList(call.body.labels) ?? []) : [],
    },
    call.actor,
  );
  return created(issueShape(call.at, issue, false));
}

const isIssueType = (value: unknown): value is IssueType => ISSUE_TYPES.some((type) => type === value);

function updateIssue(call: ProjectCall, issue: Issue): Reply {
  const { title, description, state_event: event } = call.body;
  if (!mayLabel(call) && issue.author.username !== call.token.login) return forbidden;
  if (event !== undefined && event !== 'close' && event !== 'reopen') {
    return badParameter('state_event does not have a valid value');
  }
  const replaced = commaList(call.body.labels);
  const add = commaList(call.body.add_labels) ?? [];
  const remove = commaList(call.body.remove_labels) ?? [];
  if ([title, description, event, replaced, call.body.add_labels, call.body.remove_labels].every(isMissing)) {
    return badParameter('title, description, state_event, labels, add_labels, remove_labels are missing');
  }
  if (typeof title === 'string' || typeof description === 'string') {
    const fields = {
      ...(typeof title === 'string' ? { title } : {}),
      ...(typeof description === 'string' ? { description } : {}),
    };
    call.state.edit(issue, fields, call.actor);
  }
  // Whoever wrote an issue may edit it; labels sent without the right to set them are dropped without a word.
  if (mayLabel(call)) {
    const surplus = replaced === undefined ? [] : [...issue.labels.keys()].filter((name) => !replaced.includes(name));
    call.state.changeLabels(issue, [...(replaced ?? []), ...add], [...surplus, ...remove], call.actor);
  }
  if (event === 'close') call.state.close(issue, call.actor);
  if (event === 'reopen') call.state.reopen(issue, call.actor);
  return ok(issueShape(call.at, issue, false));
}

const isMissing = (value: unknown): boolean => value === undefined;
