/** Azure DevOps' front door. */
import type { PlatformDescriptor } from '../descriptor.ts';
import { connectAzureDevOps } from './adapter.ts';
import { openAzureDevOpsMissedDeliveries } from './missed-deliveries.ts';
import { parseAzureDevOpsTicketId, resolveAzureDevOpsSource } from './source.ts';
import { azureDevOpsTicketsSchema } from './tickets-schema.ts';
import { azureDevOpsWebhook } from './webhook.ts';

export const azuredevops: PlatformDescriptor = {
  slug: 'azuredevops',
  type: 'AzureDevOps',
  triggerKey: 'azuredevops_trigger',
  environment: { token: 'AZURE_DEVOPS_TOKEN', webhookSecret: 'AZURE_DEVOPS_WEBHOOK_SECRET' },
  ticketsSchema: azureDevOpsTicketsSchema,
  resolveSource: resolveAzureDevOpsSource,
  parseTicketId: parseAzureDevOpsTicketId,
  labelProblem: (label) =>
    /[,;]|^@/.test(label) ? 'a tag of Azure DevOps has no comma or semicolon and does not begin with @' : undefined,
  connect: connectAzureDevOps,
  webhook: azureDevOpsWebhook,
  openMissedDeliveries: openAzureDevOpsMissedDeliveries,
};
