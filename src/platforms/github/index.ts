/** GitHub's front door. */
import type { PlatformDescriptor } from '../descriptor.ts';
import { connectGitHub } from './adapter.ts';
import { parseGitHubTicketId, resolveGitHubSource } from './source.ts';
import { githubTicketsSchema } from './tickets-schema.ts';

export const github: PlatformDescriptor = {
  slug: 'github',
  type: 'GitHub',
  triggerKey: 'github_trigger',
  environment: { token: 'GITHUB_TOKEN', webhookSecret: 'GITHUB_WEBHOOK_SECRET' },
  ticketsSchema: githubTicketsSchema,
  resolveSource: resolveGitHubSource,
  parseTicketId: parseGitHubTicketId,
  credentialKinds: ['token'],
  connect: connectGitHub,
};
