/**
 * Webhooks of projects: what is sent through them, what came of it, and when GitLab stops. It never sends anything again by
 * itself. After four failures in a row it holds a hook back, for a minute first and twice as long each time, up to a day;
 * meanwhile nothing is sent and nothing noted. The fortieth failure is the last. One delivery that arrives makes all good.
 */
import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { unreachable } from '../../foundation/errors.ts';
import { createRateWindows } from '../rate-windows.ts';
import {
  createWebhookSender,
  type DeliveryAttempt,
  type HookSettings,
  type WebhookOptions,
  type WebhookSender,
} from '../webhook-sender.ts';
import type { Happening } from './happenings.ts';
import type { Addresses } from './shapes.ts';
import type { Project } from './state.ts';
import { issuePayload, notePayload } from './webhook-payloads.ts';

export interface Hook {
  readonly id: number;
  readonly project: Project;
  readonly url: string;
  readonly secret: string | undefined;
  readonly createdAtMs: number;
  /** What was sent through it, oldest first. */
  readonly attempts: (DeliveryAttempt & { readonly id: number })[];
  failures: number;
  /** Wall clock. */
  heldUntilMs: number | undefined;
}

export interface Webhooks {
  readonly sender: WebhookSender;
  add(project: Project, settings: HookSettings): Hook;
  of(project: Project): readonly Hook[];
  status(hook: Hook): 'executable' | 'temporarily_disabled' | 'disabled';
  /** Sends what has happened through all hooks of its project. */
  tell(happening: Happening): void;
  /** Sends the same once more, under the same key. */
  again(attempt: DeliveryAttempt): void;
  /** Counts a request to send something again; false when there were too many. */
  mayResend(project: Project, tokenId: string): boolean;
}

export interface WebhooksDeps {
  readonly at: () => Addresses;
  readonly nowMs: () => number;
}

const TOLERATED_FAILURES = 3;
const LAST_FAILURE = 40;
const FIRST_BACKOFF_MS = 60_000;
const LONGEST_BACKOFF_MS = 86_400_000;
const SIGNING_TOKEN = 'whsec_';

export function createWebhooks(
  { at, nowMs }: WebhooksDeps,
  { timeoutMs = 10_000, pauseScale = 1 }: WebhookOptions = {},
): Webhooks {
  const hooks = new Map<string, Hook>();
  const resends = createRateWindows({ limit: 5, windowMs: 60_000 }, nowMs);
  let lastEvent = 0;

  const status: Webhooks['status'] = ({ failures, heldUntilMs = 0 }) => {
    if (failures >= LAST_FAILURE) return 'disabled';
    return failures > TOLERATED_FAILURES && heldUntilMs >= nowMs() ? 'temporarily_disabled' : 'executable';
  };

  const note = (attempt: DeliveryAttempt): undefined => {
    const hook = hooks.get(attempt.delivery.hook);
    if (hook === undefined) return;
    lastEvent += 1;
    hook.attempts.push({ ...attempt, id: lastEvent });
    // To GitLab a redirect is an answer like any other.
    if (attempt.status !== undefined && attempt.status < 400) {
      hook.failures = 0;
      hook.heldUntilMs = undefined;
    } else if (status(hook) === 'executable') {
      const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (hook.failures - TOLERATED_FAILURES), LONGEST_BACKOFF_MS);
      hook.failures += 1;
      if (hook.failures > TOLERATED_FAILURES) hook.heldUntilMs = nowMs() + backoffMs * pauseScale;
    }
  };

  const sender = createWebhookSender({ timeoutMs, nowMs, onAttempt: note });

  const send = (hook: Hook, event: string, body: string, id: string = randomUUID()): void => {
    if (status(hook) !== 'executable') return;
    sender.send({
      hook: String(hook.id),
      id,
      event,
      url: hook.url,
      body,
      headers: {
        'Content-Type': 'application/json',
        'User-Agent': 'GitLab/19.3.0',
        'Idempotency-Key': id,
        'X-Gitlab-Event': event,
        // Whatever its name says: not the hook's, another one each time.
        'X-Gitlab-Webhook-UUID': randomUUID(),
        'X-Gitlab-Instance': at().pages,
        'X-Gitlab-Event-UUID': randomUUID(),
        ...proof(hook.secret, id, body, nowMs()),
      },
    });
  };

  return {
    sender,
    status,
    add(project, { url, secret }) {
      const id = hooks.size + 1;
      const hook: Hook = {
        id,
        project,
        url,
        secret,
        createdAtMs: nowMs(),
        attempts: [],
        failures: 0,
        heldUntilMs: undefined,
      };
      hooks.set(String(id), hook);
      return hook;
    },
    of: (project) => [...hooks.values()].filter((hook) => hook.project === project),
    tell(happening) {
      for (const hook of hooks.values()) {
        if (hook.project !== happening.issue.project) continue;
        const { event, payload } = messageOf(at(), happening);
        send(hook, event, JSON.stringify(payload));
      }
    },
    again({ delivery }) {
      const hook = hooks.get(delivery.hook);
      if (hook !== undefined) send(hook, delivery.event, delivery.body, delivery.id);
    },
    mayResend(project, tokenId) {
      const key = `${project.id} ${tokenId}`;
      resends.spend(key);
      const { used, limit } = resends.window(key);
      return used <= limit;
    },
  };
}

/** With the name that stands in `X-Gitlab-Event`. */
function messageOf(at: Addresses, happening: Happening): { event: string; payload: object } {
  switch (happening.kind) {
    case 'issue':
      return { event: 'Issue Hook', payload: issuePayload(at, happening) };
    case 'note':
      return { event: 'Note Hook', payload: notePayload(at, happening) };
    default:
      return unreachable(happening);
  }
}

/** A signing token signs, by the rules of Standard Webhooks; any other secret is sent along. */
function proof(secret: string | undefined, id: string, body: string, atMs: number): Record<string, string> {
  if (secret === undefined) return {};
  if (!secret.startsWith(SIGNING_TOKEN)) return { 'X-Gitlab-Token': secret };
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(atMs / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, new Date(atMs), body),
  };
}
