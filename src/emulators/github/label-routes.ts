/**
 * Labels of a repository and of an issue. Adding is a union and brings unknown labels into being, removing an absent one
 * is a 404, and replacing the whole set works as it really does (others' changes are lost), so that the ledger can show
 * that we never use it.
 */
import { z } from 'zod';
import { paginate } from './paging.ts';
import { created, type FieldProblem, invalid, noContent, notFound, ok, type Reply, refused } from './replies.ts';
import { type RepositoryCall, type Route, withIssue, withPush } from './routes.ts';
import { issueLabelShapes, labelShape, numericUrl } from './shapes.ts';
import { type Issue, labelNames } from './state.ts';

const MAX_LABELS_PER_ISSUE = 100;
const MAX_NAME_LENGTH = 50;

const labelReference = z.union([
  z.string(),
  // A suggestion waits for a person and is no label yet.
  z.object({ name: z.string(), suggest: z.boolean().optional() }),
]);
const labelList = z.union([z.array(labelReference), z.object({ labels: z.array(labelReference) })]);
const newLabel = z.object({
  name: z.string(),
  color: z.string().optional(),
  description: z.string().nullish(),
});

export const labelRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/labels',
    scope: 'repository',
    operation: 'issues/list-labels-for-repo',
    handle: (call) => {
      const url = `${numericUrl(call.at, call.repository)}/labels`;
      const page = paginate([...call.repository.labels.values()], call.query, url);
      return ok(
        page.items.map((label) => labelShape(call.at, call.repository, label)),
        page.headers,
      );
    },
  },
  {
    method: 'POST',
    path: '/labels',
    scope: 'repository',
    operation: 'issues/create-label',
    handle: (call) => withPush(call, () => createLabel(call)),
  },
  {
    method: 'GET',
    path: '/labels/:name',
    scope: 'repository',
    operation: 'issues/get-label',
    handle: (call) => {
      const label = call.repository.labels.get(call.params.name?.toLowerCase() ?? '');
      return label === undefined ? notFound : ok(labelShape(call.at, call.repository, label));
    },
  },
  {
    method: 'GET',
    path: '/issues/:number/labels',
    scope: 'repository',
    operation: 'issues/list-labels-on-issue',
    handle: (call) =>
      withIssue(call, (issue) => {
        const url = `${numericUrl(call.at, call.repository)}/issues/${issue.number}/labels`;
        const page = paginate(issueLabelShapes(call.at, issue), call.query, url);
        return ok(page.items, page.headers);
      }),
  },
  {
    method: 'POST',
    path: '/issues/:number/labels',
    scope: 'repository',
    operation: 'issues/add-labels',
    handle: (call) =>
      change(call, (issue, names) => {
        call.state.changeLabels(issue, names, [], call.actor);
      }),
  },
  {
    method: 'PUT',
    path: '/issues/:number/labels',
    scope: 'repository',
    operation: 'issues/set-labels',
    handle: (call) =>
      change(call, (issue, names) => {
        call.state.setLabels(issue, names, call.actor);
      }),
  },
  {
    method: 'DELETE',
    path: '/issues/:number/labels',
    scope: 'repository',
    operation: 'issues/remove-all-labels',
    handle: (call) =>
      withIssue(call, (issue) =>
        withPush(call, () => {
          call.state.setLabels(issue, [], call.actor);
          return noContent;
        }),
      ),
  },
  {
    method: 'DELETE',
    path: '/issues/:number/labels/:name',
    scope: 'repository',
    operation: 'issues/remove-label',
    handle: (call) =>
      withIssue(call, (issue) =>
        withPush(call, () => {
          const name = call.params.name ?? '';
          if (!issue.labels.has(name.toLowerCase())) return refused(404, 'Label does not exist');
          call.state.changeLabels(issue, [], [name], call.actor);
          return ok(issueLabelShapes(call.at, issue));
        }),
      ),
  },
];

/** What is wrong with giving an issue these labels, beside those it keeps. */
export function labelProblems(names: readonly string[], kept: readonly string[]): FieldProblem[] {
  const total = new Set([...kept, ...names].map((name) => name.toLowerCase())).size;
  return [
    ...names.flatMap(nameProblems),
    ...(total > MAX_LABELS_PER_ISSUE
      ? [{ resource: 'Issue', field: 'labels', code: 'custom', message: 'cannot have more than 100 labels' } as const]
      : []),
  ];
}

function change(call: RepositoryCall, apply: (issue: Issue, names: string[]) => void): Reply {
  return withIssue(call, (issue) =>
    withPush(call, () => {
      const body = labelList.safeParse(call.body);
      if (!body.success) return invalid({ resource: 'Label', field: 'labels', code: 'invalid' });
      const references = Array.isArray(body.data) ? body.data : body.data.labels;
      const names = references.flatMap((label) => {
        if (typeof label === 'string') return [label];
        return label.suggest === true ? [] : [label.name];
      });
      const problems = labelProblems(names, call.method === 'PUT' ? [] : labelNames(issue));
      if (problems.length > 0) return invalid(...problems);
      apply(issue, names);
      return ok(issueLabelShapes(call.at, issue));
    }),
  );
}

function createLabel(call: RepositoryCall): Reply {
  const body = newLabel.safeParse(call.body);
  if (!body.success) return invalid({ resource: 'Label', field: 'name', code: 'missing_field' });
  const { name, color, description } = body.data;
  const problems = nameProblems(name);
  if (color !== undefined && !/^[0-9a-f]{6}$/i.test(color)) {
    problems.push({ resource: 'Label', field: 'color', code: 'invalid' });
  }
  if (problems.length > 0) return invalid(...problems);
  if (call.repository.labels.has(name.toLowerCase())) {
    return invalid({ resource: 'Label', field: 'name', code: 'already_exists' });
  }
  const label = call.state.createLabel(call.repository, name, color, description ?? null);
  return created(labelShape(call.at, call.repository, label));
}

function nameProblems(name: string): FieldProblem[] {
  if (name.trim() === '') return [{ resource: 'Label', field: 'name', code: 'missing_field' }];
  if (name !== name.trim()) return [{ resource: 'Label', field: 'name', code: 'invalid', value: name }];
  if (name.length <= MAX_NAME_LENGTH) return [];
  return [{ resource: 'Label', field: 'name', code: 'custom', message: 'name is too long (maximum is 50 characters)' }];
}
