/** GitHub's front door. */
import type { PlatformDescriptor } from '../descriptor.ts';
import { connectGitHub } from './adapter.ts';
import { openGitHubMissedDeliveries } from './missed-deliveries.ts';
import { parseGitHubTicketId, resolveGitHubSource } from './source.ts';
import { githubTicketsSchema } from './tickets-schema.ts';
import { githubWebhook } from './webhook.ts';

export const github: PlatformDescriptor = {
  slug: 'github',
  type: 'GitHub',
  triggerKey: 'github_trigger',
  environment: { token: 'GITHUB_TOKEN', webhookSecret: 'GITHUB_WEBHOOK_SECRET' },
  ticketsSchema: githubTicketsSchema,
  resolveSource: resolveGitHubSource,
  parseTicketId: parseGitHubTicketId,
  // A listing takes a comma for the end of a label.
  labelProblem: (label) => (label.includes(',') ? 'GitHub cannot list by a label with a comma' : undefined),
  connect: connectGitHub,
  webhook: githubWebhook,
  openMissedDeliveries: openGitHubMissedDeliveries,
};
