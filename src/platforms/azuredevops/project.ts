/** The team project, which answers to its former names too. */
import { z } from 'zod';
import type { Ticket } from '../../domain/ticket.ts';
import { inConfiguredScope } from '../configured-scope.ts';
import type { AzureDevOpsClient, AzureDevOpsSession } from './client.ts';

const projectSchema = z.object({ id: z.string(), name: z.string() });

export async function askProject(azure: AzureDevOpsSession, name: string): Promise<z.infer<typeof projectSchema>> {
  return azure.read(projectSchema, await azure.ask(`_apis/projects/${encodeURIComponent(name)}`));
}

/** See `inConfiguredScope`. */
export function inProject(client: AzureDevOpsClient, azure: AzureDevOpsSession, ticket: Ticket): Promise<Ticket> {
  return inConfiguredScope(client, ticket, async () => (await askProject(azure, client.project)).name);
}
