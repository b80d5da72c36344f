/** How tickets of a project come in: `event_engine` says which ways exist, `sync_policy` only narrows them. */
import type { Polling, ProjectEngine, Trigger } from '../domain/project.ts';
import { unreachable } from '../foundation/errors.ts';
import type { EventEngine, SyncPolicy } from './schema.ts';

export interface IngressWishes {
  /** `default` when the file names no engine. */
  readonly engine: EventEngine | 'default';
  readonly policy: SyncPolicy;
  /** `polling.enabled`. */
  readonly pollingEnabled: boolean;
  /** What `polling` says, or its defaults. */
  readonly polling: Polling;
  /** A secret is set, or unsigned deliveries are allowed. */
  readonly webhookReady: boolean;
  readonly reconcile: Polling;
}

export interface Ingress {
  /** `poll` = the project's own interval, `reconcile` = the rare listings beside webhooks, `auto` = either. */
  readonly listing: 'poll' | 'reconcile' | 'auto' | 'off';
  /** How often it is listed, for `auto` while webhooks do not work; undefined when `listing` is off. */
  readonly polling?: Polling;
  /** Undefined when the file names none. */
  readonly engine?: ProjectEngine;
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
  const listing = decideListing(wishes);
  const triggers = new Set<Trigger>(['manual', 'reconcile']);
  if (listing !== 'off') triggers.add('poll');
  if (webhooks) triggers.add('webhook');
  const polling = listing === 'reconcile' ? wishes.reconcile : wishes.polling;
  const engine = decideEngine(wishes);
  return {
    listing,
    webhooks,
    triggers,
    ...(listing === 'off' ? {} : { polling }),
    ...(engine === undefined ? {} : { engine }),
  };
}

function decideListing({ engine, policy, pollingEnabled }: IngressWishes): Ingress['listing'] {
  if (policy === 'webhook_only') return 'off';
  switch (engine) {
    case 'default':
    case 'polling':
      return pollingEnabled ? 'poll' : 'off';
    case 'streaming':
      // Deliveries get lost: without these listings a ticket could wait for ever.
      return 'reconcile';
    case 'auto':
      // It must never be blind, so it polls although nobody has enabled that.
      return policy === 'poll_only' ? 'poll' : 'auto';
    default:
      return unreachable(engine);
  }
}

/** Where the policy leaves one engine, `auto` is that one. */
function decideEngine({ engine, policy, reconcile }: IngressWishes): ProjectEngine | undefined {
  if (engine === 'default') return undefined;
  if (engine !== 'auto') return { mode: engine };
  switch (policy) {
    case 'poll_only':
      return { mode: 'polling' };
    case 'webhook_only':
      return { mode: 'streaming' };
    case 'both':
      return { mode: 'auto', reconcile };
    default:
      return unreachable(policy);
  }
}
