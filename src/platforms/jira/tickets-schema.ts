/** The `tickets:` section of a Jira project, on Cloud and on Data Center. */
import { z } from 'zod';
import { ownToken, platformType, ticketsApiUrl, ticketsUrl, tokenFromEnvironment } from '../tickets-fields.ts';

const emailAndToken = z.strictObject({
  email: z.string().describe('Account of an API token on Jira Cloud.'),
  ...ownToken.shape,
});

export const jiraTicketsSchema = z.strictObject({
  type: platformType('Jira'),
  url: ticketsUrl,
  api_url: ticketsApiUrl.describe('URL of the site with its context path, only where it is not url.').optional(),
  project: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]+$/, 'must be a project key such as ABC')
    .describe('Project key. Without it the whole site is watched.')
    .optional(),
  deployment: z.enum(['cloud', 'data_center']).describe('Derived from the host when absent.').optional(),
  auth: z
    .union([tokenFromEnvironment, ownToken, emailAndToken])
    .default('token')
    .describe('token = JIRA_EMAIL and JIRA_TOKEN; or {email, token}; or {token} (Data Center).'),
});
