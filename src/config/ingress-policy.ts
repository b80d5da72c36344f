/** How tickets of a project come in: `event_engine` says which ways exist, `sync_policy` only narrows them. */
import type { Polling, Trigger } from '../domain/project.ts';
import { unreachable } from '../foundation/errors.ts';
import type { EventEngine, SyncPolicy } from './schema.ts';

export interface IngressWishes {
  /** `default` when the file names no engine. */
  readonly engine: EventEngine | 'default';
  readonly policy: SyncPolicy;
  /** What `polling` says; undefined when it is off. */
  readonly polling?: Polling;
  /** A secret is set, or unsigned deliveries are allowed. */
  readonly webhookReady: boolean;
  readonly reconcile: Polling;
}

export interface Ingress {
  /** `poll` = the project's own interval, `reconcile` = the rare listings beside webhooks. */
  readonly listing: 'poll' | 'reconcile' | 'off';
  /** How often it is listed; undefined when `listing` is off. */
  readonly polling?: Polling;
  readonly webhooks: boolean;
  /** Triggers that are allowed. People and repair always are. */
  readonly triggers: ReadonlySet<Trigger>;
}

/** Why engine and policy leave nothing over, in words; undefined when they agree. */
export function contradiction(engine: unknown, policy: unknown): string | undefined {
  if (engine === 'polling' && policy === 'webhook_only')
    return 'excludes event_engine: polling, which takes no webhooks';
  if (engine === 'streaming' && policy === 'poll_only') return 'excludes event_engine: streaming, which does not poll';
  return undefined;
}

export function decideIngress(wishes: IngressWishes): Ingress {
  const webhooks = wishes.webhookReady && wishes.engine !== 'polling' && wishes.policy !== 'poll_only';
  const listing = wishes.policy === 'webhook_only' ? 'off' : decideListing(wishes, webhooks);
  const triggers = new Set<Trigger>(['manual', 'reconcile']);
  if (listing !== 'off') triggers.add('poll');
  if (webhooks) triggers.add('webhook');
  const polling = listing === 'reconcile' ? wishes.reconcile : wishes.polling;
  return { listing, webhooks, triggers, ...(listing === 'off' || polling === undefined ? {} : { polling }) };
}

function decideListing(wishes: IngressWishes, webhooks: boolean): Ingress['listing'] {
  const asked = wishes.polling !== undefined;
  switch (wishes.engine) {
    case 'default':
    case 'polling':
      return asked ? 'poll' : 'off';
    case 'streaming':
      return asked || webhooks ? 'reconcile' : 'off';
    case 'auto':
      // The project's own interval is what it falls back to while streaming does not work.
      if (asked) return 'poll';
      return webhooks ? 'reconcile' : 'off';
    default:
      return unreachable(wishes.engine);
  }
}
