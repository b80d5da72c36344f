/**
 * Service hooks: subscriptions of an address to one kind of event each, and the history of what was sent. What becomes
 * of a failure depends on the answer alone: 410 disables at once; 408, 502, 503 and 504 are sent again, up to eight times;
 * everything else, and the ninth failure, puts the subscription on probation, in which nothing that happens is kept.
 *
 * That no answer counts as 408 is an assumption.
 */
import { randomUUID } from 'node:crypto';
import {
  createWebhookSender,
  type DeliveryAttempt,
  type HookSettings,
  type WebhookOptions,
  type WebhookSender,
} from '../webhook-sender.ts';
import type { Collection, Happening, Project } from './state.ts';
import { bodyOf, type EventType, eventOf, type HookEvent, type Sending } from './webhook-payloads.ts';

export const EVENT_TYPES: readonly EventType[] = [
  'workitem.created',
  'workitem.updated',
  'workitem.commented',
  'workitem.deleted',
  'workitem.restored',
];

const TRANSIENT: readonly (number | undefined)[] = [408, 502, 503, 504, undefined];
const RETRY_SECONDS = [1, 2, 4, 8, 16, 32, 60, 60];
const MOST_PROBATION_RETRIES = 7;

export interface SubscriptionSettings extends HookSettings {
  readonly eventType: EventType;
  /** How the secret is sent: as the password of Basic authentication (default) or as `X-AgentSmith-Secret`. */
  readonly secretAs?: 'password' | 'header';
  /** Default `all`. */
  readonly details?: Sending['details'];
}

export interface Notification {
  readonly id: number;
  readonly event: HookEvent;
  readonly createdAtMs: number;
  changedAtMs: number;
  result: 'pending' | 'succeeded' | 'failed';
  attempts: number;
  /** Of the last attempt. */
  status: number | undefined;
  /** Sent once more to see whether the subscription can be trusted again. */
  isProbe: boolean;
}

export interface Subscription {
  readonly id: string;
  readonly collection: Collection;
  readonly project: Project;
  readonly settings: SubscriptionSettings;
  status: 'enabled' | 'onProbation' | 'disabledBySystem';
  probationRetries: number;
  readonly notifications: Notification[];
}

export interface Webhooks {
  readonly sender: WebhookSender;
  /** Its id. */
  subscribe(collection: Collection, project: Project, settings: SubscriptionSettings): string;
  /** Sends to whom it concerns. */
  tell(happening: Happening): void;
  all(collection: Collection): Subscription[];
  /** Throws for an id that nobody has. */
  subscription(id: string): Subscription;
  /** As people do on its page. */
  enable(id: string): void;
  /** What the platform does from time to time on probation, 20 minutes to 15 hours apart: the last failure, once more. */
  probe(id: string): void;
  /** Gives up what is under way or waits; it has failed then. */
  stop(): Promise<void>;
}

export interface WebhooksDeps {
  /** Address of a collection. */
  readonly base: (collection: Collection) => string;
  readonly nowMs: () => number;
}

export function createWebhooks(
  { base, nowMs }: WebhooksDeps,
  { timeoutMs = 10_000, pauseScale = 1 }: WebhookOptions = {},
): Webhooks {
  const subscriptions = new Map<string, Subscription>();

  const subscription = (id: string): Subscription => {
    const found = subscriptions.get(id);
    if (found === undefined) throw new Error(`no subscription ${id}`);
    return found;
  };

  /** In how many ms the same is sent again; undefined when it is over. */
  const learn = ({ delivery, attempt, status, atMs }: DeliveryAttempt): number | undefined => {
    const to = subscription(delivery.hook);
    const notification = to.notifications.findLast(({ event }) => event.id === delivery.id);
    if (notification === undefined) return undefined;
    Object.assign(notification, { attempts: attempt, status, changedAtMs: atMs });
    if (status !== undefined && status >= 200 && status < 300) {
      notification.result = 'succeeded';
      if (to.status === 'onProbation') restore(to);
      return undefined;
    }
    const pause = TRANSIENT.includes(status) ? RETRY_SECONDS[attempt - 1] : undefined;
    if (pause !== undefined && to.status !== 'disabledBySystem') return pause * 1000 * pauseScale;
    // Of two copies on a bad road, one may have arrived.
    if (notification.result === 'pending') fail(to, notification);
    return undefined;
  };

  const sender = createWebhookSender({ timeoutMs, nowMs, onAttempt: learn });

  const deliver = ({ id, settings }: Subscription, { id: notificationId, event }: Notification): void => {
    const { url, details = 'all' } = settings;
    const body = JSON.stringify(bodyOf(event, { subscriptionId: id, notificationId, details }));
    sender.send({ hook: id, id: event.id, event: event.eventType, url, headers: headersOf(id, settings), body });
  };

  return {
    sender,
    subscribe(collection, project, settings) {
      const id = randomUUID();
      const made: Subscription = {
        id,
        collection,
        project,
        settings,
        status: 'enabled',
        probationRetries: 0,
        notifications: [],
      };
      subscriptions.set(id, made);
      return id;
    },
    tell(happening) {
      const concerned = [...subscriptions.values()].filter(
        ({ project, settings: { eventType }, status }) =>
          project === happening.item.project && eventType === `workitem.${happening.kind}` && status === 'enabled',
      );
      if (concerned.length === 0) return;
      const atMs = nowMs();
      const event = eventOf(base(happening.item.collection), happening, { id: randomUUID(), atMs });
      for (const to of concerned) {
        const notification: Notification = {
          id: to.notifications.length + 1,
          event,
          createdAtMs: atMs,
          changedAtMs: atMs,
          result: 'pending',
          attempts: 0,
          status: undefined,
          isProbe: false,
        };
        to.notifications.push(notification);
        deliver(to, notification);
      }
    },
    all: (collection) => [...subscriptions.values()].filter((each) => each.collection === collection),
    subscription,
    enable: (id) => restore(subscription(id)),
    probe(id) {
      const to = subscription(id);
      const failed = to.notifications.findLast(({ result }) => result === 'failed');
      if (to.status !== 'onProbation' || failed === undefined) throw new Error(`${id} has nothing to try again`);
      Object.assign(failed, { result: 'pending', isProbe: true });
      deliver(to, failed);
    },
    async stop() {
      await sender.stop();
      for (const { notifications } of subscriptions.values()) {
        for (const notification of notifications) if (notification.result === 'pending') notification.result = 'failed';
      }
    },
  };
}

function restore(to: Subscription): void {
  Object.assign(to, { status: 'enabled', probationRetries: 0 });
}

function fail(to: Subscription, notification: Notification): void {
  notification.result = 'failed';
  if (notification.isProbe) to.probationRetries += 1;
  const isOver = notification.status === 410 || to.probationRetries >= MOST_PROBATION_RETRIES;
  if (isOver) to.status = 'disabledBySystem';
  else if (to.status === 'enabled') to.status = 'onProbation';
}

function headersOf(id: string, settings: SubscriptionSettings): Record<string, string> {
  return {
    'content-type': 'application/json; charset=utf-8',
    'user-agent': 'VSServices/19.262.36604.1 (NetStandard; Microsoft Windows 10.0.20348)',
    'x-vss-activityid': randomUUID(),
    'x-vss-subscriptionid': id,
    ...proofOf(settings),
  };
}

function proofOf({ secret, secretAs = 'password' }: SubscriptionSettings): Record<string, string> {
  if (secret === undefined) return {};
  if (secretAs === 'header') return { 'x-agentsmith-secret': secret };
  return { authorization: `Basic ${Buffer.from(`agent-smith:${secret}`).toString('base64')}` };
}
