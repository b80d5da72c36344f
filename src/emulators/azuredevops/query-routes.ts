/** Queries and reading many at once: a query answers with ids and nothing else, a batch takes at most 200 of them. */
import { z } from 'zod';
import { list, noWorkItem, ok, type Reply, refused } from './replies.ts';
import type { Call, Route } from './routes.ts';
import { workItemShape, workItemUrl } from './shapes.ts';
import { fieldsOf, findWorkItem, type WorkItem } from './state.ts';
import { parseWiql, type Queried, WiqlError } from './wiql.ts';

const MAX_BATCH = 200;
const MAX_QUERY_LENGTH = 32 * 1024;

const wiqlSchema = z.object({ query: z.string() });
/** As words or as the numbers of the client library. */
const batchSchema = z.object({
  ids: z.array(z.int()),
  fields: z.array(z.string()).nullish(),
  errorPolicy: z.union([z.string().toLowerCase(), z.literal([1, 2])]).nullish(),
});

export const queryRoutes: readonly Route[] = [
  { method: 'POST', path: '_apis/wit/wiql', below: 'either', operation: 'wit/wiql', handle: query },
  { method: 'POST', path: '_apis/wit/workItemsBatch', below: 'either', operation: 'wit/workItemsBatch', handle: batch },
];

function query(call: Call): Reply {
  const body = wiqlSchema.safeParse(call.body);
  if (!body.success) return invalid('VS403437: The query is missing.');
  if (body.data.query.length > MAX_QUERY_LENGTH) return invalid('VS403455: The query is longer than 32K characters.');
  try {
    const { matches, compare } = parseWiql(body.data.query, call.project?.name);
    const found = call.collection.workItems
      .filter(({ deleted }) => !deleted)
      .map((item) => ({ item, queried: queriedOf(item) }))
      .filter(({ queried }) => matches(queried))
      .sort((one, other) => compare(one.queried, other.queried));
    const top = Number(call.query.get('$top') ?? Number.POSITIVE_INFINITY);
    if (Math.min(found.length, top) > call.queryLimit) {
      const limit = `exceeds the size limit of ${call.queryLimit}. Change the query to return fewer items.`;
      return invalid(`VS402337: The number of work items returned ${limit}`);
    }
    const workItems = found.slice(0, top).map(({ item }) => ({ id: item.id, url: workItemUrl(call.base, item) }));
    return ok({
      queryType: 'flat',
      queryResultType: 'workItem',
      asOf: new Date().toISOString(),
      columns: [{ referenceName: 'System.Id', name: 'ID', url: `${call.base}/_apis/wit/fields/System.Id` }],
      workItems,
    });
  } catch (error) {
    if (error instanceof WiqlError) return invalid(`VS403438: The query is not valid. ${error.message}`);
    throw error;
  }
}

function batch(call: Call): Reply {
  const body = batchSchema.safeParse(call.body);
  if (!body.success) return invalid('VS403474: The ids are missing.');
  const { ids, fields, errorPolicy } = body.data;
  if (ids.length > MAX_BATCH) {
    return invalid(
      `VS403474: You are trying to get ${ids.length} work items; at most ${MAX_BATCH} can be had at once.`,
    );
  }
  const omit = errorPolicy === 'omit' || errorPolicy === 2;
  const found = ids.map((id) => ({ id, item: findWorkItem(call.collection, id) }));
  const missing = found.find(({ item }) => item === undefined);
  if (missing !== undefined && !omit) return noWorkItem(missing.id);
  // An omitted one leaves a hole.
  return list(
    found.map(({ item }) => (item === undefined ? null : workItemShape(call.base, item, fields ?? undefined))),
  );
}

function queriedOf(item: WorkItem): Queried {
  return { id: item.id, fields: fieldsOf(item), tags: item.tags };
}

function invalid(message: string): Reply {
  return refused(400, message, 'WorkItemTrackingQueryException');
}
