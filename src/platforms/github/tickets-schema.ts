/** The `tickets:` section of a GitHub project. */
import { z } from 'zod';
import { ownToken, platformType, ticketsApiUrl, ticketsUrl, tokenFromEnvironment } from '../tickets-fields.ts';

const appId = z.union([z.string().min(1), z.int().min(1)]).transform(String);

const app = z.strictObject({
  app_id: appId.describe('Id of the GitHub App.'),
  installation_id: appId.describe('Id of its installation in the organisation.'),
  private_key_file: z.string().min(1).describe('PEM file; a relative path starts at the config file.'),
});

export const githubTicketsSchema = z.strictObject({
  type: platformType('GitHub'),
  url: ticketsUrl,
  api_url: ticketsApiUrl.optional(),
  auth: z
    .union([tokenFromEnvironment, ownToken, app])
    .default('token')
    .describe('token = GITHUB_TOKEN; or {token}, or {app_id, installation_id, private_key_file}.'),
});
