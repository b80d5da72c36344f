/** The `tickets:` section of an Azure DevOps project. */
import { z } from 'zod';
import { ownToken, platformType, ticketsApiUrl, ticketsUrl, tokenFromEnvironment } from '../tickets-fields.ts';

export const azureDevOpsTicketsSchema = z.strictObject({
  type: platformType('AzureDevOps'),
  url: ticketsUrl.optional(),
  api_url: ticketsApiUrl.describe('URL of the organisation or collection, only where url does not show it.').optional(),
  organization: z.string().min(1).describe('Organisation on dev.azure.com, if not in url.').optional(),
  project: z.string().min(1).describe('Team project, if not in url.').optional(),
  open_states: z
    .array(z.string().min(1))
    .min(1)
    .default(['New', 'Active', 'Committed'])
    .describe('Values of System.State in which a work item counts as open.'),
  auth: z.union([tokenFromEnvironment, ownToken]).default('token').describe('token = AZURE_DEVOPS_TOKEN; or {token}.'),
});
