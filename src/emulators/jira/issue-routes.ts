/** Issues: reading, editing labels, the changelog. */
import { z } from 'zod';
import { invalid, noContent, notOnScreen, ok, type Reply, refused } from './replies.ts';
import { type Call, listIn, numberIn, type Route, withIssue } from './routes.ts';
import { changeShape, issueShape, restUrl } from './shapes.ts';
import type { Issue } from './state.ts';

const MAX_LABEL_LENGTH = 255;
const MAX_CHANGES_PER_PAGE = 100;

const labelOperation = z.union([
  z.strictObject({ add: z.string() }),
  z.strictObject({ remove: z.string() }),
  z.strictObject({ set: z.array(z.string()) }),
]);
const edit = z.looseObject({
  fields: z.looseObject({ labels: z.array(z.string()).optional() }).optional(),
  update: z.looseObject({ labels: z.array(labelOperation).optional() }).optional(),
});

export const issueRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/issue/:issue',
    operation: 'issue/get',
    handle: (call) =>
      withIssue(call, (issue) => {
        const fields = listIn(call.query, 'fields');
        const shape = issueShape(call.at, issue, fields.length === 0 ? ['*all'] : fields);
        return ok(
          listIn(call.query, 'expand').includes('changelog') ? { ...shape, changelog: changelog(call, issue) } : shape,
        );
      }),
  },
  {
    method: 'PUT',
    path: '/issue/:issue',
    operation: 'issue/edit',
    handle: (call) => withIssue(call, (issue) => editIssue(call, issue)),
  },
  {
    method: 'GET',
    path: '/issue/:issue/changelog',
    operation: 'issue/changelog',
    only: 'cloud',
    handle: (call) => withIssue(call, (issue) => changelogPage(call, issue)),
  },
];

function editIssue(call: Call, issue: Issue): Reply {
  const asked = edit.safeParse(call.body);
  if (!asked.success)
    return refused(400, 'Invalid request payload. Refer to the REST API documentation and try again.');
  const { fields = {}, update = {} } = asked.data;
  // Cloud's reference says that it ignores this wish; it does not.
  if (call.query.get('notifyUsers') === 'false' && !call.account.isAdmin) {
    return refused(403, 'To discard the user notification either admin or project admin permissions are required.');
  }
  const named = [...Object.keys(fields), ...Object.keys(update)];
  const foreign = named.find((field) => field !== 'labels');
  if (foreign !== undefined) return notOnScreen(foreign);
  const isEditable = call.account.canEdit && issue.project.labelsOnEditScreen;
  if (named.length > 0 && !isEditable) return notOnScreen('labels');
  if (fields.labels !== undefined && update.labels !== undefined) {
    return invalid({ labels: "Field 'labels' cannot be set by fields and by update at once." });
  }

  const wanted = new Set(fields.labels ?? issue.labels);
  for (const operation of update.labels ?? []) {
    if ('add' in operation) wanted.add(operation.add);
    else if ('remove' in operation) wanted.delete(operation.remove);
    else {
      wanted.clear();
      for (const label of operation.set) wanted.add(label);
    }
  }
  const added = [...wanted].filter((label) => !issue.labels.has(label));
  const problem = added.map(labelProblem).find((text) => text !== undefined);
  if (problem !== undefined) return invalid({ labels: problem });
  const removed = [...issue.labels].filter((label) => !wanted.has(label));
  call.state.changeLabels(issue, added, removed, call.actor);

  const returns = call.deployment === 'cloud' && call.query.get('returnIssue') === 'true';
  return returns ? ok(issueShape(call.at, issue, ['*all'])) : noContent;
}

function labelProblem(label: string): string | undefined {
  if (/\s/.test(label) || label === '') return `The label '${label}' contains spaces which is invalid.`;
  if (label.length > MAX_LABEL_LENGTH) return `The label '${label}' exceeds the maximum length of ${MAX_LABEL_LENGTH}.`;
  return undefined;
}

/** Cloud shows the latest, newest first; Data Center all of them, oldest first. */
function changelog(call: Call, issue: Issue) {
  const changes =
    call.deployment === 'cloud' ? issue.changes.toReversed().slice(0, MAX_CHANGES_PER_PAGE) : issue.changes;
  return {
    startAt: 0,
    maxResults: changes.length,
    total: issue.changes.length,
    histories: changes.map((change) => changeShape(call.at, change)),
  };
}

function changelogPage(call: Call, issue: Issue): Reply {
  const startAt = numberIn(call.query, 'startAt', 0);
  const maxResults = Math.min(numberIn(call.query, 'maxResults', MAX_CHANGES_PER_PAGE), MAX_CHANGES_PER_PAGE);
  const values = issue.changes.slice(startAt, startAt + maxResults);
  const total = issue.changes.length;
  return ok({
    self: `${restUrl(call.at)}/issue/${issue.id}/changelog?startAt=${startAt}&maxResults=${maxResults}`,
    maxResults,
    startAt,
    total,
    isLast: startAt + values.length >= total,
    values: values.map((change) => changeShape(call.at, change)),
  });
}
