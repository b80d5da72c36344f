/**
 * Jira's webhooks: those that an administrator registers under System > WebHooks, on Cloud and on Data Center.
 *
 * Data Center may send the secret as a password instead of signing with it. A signature that is there has to be right: a
 * password says nothing about the body.
 */
import { isSameSecret } from '../../foundation/same-secret.ts';
import { headerOf, jsonObjectIn, passwordOf, provesByHmac, type WebhookDialect } from '../webhook.ts';
import { readJiraMessage } from './webhook-message.ts';

const SIGNATURE = 'x-hub-signature';

export const jiraWebhook: WebhookDialect = {
  // The same header on both deployments, and the same id when a delivery is sent again.
  alwaysHasId: true,
  provesSecret: (request, secret) =>
    request.headers[SIGNATURE] === undefined
      ? isSameSecret(passwordOf(request), secret)
      : provesByHmac(request, SIGNATURE, secret),
  read: (request) => readJiraMessage(jsonObjectIn(request.body), headerOf(request, 'x-atlassian-webhook-identifier')),
};
