/**
 * GitLab's webhooks, those of a project and of a group. A hook either signs what it sends (a signing token, `whsec_...`, by
 * the rules of Standard Webhooks) or sends its secret along in a header, as older servers do.
 */

import { Webhook } from 'standardwebhooks';
import { isSameSecret } from '../../foundation/same-secret.ts';
import { headerOf, jsonObjectIn, type WebhookDialect, type WebhookRequest } from '../webhook.ts';
import { readGitLabMessage } from './webhook-message.ts';

const SIGNING_TOKEN = 'whsec_';
/** Standard Webhooks asks for it. GitLab itself makes 32. */
const SHORTEST_KEY_BYTES = 24;

export const gitlabWebhook: WebhookDialect = {
  // Servers before 17.4 send none.
  alwaysHasId: false,
  provesSecret: (request, secret) =>
    secret.startsWith(SIGNING_TOKEN)
      ? isSigned(request, secret)
      : isSameSecret(headerOf(request, 'x-gitlab-token'), secret),
  read(request) {
    // `X-Gitlab-Event-UUID` is no id of a delivery: hooks that were set off by the same act share it.
    const id = headerOf(request, 'webhook-id') ?? headerOf(request, 'idempotency-key');
    return readGitLabMessage(jsonObjectIn(request.body), id);
  },
  secretProblem(secret) {
    const signer = secret.startsWith(SIGNING_TOKEN) ? signerOf(secret) : undefined;
    return signer !== undefined && 'problem' in signer ? signer.problem : undefined;
  },
};

/** Not older than five minutes, too: whoever has overheard a delivery cannot send it for ever. */
function isSigned(request: WebhookRequest, secret: string): boolean {
  const signer = signerOf(secret);
  if ('problem' in signer) return false;
  const headers = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => [name, headerOf(request, name) ?? ''] as const,
  );
  try {
    signer.verify(request.body, Object.fromEntries(headers), { jsonParse: false });
    return true;
  } catch {
    // The library says no by throwing; for what reason makes no difference.
    return false;
  }
}

function signerOf(token: string): Webhook | { readonly problem: string } {
  try {
    const signer = new Webhook(token);
    const bytes = Buffer.byteLength(token.slice(SIGNING_TOKEN.length), 'base64');
    return bytes < SHORTEST_KEY_BYTES ? { problem: 'is a signing token (whsec_...) that was cut short' } : signer;
  } catch {
    return { problem: 'is a signing token (whsec_...) whose rest is no base64' };
  }
}
