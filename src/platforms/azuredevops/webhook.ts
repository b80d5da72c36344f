/**
 * Azure DevOps' webhooks. It signs nothing: what a subscription can send along is a password of Basic authentication or
 * a header, so the secret itself is what proves the sender, and HTTPS what keeps it one.
 */
import { headerOf, isSameSecret, jsonObjectIn, type WebhookDialect, type WebhookRequest } from '../webhook.ts';
import { readMessage } from './webhook-message.ts';

const SECRET_HEADER = 'x-agentsmith-secret';

export const azureDevOpsWebhook: WebhookDialect = {
  // Every payload has one, but not in a header; and a hand-made test may lack it.
  alwaysHasId: false,
  provesSecret(request, secret) {
    const given = [passwordIn(headerOf(request, 'authorization')), headerOf(request, SECRET_HEADER)];
    // Either is enough, and both are compared whatever the first one says: a wrong one beside the right one is a
    // subscription in the middle of a rotation, or a proxy that signs in with something of its own.
    const proofs = given.map((text) => text !== undefined && text !== '' && isSameSecret(text, secret));
    return proofs.includes(true);
  },
  read: ({ body }: WebhookRequest) => readMessage(jsonObjectIn(body)),
};

/** Of Basic authentication, whatever the user name. */
function passwordIn(authorization: string | undefined): string | undefined {
  const [, encoded] = /^basic +([\w+/=-]+)$/i.exec(authorization ?? '') ?? [];
  const decoded = Buffer.from(encoded ?? '', 'base64').toString();
  const colon = decoded.indexOf(':');
  return colon === -1 ? undefined : decoded.slice(colon + 1);
}
