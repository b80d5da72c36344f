/** Issues: listing, reading, opening, editing, commenting, and who did what to them. Pull requests are issues too. */
import { z } from 'zod';
import { labelProblems } from './label-routes.ts';
import { paginate } from './paging.ts';
import { created, type FieldProblem, invalid, ok, type Reply, refused } from './replies.ts';
import { type RepositoryCall, type Route, withIssue } from './routes.ts';
import { commentShape, eventShape, issueShape, numericUrl } from './shapes.ts';
import type { Issue } from './state.ts';

const MAX_BODY_LENGTH = 65_536;

/** Real parameters that are not emulated: refused aloud, because an ignored filter would answer too much. */
const NOT_EMULATED = ['milestone', 'assignee', 'type', 'creator', 'mentioned', 'issue_field_values'] as const;

const labelNameList = z.array(z.union([z.string(), z.object({ name: z.string() }).transform((label) => label.name)]));
const newIssue = z.object({
  title: z.string().min(1),
  body: z.string().nullish(),
  labels: labelNameList.optional(),
});
const issueChange = z.object({
  title: z.string().min(1).optional(),
  body: z.string().nullish(),
  state: z.enum(['open', 'closed']).optional(),
  state_reason: z.enum(['completed', 'not_planned', 'duplicate', 'reopened']).nullish(),
  labels: labelNameList.optional(),
});
const newComment = z.object({ body: z.string().min(1) });

export const issueRoutes: readonly Route[] = [
  { method: 'GET', path: '/issues', scope: 'repository', operation: 'issues/list-for-repo', handle: listIssues },
  { method: 'POST', path: '/issues', scope: 'repository', operation: 'issues/create', handle: createIssue },
  {
    method: 'GET',
    path: '/issues/:number',
    scope: 'repository',
    operation: 'issues/get',
    handle: (call) => withIssue(call, (issue) => ok(issueShape(call.at, issue))),
  },
  {
    method: 'PATCH',
    path: '/issues/:number',
    scope: 'repository',
    operation: 'issues/update',
    handle: (call) => withIssue(call, (issue) => updateIssue(call, issue)),
  },
  {
    method: 'GET',
    path: '/issues/:number/comments',
    scope: 'repository',
    operation: 'issues/list-comments',
    handle: (call) =>
      withIssue(call, (issue) => {
        const sinceMs = Date.parse(call.query.get('since') ?? '');
        const wanted = issue.comments.filter((comment) => !(comment.createdAtMs < sinceMs));
        const page = paginate(
          wanted,
          call.query,
          `${numericUrl(call.at, call.repository)}/issues/${issue.number}/comments`,
        );
        return ok(
          page.items.map((comment) => commentShape(call.at, issue, comment)),
          page.headers,
        );
      }),
  },
  {
    method: 'POST',
    path: '/issues/:number/comments',
    scope: 'repository',
    operation: 'issues/create-comment',
    handle: (call) =>
      withIssue(call, (issue) => {
        const body = newComment.safeParse(call.body);
        if (!body.success) return invalid({ resource: 'IssueComment', field: 'body', code: 'missing_field' });
        const problems = bodyProblems('IssueComment', body.data.body);
        if (problems.length > 0) return invalid(...problems);
        return created(commentShape(call.at, issue, call.state.comment(issue, body.data.body, call.actor)));
      }),
  },
  {
    method: 'GET',
    path: '/issues/:number/events',
    scope: 'repository',
    operation: 'issues/list-events',
    handle: (call) =>
      withIssue(call, (issue) => {
        const url = `${numericUrl(call.at, call.repository)}/issues/${issue.number}/events`;
        const page = paginate(issue.events, call.query, url);
        return ok(
          page.items.map((event) => eventShape(call.at, issue, event)),
          page.headers,
        );
      }),
  },
];

function listIssues(call: RepositoryCall): Reply {
  const { query } = call;
  const foreign = NOT_EMULATED.find((name) => query.has(name));
  if (foreign !== undefined) return refused(501, `The emulator does not know the parameter ${foreign}`);
  const state = query.get('state') ?? 'open';
  const sort = query.get('sort') ?? 'created';
  if (!['open', 'closed', 'all'].includes(state))
    return invalid({ resource: 'Issue', field: 'state', code: 'invalid' });
  if (!['created', 'updated', 'comments'].includes(sort)) {
    return invalid({ resource: 'Issue', field: 'sort', code: 'invalid' });
  }
  const labels = (query.get('labels') ?? '')
    .split(',')
    .map((label) => label.trim().toLowerCase())
    .filter((label) => label !== '');
  const sinceMs = Date.parse(query.get('since') ?? '');
  const wanted = call.repository.issues.filter(
    (issue) =>
      issue.gone === undefined &&
      (state === 'all' || state === (issue.closed === undefined ? 'open' : 'closed')) &&
      // Without `since` the comparison is with NaN and never true.
      !(issue.updatedAtMs < sinceMs) &&
      labels.every((label) => issue.labels.has(label)),
  );
  // Issues are kept in the order of their creation, and the sort is stable.
  if (sort === 'updated') wanted.sort((a, b) => a.updatedAtMs - b.updatedAtMs);
  if (sort === 'comments') wanted.sort((a, b) => a.comments.length - b.comments.length);
  if (query.get('direction') !== 'asc') wanted.reverse();
  const page = paginate(wanted, query, `${numericUrl(call.at, call.repository)}/issues`);
  return ok(
    page.items.map((issue) => issueShape(call.at, issue)),
    page.headers,
  );
}

function createIssue(call: RepositoryCall): Reply {
  const body = newIssue.safeParse(call.body);
  if (!body.success) return invalid({ resource: 'Issue', field: 'title', code: 'missing_field' });
  const { title, body: text = null } = body.data;
  const labels = allowedLabels(call, body.data.labels) ?? [];
  const problems = [...labelProblems(labels, []), ...bodyProblems('Issue', text)];
  if (problems.length > 0) return invalid(...problems);
  const issue = call.state.openIssue(call.repository, { title, body: text, labels }, call.actor);
  return created(issueShape(call.at, issue));
}

function updateIssue(call: RepositoryCall, issue: Issue): Reply {
  const body = issueChange.safeParse(call.body);
  if (!body.success) return invalid({ resource: 'Issue', field: 'body', code: 'invalid' });
  const { title, body: text, state, state_reason: reason } = body.data;
  const labels = allowedLabels(call, body.data.labels);
  const problems = [...labelProblems(labels ?? [], []), ...bodyProblems('Issue', text)];
  if (problems.length > 0) return invalid(...problems);
  if (title !== undefined || text !== undefined) {
    const fields = { ...(title !== undefined && { title }), ...(text !== undefined && { body: text }) };
    call.state.edit(issue, fields, call.actor);
  }
  if (state === 'closed')
    call.state.close(issue, call.actor, reason === 'reopened' ? 'completed' : (reason ?? 'completed'));
  if (state === 'open') call.state.reopen(issue, call.actor);
  if (labels !== undefined) call.state.setLabels(issue, labels, call.actor);
  return ok(issueShape(call.at, issue));
}

/** Labels sent without push access are dropped, and nothing in the answer says so. */
function allowedLabels(call: RepositoryCall, labels: string[] | undefined): string[] | undefined {
  return call.token.canPush ? labels : undefined;
}

function bodyProblems(resource: FieldProblem['resource'], body: string | null | undefined): FieldProblem[] {
  if ((body ?? '').length <= MAX_BODY_LENGTH) return [];
  return [{ resource, field: 'body', code: 'custom', message: 'body is too long (maximum is 65536 characters)' }];
}
