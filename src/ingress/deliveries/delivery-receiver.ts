/**
 * From a webhook request to a durable record, and nothing further (PROTOCOL 8); the same on every replica.
 *
 *   route -> proof of a secret -> message -> projects and tickets -> accept-delivery -> the inbox is nudged
 *
 * What is answered 2xx is in Redis; what is not in Redis is never answered 2xx. A process that dies after the script and
 * before the nudge leaves a ticket that is due: any replica takes it.
 */
import { hash } from 'node:crypto';
import type { PlaceIds } from '../../coordination/place-ids.ts';
import type { DeliveryName, DeliveryState } from '../../domain/delivery.ts';
import type { Project } from '../../domain/project.ts';
import { isTerminal } from '../../domain/run.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Findings } from '../../foundation/findings.ts';
import type { Log } from '../../foundation/log.ts';
import {
  UnreadableWebhook,
  type WebhookDialect,
  type WebhookMessage,
  type WebhookRequest,
} from '../../platforms/webhook.ts';
import type { Acceptance, DeliveryRecords } from '../../runs/delivery-records.ts';
import type { RunReader } from '../../runs/run-reader.ts';
import { deliveryName, routeDelivery } from './route-delivery.ts';
import { doorsOn, doorsOpenTo, slotsOf, type WebhookDoor } from './webhook-doors.ts';

export interface DeliveryRequest extends WebhookRequest {
  /** The slug in the path. */
  readonly platform: string;
  /** The project in the path; undefined on the bare route of the platform. */
  readonly project: string | undefined;
}

export type Reception =
  /** Durable, and its tickets will be looked at. */
  | { readonly kind: 'accepted'; readonly delivery: DeliveryName }
  /** Durable, and there is nothing to do for it. */
  | { readonly kind: 'ignored'; readonly delivery: DeliveryName; readonly reason: string }
  | { readonly kind: 'duplicate'; readonly delivery: DeliveryName; readonly state: DeliveryState }
  /** No project takes webhooks on this route. */
  | { readonly kind: 'no-route' }
  | { readonly kind: 'unproven' }
  | { readonly kind: 'unreadable'; readonly problem: string }
  /** Not written: the sender has to come again. */
  | { readonly kind: 'not-persisted'; readonly why: 'redis_unavailable' | 'inbox_full' };

export interface DeliveryReceiver {
  /** Never throws, and ends within the time that a delivery may take to be written. */
  receive(request: DeliveryRequest): Promise<Reception>;
  /**
   * A message that the platform has told when it was asked with the credential of these projects, which share a source.
   * Throws when Redis is away.
   */
  takeIn(projects: readonly Project[], message: WebhookMessage): Promise<Acceptance['kind']>;
  /** The names under which a delivery of this hook to this project may be on record. */
  namesOf(project: Project, hook: string | undefined, id: string): DeliveryName[];
}

export interface ReceptionFacts {
  readonly platform: string;
  readonly result: Reception['kind'];
}

export interface DeliveryReceiverDeps {
  /** The projects that take webhooks at this moment, in YAML order. */
  readonly doors: () => readonly WebhookDoor[];
  readonly configHash: () => string;
  readonly records: Pick<DeliveryRecords, 'accept'>;
  readonly placeIds: PlaceIds;
  readonly runs: Pick<RunReader, 'ofTicket'>;
  /** There is something in the inbox. */
  readonly onAccepted: () => void;
  readonly onReception?: (facts: ReceptionFacts) => void;
  readonly findings: Findings;
  readonly log: Log;
}

/** A stranger who knocks again and again must not fill the log. */
const TELL_AGAIN_MS = 10_000;
/** What the platform tells when it is asked is not the body that it sent: it may differ from that. */
const UNKNOWN_PAYLOAD = '';

export function createDeliveryReceiver(
  deps: DeliveryReceiverDeps,
  options: { readonly deliveryWriteMs: number },
): DeliveryReceiver {
  const { records, placeIds, findings, log } = deps;
  /** By route: a stranger who knocks at one must not hide a wrong secret at another. Only routes that exist get here. */
  const toldMs = new Map<string, number>();

  const write = async (
    message: WebhookMessage,
    doors: readonly WebhookDoor[],
    slot: string,
    payloadHash: string,
  ): Promise<Written> => {
    const delivery = await routeDelivery(message, doors, slot, {
      payloadHash,
      configHash: deps.configHash(),
      placeIds,
      async hasLiveRun(ticket) {
        const run = await deps.runs.ofTicket(ticket);
        return run !== undefined && !isTerminal(run.state);
      },
    });
    const acceptance = await records.accept(delivery);
    if (acceptance.kind === 'accepted') deps.onAccepted();
    if (acceptance.kind === 'mismatch') warnOfMismatch(findings, delivery.platform);
    tell(log, message, delivery.name, acceptance);
    return { delivery: delivery.name, acceptance };
  };

  const tellUnproven = ({ platform, project }: DeliveryRequest): void => {
    const route = routeOf(platform, project);
    findings.raise({ code: UNPROVEN, severity: 'info', text: unprovenText(platform, project) }, route);
    const told = toldMs.get(route) ?? Number.NEGATIVE_INFINITY;
    const level = performance.now() - told >= TELL_AGAIN_MS ? 'warn' : 'debug';
    if (level === 'warn') toldMs.set(route, performance.now());
    const text = 'webhook refused: it proves no secret; compare the one at the platform with ours';
    log[level]({ event: 'webhook_rejected_signature', platform, project }, text);
  };

  const receive = async (request: DeliveryRequest): Promise<Reception> => {
    const onRoute = doorsOn(deps.doors(), request.platform, request.project);
    if (onRoute.length === 0) return { kind: 'no-route' };
    const open = doorsOpenTo(request, onRoute);
    const [first] = open;
    if (first === undefined) {
      tellUnproven(request);
      return { kind: 'unproven' };
    }
    findings.clear(UNPROVEN, routeOf(request.platform, request.project));
    const message = readMessage(first.dialect, request);
    if (message instanceof UnreadableWebhook) return { kind: 'unreadable', problem: message.message };
    try {
      const payloadHash = hash('sha256', request.body);
      return receptionOf(await within(options.deliveryWriteMs, write(message, open, first.project.name, payloadHash)));
    } catch (error) {
      log.warn({ platform: request.platform, error: messageOf(error) }, 'webhook not persisted');
      return { kind: 'not-persisted', why: 'redis_unavailable' };
    }
  };

  return {
    async receive(request) {
      const reception = await receive(request);
      // Without a route it is whatever a stranger has made up, and each would be a series of its own.
      const platform = reception.kind === 'no-route' ? 'unknown' : request.platform;
      deps.onReception?.({ platform, result: reception.kind });
      return reception;
    },
    async takeIn(projects, message) {
      const doors = deps.doors().filter((door) => projects.some(({ name }) => name === door.project.name));
      const [first] = doors;
      if (first === undefined) return 'ignored';
      const [slot = first.project.name] = slotsOf(first.project, deps.doors());
      return (await write(message, doors, slot, UNKNOWN_PAYLOAD)).acceptance.kind;
    },
    namesOf: (project, hook, id) =>
      slotsOf(project, deps.doors()).map((slot) => deliveryName(project.source.platform, slot, hook, id)),
  };
}

/** Rejects when the work takes longer, and lets it go on: what is written after all is known when it comes again. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** No more than information: a stranger who knocks is no reason to be alarmed. */
const UNPROVEN = 'webhook-unproven';

const routeOf = (platform: string, project: string | undefined): string => `${platform}/${project ?? ''}`;

function unprovenText(platform: string, project: string | undefined): string {
  const route = project === undefined ? `of ${platform}` : `of project ${project}`;
  return `The last webhook on the route ${route} proved no secret of ours: compare the one at the platform with ours.`;
}

interface Written {
  readonly delivery: DeliveryName;
  readonly acceptance: Acceptance;
}

function readMessage(dialect: WebhookDialect, request: DeliveryRequest): WebhookMessage | UnreadableWebhook {
  try {
    const message = dialect.read(request);
    if (message.id === undefined && dialect.alwaysHasId) return new UnreadableWebhook('the delivery id is missing');
    return message;
  } catch (error) {
    if (error instanceof UnreadableWebhook) return error;
    throw error;
  }
}

function receptionOf({ delivery, acceptance }: Written): Reception {
  switch (acceptance.kind) {
    case 'accepted':
      return { kind: 'accepted', delivery };
    case 'ignored':
      return { kind: 'ignored', delivery, reason: acceptance.reason };
    case 'duplicate':
    case 'mismatch':
      return { kind: 'duplicate', delivery, state: acceptance.state };
    case 'full':
      return { kind: 'not-persisted', why: 'inbox_full' };
    default:
      return acceptance satisfies never;
  }
}

function tell(
  log: Log,
  { event: webhook, action }: WebhookMessage,
  delivery: DeliveryName,
  acceptance: Acceptance,
): void {
  const facts = { delivery, webhook, action };
  log.debug({ event: 'webhook_received', ...facts }, 'webhook received');
  switch (acceptance.kind) {
    case 'accepted':
      log.info({ event: 'event_hints_enqueued', ...facts }, 'webhook accepted');
      return;
    case 'ignored':
      log.debug({ ...facts, reason: acceptance.reason }, 'webhook ignored');
      return;
    case 'duplicate':
    case 'mismatch':
      log.debug({ event: 'webhook_duplicate_delivery', ...facts, state: acceptance.state }, 'webhook known already');
      return;
    case 'full':
      log.warn(facts, 'webhook refused: too many tickets wait');
      return;
    default:
      acceptance satisfies never;
  }
}

function warnOfMismatch(findings: Findings, platform: string): void {
  const code = 'delivery-mismatch';
  const text = `A delivery of ${platform} came again under the same id with another payload, and nothing was done with it: are there two senders, or does a stranger know the secret?`;
  findings.raise({ code, severity: 'warning', text }, platform);
}
