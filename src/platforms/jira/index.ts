/** Jira's front door. */
import type { PlatformDescriptor } from '../descriptor.ts';
import { connectJira } from './adapter.ts';
import { openJiraMissedDeliveries } from './missed-deliveries.ts';
import { isJiraCloud, parseJiraTicketId, resolveJiraSource } from './source.ts';
import { jiraTicketsSchema } from './tickets-schema.ts';
import { jiraWebhook } from './webhook.ts';

export const jira: PlatformDescriptor = {
  slug: 'jira',
  type: 'Jira',
  triggerKey: 'jira_trigger',
  environment: { token: 'JIRA_TOKEN', email: 'JIRA_EMAIL', webhookSecret: 'JIRA_WEBHOOK_SECRET' },
  ticketsSchema: jiraTicketsSchema,
  needsEmail: isJiraCloud,
  resolveSource: resolveJiraSource,
  parseTicketId: parseJiraTicketId,
  labelProblem: (label) => (/\s/.test(label) ? 'a label of Jira has no spaces' : undefined),
  connect: connectJira,
  webhook: jiraWebhook,
  openMissedDeliveries: openJiraMissedDeliveries,
};
