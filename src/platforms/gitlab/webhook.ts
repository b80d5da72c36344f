/**
 * GitLab's webhooks, those of a project and of a group. A hook either signs what it sends (a signing token, `whsec_...`, by
 * the rules of Standard Webhooks) or sends its secret along in a header, as older servers do.
 */
import { Webhook } from 'standardwebhooks';
import {
  headerOf,
  isSameSecret,
  jsonObjectIn,
  type WebhookDialect,
  type WebhookMessage,
  type WebhookRequest,
} from '../webhook.ts';
import { readPayload } from './webhook-payload.ts';

const SIGNING_TOKEN = /^whsec_/;

export const gitlabWebhook: WebhookDialect = {
  // Servers before 17.4 send none.
  alwaysHasId: false,
  provesSecret: (request, secret) => (SIGNING_TOKEN.test(secret) ? isSigned : carriesToken)(request, secret),
  read(request) {
    // `X-Gitlab-Event-UUID` is no id of a delivery: hooks that were set off by the same act share it.
    const id = headerOf(request, 'webhook-id') ?? headerOf(request, 'idempotency-key');
    return messageIn(jsonObjectIn(request.body), id);
  },
};

/** What a payload says that came as a delivery, or stands in GitLab's list of those that it sent. */
export function messageIn(payload: Readonly<Record<string, unknown>>, id: string | undefined): WebhookMessage {
  // GitLab names no hook: `X-Gitlab-Webhook-UUID` is another one each time, and the id is another one for each hook.
  return { id, hook: undefined, ...readPayload(payload) };
}

/** Not older than five minutes, too: whoever has overheard a delivery cannot send it for ever. */
function isSigned(request: WebhookRequest, secret: string): boolean {
  const headers = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
    (name) => [name, headerOf(request, name) ?? ''] as const,
  );
  try {
    new Webhook(secret).verify(request.body, Object.fromEntries(headers), { jsonParse: false });
    return true;
  } catch {
    // The library says no by throwing; for what reason makes no difference, a token that is no key included.
    return false;
  }
}

function carriesToken(request: WebhookRequest, secret: string): boolean {
  const token = headerOf(request, 'x-gitlab-token');
  return token !== undefined && isSameSecret(token, secret);
}
