/** The real receiver on a real Redis, for projects on any tracker, and what is on record afterwards. */
import { onTestFinished } from 'vitest';
import { createPlaceIds } from '../../src/coordination/place-ids.ts';
import type { TicketSource } from '../../src/domain/ticket.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import {
  createDeliveryReceiver,
  type DeliveryReceiver,
  type DeliveryReceiverDeps,
} from '../../src/ingress/deliveries/delivery-receiver.ts';
import type { WebhookDoor } from '../../src/ingress/deliveries/webhook-doors.ts';
import { catalogOf, openRooms, type Rooms, silentLog } from '../support/house.ts';
import type { HookedTracker } from './hooked-trackers.ts';

/** A project that takes webhooks, and starts runs by `agent-smith`. */
export function doorTo(
  { dialect, source }: Pick<HookedTracker, 'dialect' | 'source'>,
  name: string,
  secrets: readonly string[],
  place: TicketSource = source,
): WebhookDoor {
  const project = {
    name,
    source: place,
    code: { type: 'GitHub', url: 'https://github.com/org/api' },
    routing: { pipelineFromLabel: new Map([['agent-smith', 'fix-bug']]) },
    triggers: new Set(['webhook', 'manual', 'reconcile'] as const),
  };
  return { project, dialect, secrets, allowUnsigned: false };
}

/** Rooms in which no platform is ever asked; closed with the test. */
export async function openStores(redisUrl: string): Promise<Rooms> {
  const neverAsked = (): never => {
    throw new Error('no platform is asked when a delivery arrives');
  };
  const rooms = await openRooms(catalogOf([], []), neverAsked, { redisUrl });
  onTestFinished(rooms.close);
  return rooms;
}

export function receiverOn(
  { redis, deliveries, runs }: Rooms,
  doors: readonly WebhookDoor[],
  deps: Partial<DeliveryReceiverDeps> = {},
  // Long: only a test that takes Redis away wants to see it end.
  deliveryWriteMs = 10_000,
): DeliveryReceiver {
  return createDeliveryReceiver(
    {
      doors: () => doors,
      configHash: () => 'config-1',
      records: deliveries,
      placeIds: createPlaceIds(redis, silentLog),
      runs,
      onAccepted: () => undefined,
      findings: createFindings(),
      log: silentLog,
      ...deps,
    },
    { deliveryWriteMs },
  );
}
