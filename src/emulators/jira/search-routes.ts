/**
 * The two searches. Cloud answers page after page by a token, without a total, and shows only ids unless fields are
 * asked for; its older search is gone. Data Center counts from `startAt` and shows everything.
 */
import { z } from 'zod';
import { parseJql, type Query } from './jql.ts';
import { comparatorOf, filterOf } from './jql-filter.ts';
import { JqlError } from './jql-tokens.ts';
import { ok, type Reply, refused } from './replies.ts';
import { type Call, listIn, numberIn, type Route, visibleIssue } from './routes.ts';
import { type Entry, entryOf } from './search-index.ts';
import { FIELDS, issueShape } from './shapes.ts';

/** With ids alone a page may be this long. */
const MAX_IDS = 5000;
const MAX_RECONCILED = 50;
const REMOVED =
  'The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046';

const cloudSearch = z.strictObject({
  jql: z.string().default(''),
  fields: z.array(z.string()).optional(),
  fieldsByKeys: z.boolean().optional(),
  expand: z.string().optional(),
  maxResults: z.int().min(0).default(50),
  nextPageToken: z
    .string()
    .nullish()
    .transform((token) => token ?? undefined),
  properties: z.array(z.string()).optional(),
  reconcileIssues: z.array(z.int()).max(MAX_RECONCILED).default([]),
});

const serverSearch = z.looseObject({
  jql: z.string().default(''),
  startAt: z.int().min(0).default(0),
  maxResults: z.int().min(0).default(50),
  fields: z.array(z.string()).default(['*navigable']),
});

const pageToken = z.object({ jql: z.string(), after: z.int() });

export const searchRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/search/jql',
    operation: 'search/jql',
    only: 'cloud',
    handle: (call) => searchByToken(call, call.body),
  },
  {
    method: 'GET',
    path: '/search/jql',
    operation: 'search/jql',
    only: 'cloud',
    handle: (call) =>
      searchByToken(call, {
        jql: call.query.get('jql') ?? '',
        maxResults: numberIn(call.query, 'maxResults', 50),
        fields: listIn(call.query, 'fields'),
        nextPageToken: call.query.get('nextPageToken'),
        reconcileIssues: listIn(call.query, 'reconcileIssues').map(Number),
      }),
  },
  ...(['GET', 'POST'] as const).map(
    (method): Route => ({
      method,
      path: '/search',
      operation: 'search',
      only: 'cloud',
      handle: () => refused(410, REMOVED),
    }),
  ),
  {
    method: 'POST',
    path: '/search',
    operation: 'search',
    only: 'data_center',
    handle: (call) => searchByOffset(call, call.body),
  },
  {
    method: 'GET',
    path: '/search',
    operation: 'search',
    only: 'data_center',
    handle: (call) => {
      const fields = listIn(call.query, 'fields');
      return searchByOffset(call, {
        jql: call.query.get('jql') ?? '',
        startAt: numberIn(call.query, 'startAt', 0),
        maxResults: numberIn(call.query, 'maxResults', 50),
        ...(fields.length === 0 ? {} : { fields }),
      });
    },
  },
];

function searchByToken(call: Call, body: unknown): Reply {
  const asked = cloudSearch.safeParse(body);
  if (!asked.success)
    return refused(400, 'Invalid request payload. Refer to the REST API documentation and try again.');
  const { jql, fields = [], maxResults, nextPageToken, reconcileIssues } = asked.data;
  return answered(jql, (query) => {
    if (query.where === undefined) {
      return refused(400, 'Unbounded JQL queries are not allowed here. Please add a search restriction to your query.');
    }
    const place = nextPageToken === undefined ? undefined : readToken(nextPageToken);
    if (nextPageToken !== undefined && place?.jql !== jql)
      return refused(400, 'The provided next page token is invalid or expired.');
    const left = behind(call, query, search(call, query, new Set(reconcileIssues)), place?.after);
    const limit = fields.length === 0 ? MAX_IDS : call.pageLimit;
    const page = left.slice(0, Math.min(maxResults, limit));
    const last = page.at(-1);
    const isLast = page.length === left.length || last === undefined;
    return ok({
      issues: page.map(({ issue }) =>
        fields.length === 0 ? { id: String(issue.id) } : issueShape(call.at, issue, fields),
      ),
      ...(isLast ? {} : { nextPageToken: writeToken({ jql, after: last.issue.id }) }),
      isLast,
    });
  });
}

function searchByOffset(call: Call, body: unknown): Reply {
  const asked = serverSearch.safeParse(body ?? {});
  if (!asked.success) return refused(400, 'Unexpected content in the request body.');
  const { jql, startAt, maxResults, fields } = asked.data;
  return answered(jql, (query) => {
    const found = search(call, query, new Set());
    const size = Math.min(maxResults, call.pageLimit);
    const page = found.slice(startAt, startAt + size);
    return ok({
      expand: 'schema,names',
      startAt,
      maxResults: size,
      total: found.length,
      issues: page.map(({ issue }) => issueShape(call.at, issue, fields.length === 0 ? [...FIELDS] : fields)),
    });
  });
}

function answered(jql: string, answer: (query: Query) => Reply): Reply {
  try {
    return answer(parseJql(jql));
  } catch (error) {
    if (error instanceof JqlError) return refused(400, error.message);
    throw error;
  }
}

/** What matches and may be browsed, in order. Matched is what the index has seen, shown is the issue itself. */
function search(call: Call, query: Query, reconciled: ReadonlySet<number>): Entry[] {
  const { account, state } = call;
  const filter =
    query.where === undefined
      ? () => true
      : filterOf(query.where, {
          nowMs: call.nowMs,
          presentKey(key) {
            const present = state.project(key)?.key;
            return present !== undefined && account.sees(present) ? present : undefined;
          },
          find: (idOrKey) => visibleIssue(call, idOrKey),
        });
  return call.index
    .entries(reconciled)
    .filter((entry) => !entry.issue.deleted && account.sees(entry.project) && filter(entry))
    .sort(comparatorOf(query.orderBy));
}

/** Those after an issue in the order of the query, which need not be among them any more. */
function behind(call: Call, query: Query, found: readonly Entry[], id: number | undefined): readonly Entry[] {
  const last = id === undefined ? undefined : call.state.issueById(id);
  if (last === undefined) return found;
  const compare = comparatorOf(query.orderBy);
  const place = entryOf(last);
  return found.filter((entry) => compare(entry, place) > 0);
}

function writeToken(token: z.infer<typeof pageToken>): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

function readToken(text: string): z.infer<typeof pageToken> | undefined {
  try {
    return pageToken.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
  } catch {
    return undefined; // Not one of ours: refused by the caller in Jira's words.
  }
}
