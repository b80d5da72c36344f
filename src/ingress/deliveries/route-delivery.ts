/**
 * From a message to what goes on record: which projects and tickets it is about, and whether they are worth a look. No
 * payload decides more than that, and no part of it gets into a ticket's key but the id.
 */
import { hash } from 'node:crypto';
import type { PlaceIds } from '../../coordination/place-ids.ts';
import { type DeliveryName, PLAIN_DELIVERY_ID } from '../../domain/delivery.ts';
import type { Project } from '../../domain/project.ts';
import { type TicketKey, ticketKey } from '../../domain/ticket.ts';
import { dependsOnConfiguration, isPlaceOf, mayTakeBack, type Place, whyIgnored } from '../../domain/ticket-news.ts';
import type { WebhookMessage } from '../../platforms/webhook.ts';
import type { NewDelivery } from '../../runs/delivery-records.ts';
import type { WebhookDoor } from './webhook-doors.ts';

/** A pull request that closes more tickets than this is looked at no further. */
const MOST_TICKETS = 20;

export interface RoutingFacts {
  readonly payloadHash: string;
  readonly configHash: string;
  readonly placeIds: PlaceIds;
  /** Whether the ticket has a run that has not ended. Throws `OperationError` when Redis is away. */
  readonly hasLiveRun: (ticket: TicketKey) => Promise<boolean>;
}

/** @param slot the project by whose name its sender is known, see `slotsOf` */
export async function routeDelivery(
  message: WebhookMessage,
  doors: readonly WebhookDoor[],
  slot: string,
  facts: RoutingFacts,
): Promise<NewDelivery> {
  const { news, place, hook, event, action, installation } = message;
  const { payloadHash, configHash, placeIds, hasLiveRun } = facts;
  const projects = await watching(doors, place, placeIds);
  const platform = doors[0]?.project.source.platform ?? '';
  const id = message.id ?? payloadHash;
  const tickets = ticketsOf(news, projects);
  const isEnding = typeof news !== 'string' && mayTakeBack(news, projects);
  // A run that is claimed later than this is claimed for the ticket as it is then.
  const takesBack = isEnding && (await Promise.all(tickets.map(({ key }) => hasLiveRun(key)))).includes(true);
  return {
    name: deliveryName(platform, slot, hook, id),
    platform,
    source: sourceName(slot, hook),
    id: plain(id),
    derived: message.id === undefined,
    event,
    action,
    installation,
    // A whole site has no name of its own.
    place: [place?.container, place?.scope].filter(Boolean).join('/') || undefined,
    placeId: place?.id,
    payloadHash,
    configHash,
    projects: projects.map(({ name }) => name),
    tickets,
    ignored: takesBack ? undefined : ignoredBy(news, projects),
    mayTakeBack: takesBack,
  };
}

/** `<platform>:<source>:<id>`. Parts come from whoever sends it: what is not plain is hashed. */
export function deliveryName(platform: string, slot: string, hook: string | undefined, id: string): DeliveryName {
  return [platform, sourceName(slot, hook), plain(id)].join(':');
}

/** The slot comes first: whoever holds another secret cannot speak in the name of this one's hook. */
function sourceName(slot: string, hook: string | undefined): string {
  // What parts the source from the id must not stand inside it.
  return hook === undefined ? slot : `${slot}.${plain(hook).replaceAll(':', '.')}`;
}

function plain(text: string): string {
  return PLAIN_DELIVERY_ID.test(text) ? text : hash('sha256', text);
}

/** The projects behind the doors that watch the place. */
async function watching(
  doors: readonly WebhookDoor[],
  place: Place | undefined,
  placeIds: PlaceIds,
): Promise<readonly Project[]> {
  if (place === undefined) return [];
  const projects = doors.map(({ project }) => project);
  const named = projects.filter(({ source }) => isPlaceOf(place, source, undefined));
  if (named.length > 0 || place.id === undefined) {
    for (const project of named) {
      // A payload that does not name the scope may be about any of them.
      const isTold = place.scope !== undefined || project.source.scope === undefined;
      if (place.id !== undefined && isTold) placeIds.note(project, place.id);
    }
    return named;
  }
  const ids = await Promise.all(projects.map((project) => placeIds.idOf(project)));
  return projects.filter(({ source }, i) => isPlaceOf(place, source, ids[i]));
}

function ticketsOf(news: WebhookMessage['news'], [project]: readonly Project[]): NewDelivery['tickets'] {
  if (project === undefined || typeof news === 'string') return [];
  const byKey = new Map(news.ticketIds.map((id) => [ticketKey(project.source, id), id]));
  return [...byKey].slice(0, MOST_TICKETS).map(([key, id]) => ({ key, id }));
}

function ignoredBy(news: WebhookMessage['news'], projects: readonly Project[]): NewDelivery['ignored'] {
  const reason = typeof news === 'string' ? news : projects.length === 0 ? 'no-project' : whyIgnored(news, projects);
  return reason === undefined ? undefined : { reason, dependsOnConfiguration: dependsOnConfiguration(reason) };
}
