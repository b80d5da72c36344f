/** The `tickets:` section of a GitLab project. */
import { z } from 'zod';
import { ownToken, platformType, ticketsApiUrl, ticketsUrl, tokenFromEnvironment } from '../tickets-fields.ts';

export const gitlabTicketsSchema = z.strictObject({
  type: platformType('GitLab'),
  url: ticketsUrl,
  api_url: ticketsApiUrl.optional(),
  auth: z.union([tokenFromEnvironment, ownToken]).default('token').describe('token = GITLAB_TOKEN; or {token}.'),
});
