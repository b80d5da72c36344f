/** Pull requests: listing, reading, opening. Of the code behind them nothing is known but the names of branches. */
import { z } from 'zod';
import { paginate } from './paging.ts';
import { branchesOf, pullRequestShape, simplePullRequestShape } from './pull-request-shape.ts';
import { created, type FieldProblem, invalid, notFound, ok, type Reply, refused } from './replies.ts';
import { type RepositoryCall, type Route, withIssue, withPush } from './routes.ts';
import { numericUrl } from './shapes.ts';
import type { Issue } from './state.ts';

/** Real parameters that are not emulated: refused aloud, because an ignored one would do something else than was asked. */
const NOT_EMULATED = ['issue', 'head_repo'] as const;

const newPullRequest = z.object({
  title: z.string().min(1),
  head: z.string().min(1),
  base: z.string().min(1),
  body: z.string().nullish(),
});

export const pullRequestRoutes: readonly Route[] = [
  { method: 'GET', path: '/pulls', scope: 'repository', operation: 'pulls/list', handle: listPullRequests },
  {
    method: 'POST',
    path: '/pulls',
    scope: 'repository',
    operation: 'pulls/create',
    handle: (call) => withPush(call, () => createPullRequest(call)),
  },
  {
    method: 'GET',
    path: '/pulls/:number',
    scope: 'repository',
    operation: 'pulls/get',
    handle: (call) =>
      withIssue(call, (issue) => (issue.isPullRequest ? ok(pullRequestShape(call.at, issue)) : notFound)),
  },
];

function listPullRequests(call: RepositoryCall): Reply {
  const { query } = call;
  if (query.has('sort')) return refused(501, 'The emulator does not know the parameter sort');
  const state = query.get('state') ?? 'open';
  if (!['open', 'closed', 'all'].includes(state)) return invalid(problem('state', 'invalid'));
  const [head, base] = [query.get('head'), query.get('base')];
  const wanted = call.repository.issues.filter(
    (issue) =>
      issue.isPullRequest &&
      issue.gone === undefined &&
      (state === 'all' || state === (issue.closed === undefined ? 'open' : 'closed')) &&
      // A head without its owner filters nothing, as on GitHub.
      (head?.includes(':') !== true || head === labelOf(call, branchesOf(issue).head)) &&
      (base === null || base === branchesOf(issue).base),
  );
  if (query.get('direction') !== 'asc') wanted.reverse();
  const page = paginate(wanted, query, `${numericUrl(call.at, call.repository)}/pulls`);
  return ok(
    page.items.map((issue) => simplePullRequestShape(call.at, issue)),
    page.headers,
  );
}

function createPullRequest(call: RepositoryCall): Reply {
  const foreign = NOT_EMULATED.find((name) => Object.hasOwn(Object(call.body) as object, name));
  if (foreign !== undefined) return refused(501, `The emulator does not know the parameter ${foreign}`);
  const body = newPullRequest.safeParse(call.body);
  if (!body.success) {
    return invalid(...body.error.issues.map(({ path }) => problem(String(path[0] ?? 'title'), 'missing_field')));
  }
  const { title, base, body: text = null } = body.data;
  const owner = `${call.repository.owner.login}:`;
  const head = body.data.head.startsWith(owner) ? body.data.head.slice(owner.length) : body.data.head;
  const there = call.state.branchesOf(call.repository);
  for (const [field, branch] of [
    ['head', head],
    ['base', base],
  ] as const) {
    if (there?.includes(branch) === false) return invalid(problem(field, 'invalid'));
  }
  if (head === base) return invalid(said(`No commits between ${base} and ${head}`));
  const isThere = ({ isPullRequest, closed, branches }: Issue): boolean =>
    isPullRequest && closed === undefined && branches?.head === head && branches.base === base;
  if (call.repository.issues.some(isThere)) {
    return invalid(said(`A pull request already exists for ${labelOf(call, head)}.`));
  }
  const fields = { title, body: text, isPullRequest: true, branches: { head, base } };
  return created(pullRequestShape(call.at, call.state.openIssue(call.repository, fields, call.actor)));
}

const labelOf = ({ repository }: RepositoryCall, branch: string): string => `${repository.owner.login}:${branch}`;

const problem = (field: string, code: FieldProblem['code']): FieldProblem => ({ resource: 'PullRequest', field, code });

const said = (message: string): FieldProblem => ({ resource: 'PullRequest', field: 'base', code: 'custom', message });
