/** An inbox at work on a house: deliveries go in at one end, claims on the emulated GitHub come out at the other. */
import { onTestFinished } from 'vitest';
import type { TicketClaimService } from '../../../src/claims/ticket-claim-service.ts';
import type { Delivery } from '../../../src/domain/delivery.ts';
import { createInbox, type Inbox } from '../../../src/ingress/deliveries/inbox.ts';
import { createStreamingEngine } from '../../../src/ingress/engines/streaming-engine.ts';
import type { NewDelivery } from '../../../src/runs/delivery-records.ts';
import { type House, silentLog } from '../../support/house.ts';
import { until } from '../../support/until.ts';

export interface InboxRoom {
  readonly inbox: Inbox;
  /** A delivery about tickets of `org/api`, by their numbers. */
  deliver(id: string, tickets: readonly (string | number)[], change?: Partial<NewDelivery>): Promise<string>;
  /** When it is processed, ignored or failed. */
  settled(name: string): Promise<Delivery>;
  stop(): Promise<void>;
}

export function openInbox(
  house: House,
  claims: TicketClaimService = house.claims,
  projects = house.catalog.projects,
): InboxRoom {
  const { deliveries, timing } = house;
  const inbox = createInbox(
    {
      engine: () => engine,
      catalog: () => ({ ...house.catalog, projects }),
      claims,
      unwanted: house.unwanted,
      records: deliveries,
      claimSignal: new AbortController().signal,
      log: silentLog,
    },
    timing,
  );
  const engine = createStreamingEngine(
    { take: (most) => deliveries.take(most, inbox.busy()), log: silentLog },
    { inboxScanMs: timing.inboxScanMs, free: inbox.free },
  );
  const working = inbox.run();
  const stop = async (): Promise<void> => {
    engine.stop();
    await working;
  };
  onTestFinished(stop);
  return {
    inbox,
    stop,
    async deliver(id, tickets, change = {}) {
      const delivery = deliveryAbout(house, id, tickets, change);
      await deliveries.accept(delivery);
      engine.nudge();
      return delivery.name;
    },
    settled: (name) =>
      until(`${name} is settled`, async () => {
        const delivery = await deliveries.get(name);
        return delivery?.state === 'received' || delivery?.state === 'queued' ? undefined : delivery;
      }),
  };
}

export function deliveryAbout(
  house: House,
  id: string,
  tickets: readonly (string | number)[],
  change: Partial<NewDelivery> = {},
): NewDelivery {
  return {
    name: `github:api.1:${id}`,
    platform: 'github',
    source: 'api.1',
    id,
    derived: false,
    event: 'issues',
    action: 'labeled',
    installation: undefined,
    place: 'org/api',
    placeId: '1',
    payloadHash: id,
    configHash: 'test',
    projects: [house.project.name],
    tickets: tickets.map((ticket) => ({ key: house.keyOf(ticket), id: String(ticket) })),
    ignored: undefined,
    ...change,
  };
}
