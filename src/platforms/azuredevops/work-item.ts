/** What we read of a work item, and nothing else. Its labels are its tags. */
import { z } from 'zod';
import { type Ticket, ticketKey } from '../../domain/ticket.ts';
import type { AzureDevOpsClient } from './client.ts';

/** What a listing asks for; every collection has these fields. */
export const LISTED_FIELDS = ['System.Title', 'System.State', 'System.Tags', 'System.TeamProject'];

/** Tags as the API writes them: `one; two`. No tag can hold the separator. */
export const tagsSchema = z
  .string()
  .nullish()
  .transform((text) => splitTags(text ?? ''));

/** What one revision did to them. */
export const tagsChangeSchema = z.object({ oldValue: tagsSchema, newValue: tagsSchema });

/** An id as number or digits, never a name; the API's integers have 32 bits. */
export const workItemIdSchema = z
  .union([
    z.number(),
    z
      .string()
      .regex(/^[1-9]\d*$/)
      .transform(Number),
  ])
  .pipe(z.int32().positive());

/** The id of its ticket. */
export const ticketIdSchema = workItemIdSchema.transform(String);

export const workItemSchema = z.object({
  id: z.int().positive(),
  rev: z.int().positive(),
  fields: z.object({
    'System.Title': z.string(),
    'System.State': z.string(),
    'System.Tags': tagsSchema,
    'System.TeamProject': z.string(),
    'System.Description': z.string().nullish(),
    /** Where people describe a bug. */
    'Microsoft.VSTS.TCM.ReproSteps': z.string().nullish(),
  }),
});

export type WorkItem = z.infer<typeof workItemSchema>;

/** The work item as a ticket of the configured source; its key is by the organisation, in which its id is unique. */
export function toTicket(
  { source }: AzureDevOpsClient,
  { id, fields }: WorkItem,
  openStates: readonly string[],
): Ticket {
  const project = fields['System.TeamProject'];
  const state = fields['System.State'].toLowerCase();
  return {
    key: ticketKey(source, String(id)),
    id: String(id),
    display: `${source.container}#${id}`,
    url: `${source.apiUrl}/${encodeURIComponent(project)}/_workitems/edit/${id}`,
    title: fields['System.Title'],
    body: fields['System.Description'] ?? fields['Microsoft.VSTS.TCM.ReproSteps'] ?? '',
    labels: fields['System.Tags'],
    open: openStates.some((open) => open.toLowerCase() === state),
    scope: project,
  };
}

function splitTags(text: string): string[] {
  return text
    .split(';')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}
