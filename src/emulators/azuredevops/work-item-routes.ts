/** One work item: reading it, changing it by JSON Patch, who changed it when, and its comments. */
import { z } from 'zod';
import { list, ok, type Reply, refused } from './replies.ts';
import { type Call, type Route, withEdit, withWorkItem } from './routes.ts';
import { commentShape, updateShape, workItemShape } from './shapes.ts';
import { isState, tagsIn, type WorkItem, type WorkItemChange } from './state.ts';

const MAX_TAGS = 100;
const MAX_TAG_LENGTH = 400;
const MAX_PAGE = 200;
const PATCH_TYPE = 'application/json-patch+json';

const patchSchema = z.array(
  z.object({
    op: z.enum(['test', 'add', 'replace', 'remove']),
    path: z.string(),
    value: z.union([z.string(), z.number()]).nullish(),
  }),
);
const commentSchema = z.object({ text: z.string().min(1) });

type Operation = z.infer<typeof patchSchema>[number];

export const workItemRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '_apis/wit/workItems/:id',
    below: 'either',
    operation: 'wit/workItems',
    handle: (call) =>
      withWorkItem(call, (item) => ok(workItemShape(call.base, item, call.query.get('fields')?.split(',')))),
  },
  {
    method: 'PATCH',
    path: '_apis/wit/workItems/:id',
    below: 'either',
    operation: 'wit/workItems/update',
    writes: true,
    handle: (call) => withWorkItem(call, (item) => withEdit(call, () => update(call, item))),
  },
  {
    method: 'GET',
    path: '_apis/wit/workItems/:id/updates',
    below: 'either',
    operation: 'wit/updates',
    handle: (call) =>
      withWorkItem(call, (item) => {
        const skip = Number(call.query.get('$skip') ?? 0);
        const top = Math.min(Number(call.query.get('$top') ?? MAX_PAGE), MAX_PAGE);
        return list(item.updates.slice(skip, skip + top).map((each) => updateShape(call.base, item, each)));
      }),
  },
  {
    method: 'GET',
    path: '_apis/wit/workItems/:id/comments',
    below: 'project',
    operation: 'wit/comments',
    preview: true,
    handle: (call) => withWorkItem(call, (item) => listComments(call, item)),
  },
  {
    method: 'POST',
    path: '_apis/wit/workItems/:id/comments',
    below: 'project',
    operation: 'wit/comments/add',
    preview: true,
    writes: true,
    handle: (call) =>
      withWorkItem(call, (item) =>
        withEdit(call, () => {
          const body = commentSchema.safeParse(call.body);
          if (!body.success) return refused(400, 'VS403678: The text of the comment is missing.');
          return ok(commentShape(call.base, item, call.state.comment(item, cleaned(body.data.text), call.actor)));
        }),
      ),
  },
];

function update(call: Call, item: WorkItem): Reply {
  if (!call.contentType.startsWith(PATCH_TYPE)) {
    const message = `The request indicated a Content-Type of "${call.contentType}" for method type "PATCH" which is not supported. Valid content types for this method are: ${PATCH_TYPE}.`;
    return refused(415, message, 'VssRequestContentTypeNotSupportedException');
  }
  const patch = patchSchema.safeParse(call.body);
  if (!patch.success || patch.data.length === 0) {
    return refused(
      400,
      'VS403429: You must pass a valid patch document in the body of the request.',
      'VssPropertyValidationException',
    );
  }
  const change: { -readonly [K in keyof WorkItemChange]: WorkItemChange[K] } = {};
  for (const operation of patch.data) {
    const problem = apply(operation, item, change);
    if (problem !== undefined) return problem;
  }
  const problem = tagProblem(call, item, change.tags ?? []);
  if (problem !== undefined) return problem;
  if (call.query.get('validateOnly') !== 'true') call.state.change(item, change, call.actor);
  return ok(workItemShape(call.base, item));
}

/** Puts what an operation wants into `change`; a reply when it cannot be. */
function apply(
  { op, path, value }: Operation,
  item: WorkItem,
  change: { -readonly [K in keyof WorkItemChange]: WorkItemChange[K] },
): Reply | undefined {
  if (op === 'test') {
    if (path === '/rev' && value === item.rev) return undefined;
    const message = `VS403351: Test Operation for path ${path} failed.`;
    return refused(412, message, 'TestPatchOperationFailedException');
  }
  const text = op === 'remove' ? '' : String(value ?? '');
  switch (path.toLowerCase()) {
    case '/fields/system.tags':
      // As RFC 6902 has it. Nobody has seen whether the real one is as strict: an adapter that relies on it may be wrong.
      if (op !== 'add' && item.tags.length === 0) return refused(400, `There is no value at ${path}.`);
      // The one field where adding appends.
      change.tags = tagsIn(op === 'add' ? [...(change.tags ?? item.tags), text].join(';') : text);
      return undefined;
    case '/fields/system.title':
      if (text === '') return refused(400, 'TF401320: Rule Error for field Title. Error code: Required, HasValues.');
      change.title = text;
      return undefined;
    case '/fields/system.description':
      change.description = text;
      return undefined;
    case '/fields/system.state':
      if (!isState(text))
        return refused(
          400,
          `TF401320: The field 'State' contains the value '${text}' that is not in the list of supported values`,
        );
      change.state = text;
      return undefined;
    default:
      return refused(400, `TF51535: Cannot find field ${path.replace(/^\/fields\//, '')}.`);
  }
}

function tagProblem(call: Call, item: WorkItem, tags: readonly string[]): Reply | undefined {
  const bad = tags.find((tag) => tag.length > MAX_TAG_LENGTH || tag.startsWith('@'));
  if (bad !== undefined) return refused(400, `TF401407: The tag name is not valid: ${bad.slice(0, 40)}`);
  if (tags.length > MAX_TAGS) return refused(400, `VS402486: A work item can have at most ${MAX_TAGS} tags.`);
  const isNew = tags.some((tag) => !item.project.tags.has(tag.toLowerCase()));
  if (!isNew || call.token.canCreateTags) return undefined;
  return refused(403, 'TF401289: The current user does not have permissions to create tags.', 'TagCreationException');
}

function listComments(call: Call, item: WorkItem): Reply {
  const newestFirst = ['desc', '2'].includes((call.query.get('order') ?? 'desc').toLowerCase());
  const all = newestFirst ? item.comments.toReversed() : item.comments;
  const top = Math.min(Number(call.query.get('$top') ?? MAX_PAGE), MAX_PAGE);
  const begin = Number(call.query.get('continuationToken') ?? 0);
  const page = all.slice(begin, begin + top);
  const more = begin + page.length < all.length;
  return ok({
    totalCount: all.length,
    count: page.length,
    comments: page.map((comment) => commentShape(call.base, item, comment)),
    ...(more && { continuationToken: String(begin + page.length) }),
  });
}

/** What a server that takes HTML from everybody leaves of it: no scripts, no comments, hardly an attribute but where a link leads. */
function cleaned(html: string): string {
  return html
    .replace(/<!--[\s\S]*?-->/g, '')
    .replace(/<script[\s\S]*?<\/script>/gi, '')
    .replace(/<(\w+)\s(?:[^>]*?\b(href="https?:[^"]*"))?[^>]*>/g, (_, tag: string, href?: string) =>
      tag === 'a' && href !== undefined ? `<a ${href}>` : `<${tag}>`,
    );
}
