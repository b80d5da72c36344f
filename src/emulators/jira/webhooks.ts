/**
 * The webhooks that an administrator has registered: whom they tell of what, how they prove themselves, and how often
 * Jira tries. They belong to the site; a query narrows them.
 */
import { createHmac, randomUUID } from 'node:crypto';
import {
  createWebhookSender,
  type DeliveryAttempt,
  type HookSettings,
  type WebhookOptions,
  type WebhookSender,
} from '../webhook-sender.ts';
import { parseJql } from './jql.ts';
import { type Filter, filterOf } from './jql-filter.ts';
import { entryOf } from './search-index.ts';
import type { Addresses } from './shapes.ts';
import type { Happening, State } from './state.ts';
import { payloadsOf } from './webhook-payloads.ts';

export interface JiraHookSettings extends HookSettings {
  /** Only of issues that match; of all when absent. */
  readonly jql?: string;
  /** Sends the secret as the password of this user instead of signing with it; Data Center can. */
  readonly user?: string;
}

export interface Webhooks {
  readonly sender: WebhookSender;
  add(hook: JiraHookSettings): string;
}

export interface WebhooksDeps {
  readonly state: State;
  readonly at: () => Addresses;
  readonly nowMs: () => number;
}

const MAX_RETRIES = 5;
/** Between two tries of Cloud. */
const RETRY_PAUSE_MS = 600_000;

export function createWebhooks(
  { state, at, nowMs }: WebhooksDeps,
  { timeoutMs = 30_000, pauseScale = 1 }: WebhookOptions = {},
): Webhooks {
  const hooks = new Map<string, JiraHookSettings>();
  /** Deliveries that failed, and how often. */
  const retries = new Map<string, number>();

  const onAttempt = ({ delivery, attempt, status }: DeliveryAttempt): number | undefined => {
    // Nothing is documented of Data Center, so it is taken for the worse case.
    if (at().deployment !== 'cloud' || !isTransient(status) || attempt > MAX_RETRIES) return undefined;
    retries.set(delivery.id, attempt);
    return RETRY_PAUSE_MS * pauseScale;
  };
  const sender = createWebhookSender({ timeoutMs, nowMs, onAttempt });

  const filter = ({ jql = '' }: JiraHookSettings): Filter => {
    const { where } = parseJql(jql);
    if (where === undefined) return () => true;
    return filterOf(where, { nowMs: nowMs(), presentKey: (key) => state.project(key)?.key, find: state.find });
  };

  const send = (hook: string, { url, secret, user }: JiraHookSettings, event: string, body: string): void => {
    const id = randomUUID();
    const fixed = {
      'content-type': 'application/json; charset=UTF-8',
      'user-agent': 'Atlassian HttpClient unknown / JIRA-1001.0.0-SNAPSHOT (100256) / Default',
      'x-atlassian-webhook-identifier': id,
      ...(at().deployment === 'cloud' ? { 'x-atlassian-webhook-flow': 'Primary' } : {}),
      ...(secret === undefined ? {} : proofOf(body, secret, user)),
    };
    sender.send({
      hook,
      id,
      event,
      url,
      body,
      // Made for each try: it tells which one it is.
      get headers() {
        const tries = retries.get(id);
        return tries === undefined ? fixed : { ...fixed, 'x-atlassian-webhook-retry': String(tries) };
      },
    });
  };

  const tell = (happening: Happening): void => {
    const told = [...hooks].filter(([, hook]) => filter(hook)(entryOf(happening.issue)));
    if (told.length === 0) return;
    for (const payload of payloadsOf(at(), happening, nowMs())) {
      const body = JSON.stringify(payload);
      for (const [id, hook] of told) send(id, hook, payload.webhookEvent, body);
    }
  };
  state.onHappening(tell);

  return {
    sender,
    add(hook) {
      // A mistake in the query is the administrator's to hear of, now.
      filter(hook);
      const id = String(hooks.size + 1);
      hooks.set(id, hook);
      return id;
    },
  };
}

/** What Cloud tries again; no answer at all is transient too. */
function isTransient(status: number | undefined): boolean {
  return status === undefined || status >= 500 || [408, 409, 425, 429].includes(status);
}

function proofOf(body: string, secret: string, user: string | undefined): Readonly<Record<string, string>> {
  return user === undefined
    ? { 'x-hub-signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}` }
    : { authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` };
}
