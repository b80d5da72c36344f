/**
 * Listing tickets: a query gives ids and nothing else, a second request the work items. Paged by the id, so that a
 * query never comes near its limit of 20,000 results and what happens between two pages shifts nothing. More labels
 * than one query should hold are walked in groups; a ticket with labels of two groups is listed twice, and whoever reads
 * the listing knows tickets by their key.
 */
import { WorkItemErrorPolicy } from 'azure-devops-node-api/interfaces/WorkItemTrackingInterfaces.js';
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import type { Ticket } from '../../domain/ticket.ts';
import type { Call, TicketPage, TicketQuery } from '../contract.ts';
import type { AzureDevOpsClient, AzureDevOpsSession } from './client.ts';
import { inProject } from './project.ts';
import { listingWiql, MOST_LABELS } from './wiql.ts';
import { LISTED_FIELDS, toTicket, type WorkItem, workItemSchema } from './work-item.ts';

/** The most that one request hydrates. */
const PAGE_SIZE = 200;

/** Where a listing goes on: the group that begins with this label, behind this id. */
interface Place {
  readonly label: string;
  readonly after: number;
}

const cursorAt = ({ label, after }: Place): string => `${after} ${label}`;

function placeAt(cursor: string): Place | undefined {
  const [, after, label] = /^(\d{1,10}) (.+)$/s.exec(cursor) ?? [];
  return after === undefined || label === undefined ? undefined : { label, after: Number(after) };
}

export const idsSchema = z.object({ workItems: z.array(z.object({ id: z.int().positive() })) });

/** One page, at most 200 tickets; labels that only look alike are dropped, so it may be empty. */
export async function listTickets(
  client: AzureDevOpsClient,
  openStates: readonly string[],
  query: TicketQuery,
  cursor: string | undefined,
  call: Call,
): Promise<TicketPage> {
  const [first] = query.labels;
  if (first === undefined) throw new TypeError('a listing needs at least one label');
  const asked = cursor === undefined ? undefined : placeAt(cursor);
  // A reload of the configuration may have taken the label away in which the listing stood: it begins again.
  const at = asked !== undefined && query.labels.includes(asked.label) ? asked : { label: first, after: 0 };
  const start = query.labels.indexOf(at.label);
  const labels = query.labels.slice(start, start + MOST_LABELS);
  const states = query.state === 'open' ? openStates : undefined;
  const { project } = client;
  return client.ask(`list tickets of ${project} labelled "${labels.join('" or "')}"`, call, async (azure) => {
    const wiql = listingWiql({ labels, states, after: at.after });
    const found = await azure.api.queryByWiql({ query: wiql }, { project }, false, PAGE_SIZE);
    const ids = azure.read(idsSchema, found).workItems.map(({ id }) => id);
    const tickets: Ticket[] = [];
    for (const item of await workItems(azure, ids)) {
      if (!labels.some((label) => hasLabel(item.fields['System.Tags'], label))) continue;
      tickets.push(await inProject(client, azure, toTicket(client, item, openStates)));
    }
    const last = ids.length < PAGE_SIZE ? undefined : ids.at(-1);
    const next = query.labels[start + MOST_LABELS];
    if (last !== undefined) return { tickets, next: cursorAt({ label: at.label, after: last }) };
    return next === undefined ? { tickets } : { tickets, next: cursorAt({ label: next, after: 0 }) };
  });
}

/** The work items of these ids, without those that are gone by now or that we may not see. */
async function workItems({ api, read }: AzureDevOpsSession, ids: readonly number[]): Promise<WorkItem[]> {
  if (ids.length === 0) return [];
  const found = await api.getWorkItemsBatch({
    ids: [...ids],
    fields: LISTED_FIELDS,
    errorPolicy: WorkItemErrorPolicy.Omit,
  });
  return read(z.array(workItemSchema.nullable()), found).filter((item) => item !== null);
}
