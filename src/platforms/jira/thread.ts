/** What is written under an issue. */
import { z } from 'zod';
import { endsWithMarker } from '../comment-marker.ts';
import type { Call, MarkedComment } from '../contract.ts';
import { adfNode, adfOf, adfToMarkdown } from './adf.ts';
import type { JiraClient, JiraSession } from './client.ts';
import { wikiOf } from './wiki.ts';

const PAGE_SIZE = 100;

const commentPage = z.object({
  comments: z.array(z.object({ body: z.union([z.string(), adfNode]).nullish(), created: z.string() })),
  total: z.int().optional(),
});

/**
 * Posts a comment that ends with `marker`, unless one that does is there: the answer to an earlier post may be lost. Jira
 * has no comments that people do not see, so the marker is a last paragraph of its own.
 */
export function postComment(
  client: JiraClient,
  id: string,
  { markdown, marker, sinceMs = 0 }: MarkedComment,
  call: Call,
): Promise<void> {
  return client.run(`comment on ${id}`, call, async (jira) => {
    // Data Center may list in an order of its own: then an old comment does not mean that only older ones follow.
    if (await isPosted(jira, id, marker, client.isCloud ? sinceMs : 0)) return;
    if (client.isCloud)
      await jira.cloud.addComment(jira.api, { ...jira.issue(id), body: { ...adfOf(markdown, marker) } });
    else {
      const { issueIdOrKey } = jira.issue(id);
      // The library reads a comment that is text back, which is a request for nothing.
      const url = `/rest/api/2/issue/${issueIdOrKey}/comment`;
      await jira.api.sendRequest({ url, method: 'POST', body: { body: wikiOf(markdown, marker) } });
    }
  });
}

async function isPosted(jira: JiraSession, id: string, marker: string, sinceMs: number): Promise<boolean> {
  for (let startAt = 0; ; ) {
    const parameters = { ...jira.issue(id), startAt, maxResults: PAGE_SIZE, orderBy: '-created' };
    const { comments, total } = jira.read(commentPage, await jira.cloud.getComments(jira.api, parameters));
    if (comments.some(({ body }) => endsWithMarker(textOf(body), marker))) return true;
    const oldest = comments.at(-1);
    startAt += comments.length;
    if (oldest === undefined || startAt >= (total ?? Number.POSITIVE_INFINITY)) return false;
    if (Date.parse(oldest.created) < sinceMs) return false;
  }
}

function textOf(body: z.infer<typeof commentPage>['comments'][number]['body']): string {
  return typeof body === 'object' && body !== null ? adfToMarkdown(body) : (body ?? '');
}
