/**
 * Azure DevOps' webhooks. It signs nothing: what a subscription can send along is a password of Basic authentication or
 * a header, so the secret itself is what proves the sender, and HTTPS what keeps it one.
 */
import { isSameSecret } from '../../foundation/same-secret.ts';
import { headerOf, jsonObjectIn, passwordOf, type WebhookDialect } from '../webhook.ts';
import { readAzureDevOpsMessage } from './webhook-message.ts';

export const azureDevOpsWebhook: WebhookDialect = {
  // Every payload has one, but not in a header; and a hand-made test may lack it.
  alwaysHasId: false,
  provesSecret(request, secret) {
    // Either is enough, and both are compared whatever the first one says: a wrong one beside the right one is a
    // subscription in the middle of a rotation, or a proxy that signs in with something of its own.
    const given = [passwordOf(request), headerOf(request, 'x-agentsmith-secret')];
    return given.map((text) => isSameSecret(text, secret)).includes(true);
  },
  read: ({ body }) => readAzureDevOpsMessage(jsonObjectIn(body)),
};
