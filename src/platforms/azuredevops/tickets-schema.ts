/** The `tickets:` section of an Azure DevOps project. */
import { z } from 'zod';
import { ownToken, platformType, ticketsApiUrl, ticketsUrl, tokenFromEnvironment } from '../tickets-fields.ts';

const entra = z.strictObject({
  tenant_id: z.string().min(1).describe('Tenant of Microsoft Entra ID in which the application is registered.'),
  client_id: z.string().min(1).describe('Application (client) id.'),
  client_secret: z.string().describe('Write it as ${VARIABLE}.'),
  authority_url: z
    .string()
    .min(1)
    .describe('Where tokens are asked for; https://login.microsoftonline.com unless in a cloud of its own.')
    .optional(),
});

export const openStatesSchema = z.array(z.string().min(1)).min(1).default(['New', 'Active', 'Committed']);

export const azureDevOpsTicketsSchema = z.strictObject({
  type: platformType('AzureDevOps'),
  url: ticketsUrl.optional(),
  api_url: ticketsApiUrl.describe('URL of the organisation or collection, only where url does not show it.').optional(),
  organization: z.string().min(1).describe('Organisation on dev.azure.com, if not in url.').optional(),
  project: z.string().min(1).describe('Team project, if not in url.').optional(),
  open_states: openStatesSchema.describe('Values of System.State in which a work item counts as open.'),
  auth: z
    .union([tokenFromEnvironment, ownToken, entra])
    .default('token')
    .describe(
      'token = AZURE_DEVOPS_TOKEN; or {token}, or {tenant_id, client_id, client_secret} of an Entra application.',
    ),
});
