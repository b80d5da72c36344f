/**
 * GitHub's webhooks. Those of a repository, of an organisation and of an App send the same payloads, as JSON or as a form
 * with the JSON in its field `payload`; the signature is over the body as it came in either case. Id, hook and event stand
 * in headers that nobody has signed: they tell deliveries apart, and as what a payload is read.
 */
import {
  headerOf,
  jsonObjectIn,
  provesByHmac,
  UnreadableWebhook,
  type WebhookDialect,
  type WebhookRequest,
} from '../webhook.ts';
import { readGitHubMessage } from './webhook-message.ts';

export const githubWebhook: WebhookDialect = {
  alwaysHasId: true,
  provesSecret: (request, secret) => provesByHmac(request, 'x-hub-signature-256', secret),
  read: (request) =>
    readGitHubMessage(jsonObjectIn(jsonIn(request)), {
      id: headerOf(request, 'x-github-delivery'),
      hook: headerOf(request, 'x-github-hook-id'),
      event: headerOf(request, 'x-github-event'),
    }),
};

function jsonIn(request: WebhookRequest): Buffer | string {
  const type = headerOf(request, 'content-type')?.toLowerCase() ?? '';
  if (!type.startsWith('application/x-www-form-urlencoded')) return request.body;
  const json = new URLSearchParams(request.body.toString()).get('payload');
  if (json === null) throw new UnreadableWebhook('the form has no field payload');
  return json;
}
