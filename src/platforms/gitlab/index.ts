/** GitLab's front door. */
import type { PlatformDescriptor } from '../descriptor.ts';
import { connectGitLab } from './adapter.ts';
import { gitlabLabelProblem } from './listing.ts';
import { openGitLabMissedDeliveries } from './missed-deliveries.ts';
import { parseGitLabTicketId, resolveGitLabSource } from './source.ts';
import { gitlabTicketsSchema } from './tickets-schema.ts';
import { gitlabWebhook } from './webhook.ts';

export const gitlab: PlatformDescriptor = {
  slug: 'gitlab',
  type: 'GitLab',
  triggerKey: 'gitlab_trigger',
  environment: { token: 'GITLAB_TOKEN', webhookSecret: 'GITLAB_WEBHOOK_TOKEN' },
  ticketsSchema: gitlabTicketsSchema,
  resolveSource: resolveGitLabSource,
  parseTicketId: parseGitLabTicketId,
  labelProblem: gitlabLabelProblem,
  connect: connectGitLab,
  webhook: gitlabWebhook,
  openMissedDeliveries: openGitLabMissedDeliveries,
};
