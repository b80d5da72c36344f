/** How deliveries come in and what becomes of them: receiver, inbox and their engine on the stores of this process. */
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { UnwantedRuns } from '../claims/unwanted-runs.ts';
import type { Config } from '../config/config.ts';
import { createDeliveryReceiver, type DeliveryReceiver } from '../ingress/deliveries/delivery-receiver.ts';
import { createInbox } from '../ingress/deliveries/inbox.ts';
import type { WebhookDoor } from '../ingress/deliveries/webhook-doors.ts';
import { createStreamingEngine } from '../ingress/engines/streaming-engine.ts';
import type { AppOptions, Shared } from './options.ts';
import type { Stores } from './stores.ts';

export interface Webhooks {
  readonly receiver: DeliveryReceiver;
  /** Works on what the inbox holds, whoever took it in. */
  start(): void;
  /** Takes no further ticket; resolves when the claims at work are over. What is accepted meanwhile is for others. */
  stop(): Promise<void>;
}

export interface WebhooksParts {
  readonly stores: Stores;
  readonly claims: TicketClaimService;
  readonly unwanted: UnwantedRuns;
  readonly claimSignal: AbortSignal;
}

export function openWebhooks(
  { timing, log }: AppOptions,
  { config, projects, findings, metrics }: Shared,
  { stores, claims, unwanted, claimSignal }: WebhooksParts,
): Webhooks {
  const { deliveries, placeIds } = stores;
  const inbox = createInbox(
    {
      engine: () => engine,
      catalog: projects.current,
      claims,
      unwanted,
      records: deliveries,
      claimSignal,
      onSettled: metrics.inboxSettled,
      log,
    },
    timing,
  );
  const engine = createStreamingEngine(
    { take: (most) => deliveries.take(most, inbox.busy()), log },
    { inboxScanMs: timing.inboxScanMs, free: inbox.free },
  );
  const receiver = createDeliveryReceiver(
    {
      doors: createDoors(config),
      configHash: () => config().catalog.hash,
      records: deliveries,
      placeIds,
      runs: stores.runs,
      onAccepted: engine.nudge,
      onReception: metrics.delivery,
      findings,
      log,
    },
    timing,
  );
  let working: Promise<void> = Promise.resolve();
  return {
    receiver,
    start() {
      working = inbox.run();
    },
    async stop() {
      engine.stop();
      await working;
    },
  };
}

/** The projects that take webhooks, looked up once for each configuration: they are asked for with each delivery. */
function createDoors(config: () => Config): () => readonly WebhookDoor[] {
  const known = new WeakMap<Config, readonly WebhookDoor[]>();
  return () => {
    const current = config();
    const doors = known.get(current) ?? doorsOf(current);
    known.set(current, doors);
    return doors;
  };
}

function doorsOf({ catalog, connections, secrets }: Config): readonly WebhookDoor[] {
  return catalog.projects.flatMap((project) => {
    const descriptor = connections.get(project.name)?.descriptor;
    if (descriptor === undefined || !project.triggers.has('webhook')) return [];
    return [
      {
        project,
        dialect: descriptor.webhook,
        secrets: secrets.webhookSecrets(project.name),
        allowUnsigned: secrets.allowsUnsigned(project.name),
      },
    ];
  });
}
