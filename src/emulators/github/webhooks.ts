/**
 * The webhooks of repositories and Apps. GitHub sends each delivery once: what fails is written into the list of its
 * hook and waits there for somebody to have it sent again, under the same guid.
 */
import { createHmac, randomUUID } from 'node:crypto';
import {
  createWebhookSender,
  type HookSettings,
  type OutgoingDelivery,
  type WebhookOptions,
  type WebhookSender,
} from '../webhook-sender.ts';
import type { App } from './apps.ts';
import { type Addresses, nodeId } from './shapes.ts';
import { fullNameOf, type Happening, type Repository } from './state.ts';
import { eventOf, type HookFacts, pingOf, type WebhookEvent } from './webhook-payloads.ts';

export interface GitHubHookSettings extends HookSettings {
  /** Default `json`. */
  readonly contentType?: 'json' | 'form';
  /** Default all, `*`. */
  readonly events?: readonly string[];
}

export interface Hook extends HookFacts {
  readonly secret: string | undefined;
  readonly owner: HookOwner;
  active: boolean;
  /** The oldest first. */
  readonly attempts: Attempt[];
}

export type HookOwner =
  | { readonly kind: 'repository'; readonly repository: Repository }
  | { readonly kind: 'app'; readonly app: App };

/** What is to be sent, and what the list of deliveries says of it. */
interface Sending extends WebhookEvent {
  readonly hook: Hook;
  readonly outgoing: OutgoingDelivery;
  readonly repositoryId: number;
  readonly installationId: number | null;
  readonly isRedelivery: boolean;
  readonly atMs: number;
}

/** One entry of the list. */
export interface Attempt extends Sending {
  readonly id: number;
  readonly durationMs: number;
  /** Undefined when nobody answered. */
  readonly status: number | undefined;
  readonly answer: string;
}

export interface Webhooks {
  readonly sender: WebhookSender;
  /** Adds a hook and pings it. An App has at most one. */
  add(owner: HookOwner, settings: GitHubHookSettings): Hook;
  of(repository: Repository): Hook[];
  ofApp(app: App): Hook | undefined;
  /** What can still be listed and sent again, the newest first. */
  attempts(hook: Hook): Attempt[];
  redeliver(attempt: Attempt): void;
  tell(happening: Happening): void;
}

/** The ids of deliveries have long been greater than the safe integers. Only even ones are exact as a number. */
const FIRST_DELIVERY = 2 ** 53 + 2;
/** How long deliveries are listed and can be sent again. */
const KEPT_MS = 3 * 86_400_000;

export interface WebhooksDeps {
  readonly at: () => Addresses;
  readonly nowMs: () => number;
}

/** No pause to scale: GitHub tries once and holds nothing back. */
export function createWebhooks({ at, nowMs }: WebhooksDeps, { timeoutMs = 10_000 }: WebhookOptions = {}): Webhooks {
  const hooks: Hook[] = [];
  const sendings = new WeakMap<OutgoingDelivery, Sending>();
  let lastHook = 400_000;
  let nextDelivery = FIRST_DELIVERY;

  const sender = createWebhookSender({
    timeoutMs,
    nowMs,
    onAttempt({ delivery, status, body, atMs }) {
      const sending = sendings.get(delivery);
      if (sending === undefined) throw new Error('a delivery that was never sent');
      const durationMs = atMs - sending.atMs;
      sending.hook.attempts.push({ ...sending, id: nextDelivery, durationMs, status, answer: body });
      nextDelivery += 2;
      // Never sent again by itself.
      return undefined;
    },
  });

  const start = (sending: Sending): void => {
    sendings.set(sending.outgoing, sending);
    sender.send(sending.outgoing);
  };

  const send = (hook: Hook, guid: string, event: WebhookEvent, repository: Repository): void => {
    const { owner } = hook;
    const installationId = owner.kind === 'app' ? installationOn(owner.app, repository) : null;
    if (!hook.active || !isWanted(hook, event.event) || installationId === undefined) return;
    const payload =
      installationId === null
        ? event.payload
        : { ...event.payload, installation: { id: installationId, node_id: nodeId('Installation', installationId) } };
    start({
      ...event,
      payload,
      hook,
      outgoing: outgoingOf(hook, guid, { ...event, payload }),
      repositoryId: repository.id,
      installationId,
      isRedelivery: false,
      atMs: nowMs(),
    });
  };

  return {
    sender,
    add(owner, { url, secret, contentType = 'json', events = ['*'] }) {
      lastHook += 1;
      const facts = { id: lastHook, url, hasSecret: secret !== undefined, contentType, events, createdAtMs: nowMs() };
      const hook: Hook = { ...facts, secret, owner, active: true, attempts: [] };
      hooks.push(hook);
      // What an App is pinged with is not about any repository.
      if (owner.kind === 'repository') {
        send(hook, randomUUID(), pingOf(at(), owner.repository, hook), owner.repository);
      }
      return hook;
    },
    of: (repository) => hooks.filter(({ owner }) => owner.kind === 'repository' && owner.repository === repository),
    ofApp: (app) => hooks.find(({ owner }) => owner.kind === 'app' && owner.app === app),
    attempts: (hook) => hook.attempts.filter(({ atMs }) => atMs >= nowMs() - KEPT_MS).reverse(),
    redeliver(attempt) {
      // A new object, since it is what its attempts are known by.
      start({ ...attempt, outgoing: { ...attempt.outgoing }, isRedelivery: true, atMs: nowMs() });
    },
    tell(happening) {
      const { repository } = happening.issue;
      const concerned = hooks.filter(({ owner }) => owner.kind === 'app' || owner.repository === repository);
      if (concerned.length === 0) return;
      const guid = randomUUID();
      const event = eventOf(at(), happening);
      for (const hook of concerned) send(hook, guid, event, repository);
    },
  };
}

const isWanted = ({ events }: Hook, event: string): boolean =>
  event === 'ping' || events.includes('*') || events.includes(event);

/** Undefined where the App is not installed. */
function installationOn(app: App, repository: Repository): number | undefined {
  const name = fullNameOf(repository).toLowerCase();
  const covers = (repositories: readonly string[] | undefined): boolean =>
    repositories === undefined || repositories.some((covered) => covered.toLowerCase() === name);
  return [...app.installations.values()].find(
    ({ repositories, suspendedAtMs }) => suspendedAtMs === undefined && covers(repositories),
  )?.id;
}

function outgoingOf(hook: Hook, guid: string, { event, payload }: WebhookEvent): OutgoingDelivery {
  const json = JSON.stringify(payload);
  const body = hook.contentType === 'json' ? json : new URLSearchParams({ payload: json }).toString();
  const { secret, owner } = hook;
  const sign = (algorithm: string): string =>
    `${algorithm}=${createHmac(algorithm, secret ?? '')
      .update(body)
      .digest('hex')}`;
  const [target, id] = owner.kind === 'app' ? ['integration', owner.app.appId] : ['repository', owner.repository.id];
  return {
    hook: String(hook.id),
    id: guid,
    event,
    url: hook.url,
    headers: {
      Accept: '*/*',
      'Content-Type': hook.contentType === 'json' ? 'application/json' : 'application/x-www-form-urlencoded',
      'User-Agent': 'GitHub-Hookshot/e3a1b2c',
      'X-GitHub-Delivery': guid,
      'X-GitHub-Event': event,
      'X-GitHub-Hook-ID': String(hook.id),
      'X-GitHub-Hook-Installation-Target-ID': String(id),
      'X-GitHub-Hook-Installation-Target-Type': target,
      ...(secret !== undefined && { 'X-Hub-Signature': sign('sha1'), 'X-Hub-Signature-256': sign('sha256') }),
    },
    body,
  };
}
