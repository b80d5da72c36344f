/** Comments: on Cloud documents, on Data Center wiki markup. */
import { z } from 'zod';
import { invalid, ok, type Reply, refused } from './replies.ts';
import type { DocumentNode } from './rich-text.ts';
import { type Call, numberIn, type Route, withIssue } from './routes.ts';
import { commentShape } from './shapes.ts';
import type { Issue } from './state.ts';

const MAX_COMMENTS_PER_PAGE = 100;
const MAX_LENGTH = 32_767;

const node: z.ZodType<DocumentNode> = z.lazy(() =>
  z.looseObject({ type: z.string(), text: z.string().min(1).optional(), content: z.array(node).optional() }),
);
const document = z.looseObject({ type: z.literal('doc'), version: z.literal(1), content: z.array(node) });
const wikiText = z.string().min(1).max(MAX_LENGTH);

export const commentRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/issue/:issue/comment',
    operation: 'comment/list',
    handle: (call) => withIssue(call, (issue) => listComments(call, issue)),
  },
  {
    method: 'POST',
    path: '/issue/:issue/comment',
    operation: 'comment/add',
    handle: (call) => withIssue(call, (issue) => addComment(call, issue)),
  },
];

function listComments(call: Call, issue: Issue): Reply {
  const startAt = numberIn(call.query, 'startAt', 0);
  const maxResults = Math.min(numberIn(call.query, 'maxResults', MAX_COMMENTS_PER_PAGE), MAX_COMMENTS_PER_PAGE);
  const newestFirst = call.query.get('orderBy') === '-created';
  const ordered = newestFirst ? issue.comments.toReversed() : issue.comments;
  return ok({
    startAt,
    maxResults,
    total: ordered.length,
    comments: ordered.slice(startAt, startAt + maxResults).map((comment) => commentShape(call.at, issue, comment)),
  });
}

function addComment(call: Call, issue: Issue): Reply {
  if (!call.account.canComment) {
    return refused(403, `${call.account.login}, you do not have the permission to comment on this issue.`);
  }
  const asked = z.looseObject({ body: z.unknown() }).safeParse(call.body);
  const body = (call.deployment === 'cloud' ? document : wikiText).safeParse(asked.data?.body);
  if (!body.success) {
    return invalid({ comment: call.deployment === 'cloud' ? 'INVALID_INPUT' : 'Comment body can not be empty!' });
  }
  const comment = call.state.comment(issue, body.data, call.actor);
  return { status: 201, body: commentShape(call.at, issue, comment) };
}
