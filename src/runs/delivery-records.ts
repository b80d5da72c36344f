/**
 * Deliveries and the inbox of each ticket (PROTOCOL 8): what was accepted is kept until its tickets have been looked at.
 *
 *   accept --> received --take--> queued --settle--> processed | ignored | failed
 *                 ^                  |  later: due again, with a growing pause
 *                 +------------------+
 *
 * Invariants
 * - Accepted means written: record, inbox entry and due time in one script, or nothing of it.
 * - A ticket is handed to one taker at a time; one that dies leaves a lease that ends, and the ticket is due again.
 * - Settling takes out the entries that were handed out and no others.
 */
import type { Delivery, DeliveryName, DeliveryResult, DeliveryState } from '../domain/delivery.ts';
import type { TicketKey } from '../domain/ticket.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Page, type PageQuestion, readPage } from './page.ts';
import { MOST_DELIVERIES } from './retention.ts';
import { flatten, hashOf, optionalText } from './run-record.ts';

/** What is known of a delivery when it arrives. */
export interface NewDelivery
  extends Pick<
    Delivery,
    'platform' | 'source' | 'id' | 'derived' | 'event' | 'payloadHash' | 'projects' | 'configHash'
  > {
  readonly name: DeliveryName;
  readonly action: string | undefined;
  readonly installation: string | undefined;
  readonly place: string | undefined;
  readonly placeId: string | undefined;
  /** Its tickets by key and id. Of an ignored delivery too, where they are known: a person may send it again. */
  readonly tickets: readonly { readonly key: TicketKey; readonly id: string }[];
  /** Undefined: its tickets are to be looked at. */
  readonly ignored: { readonly reason: string; readonly dependsOnConfiguration: boolean } | undefined;
  /** What it tells of may have taken back the live run of a ticket. */
  readonly mayTakeBack?: boolean;
}

export type Acceptance =
  /** Written, and its tickets are due. */
  | { readonly kind: 'accepted' }
  | { readonly kind: 'ignored'; readonly reason: string }
  | { readonly kind: 'duplicate'; readonly state: DeliveryState }
  /** The same id came with another payload before: nothing was done. */
  | { readonly kind: 'mismatch'; readonly state: DeliveryState }
  /** Too many tickets wait already: nothing was written. */
  | { readonly kind: 'full' };

/** One ticket's share of the inbox, handed out until the lease is over. */
export interface TakenTicket {
  readonly ticket: TicketKey;
  /** The platform's id of it. */
  readonly ticketId: string;
  /** Names the hand-out. */
  readonly lease: string;
  /** Redis TIME, ms. */
  readonly takenAtMs: number;
  readonly entries: readonly InboxEntry[];
}

export interface InboxEntry {
  readonly delivery: DeliveryName;
  readonly receivedAtMs: number;
  /** As the delivery was routed, and by which configuration. */
  readonly projects: readonly string[];
  readonly configHash: string;
  readonly mayTakeBack: boolean;
}

/** What became of a ticket. */
export interface Settlement {
  /** `ignored`: by this configuration, another one may see it otherwise. */
  readonly kind: 'processed' | 'ignored' | 'failed';
  readonly outcome: string;
  readonly run?: string | undefined;
  /** Not yet: it is looked at again for those of its deliveries that are younger than that. */
  readonly again?: { readonly inMs: number; readonly untilAgeMs: number } | undefined;
}

/** All of these throw `OperationError` when Redis is away. */
export interface DeliveryRecords {
  accept(delivery: NewDelivery): Promise<Acceptance>;
  /** Tickets that are due, those that have waited longest first; none whose key begins with one of `except`. */
  take(most: number, except?: Iterable<string>): Promise<TakenTicket[]>;
  /** What became of a taken ticket, for the deliveries that were handed out with it. How many of them wait on. */
  settle(taken: TakenTicket, how: Settlement): Promise<number>;
  get(name: DeliveryName): Promise<Delivery | undefined>;
  /** The newest first. */
  list(page: PageQuestion & { readonly where?: (delivery: Delivery) => boolean }): Promise<Page<Delivery>>;
  /** Makes its tickets due once more. Undefined when it is not on record, `nothing` when it speaks of no ticket. */
  replay(name: DeliveryName): Promise<'accepted' | 'full' | 'nothing' | undefined>;
  /** Redis TIME in ms of the last delivery by which each project's hook told of a ticket. */
  arrivals(): Promise<ReadonlyMap<string, number>>;
  /** Tickets in the inbox. */
  depth(): Promise<number>;
}

export interface DeliveryRecordsOptions {
  /** Longer than a claim may take. */
  readonly inboxLeaseMs: number;
  /** How soon a ticket that was left out may be asked for again. */
  readonly inboxScanMs: number;
  readonly deliveryTtlMs: number;
  /** Records that are kept: `MOST_DELIVERIES` unless told. */
  readonly mostDeliveries?: number;
}

/** More than this is not work that waits but a platform that has been away for long, or somebody who floods us. */
const MOST_DUE = 10_000;
const MOST_ENTRIES = 1_000;

export function createDeliveryRecords(redis: RedisConnection, options: DeliveryRecordsOptions): DeliveryRecords {
  const { keys } = redis;

  const write = async (
    { name, tickets, projects, ignored, payloadHash, configHash, ...fields }: NewDelivery,
    insist: boolean,
  ): Promise<Acceptance> => {
    const [kind, word = ''] = await redis.script(
      'accept-delivery',
      [
        keys.delivery(name),
        keys.deliveries,
        keys.inboxDue,
        keys.arrivals,
        ...tickets.map(({ key }) => keys.inbox(key)),
      ],
      [
        name,
        payloadHash,
        configHash,
        ignored?.reason ?? '',
        ignored?.dependsOnConfiguration === true ? '1' : '0',
        options.deliveryTtlMs,
        options.mostDeliveries ?? MOST_DELIVERIES,
        MOST_DUE,
        MOST_ENTRIES,
        keys.delivery(''),
        projects.join(','),
        insist ? '1' : '0',
        tickets.length,
        ...tickets.flatMap(({ key, id }) => [key, id]),
        ...flatten({ ...fields, tickets: tickets.map(({ key, id }) => `${key} ${id}`).join(',') }),
      ],
    );
    switch (kind) {
      case 'accepted':
      case 'full':
        return { kind };
      case 'ignored':
        return { kind, reason: String(word) };
      case 'duplicate':
      case 'mismatch':
        return { kind, state: String(word) as DeliveryState };
      case undefined:
      default:
        throw new Error(`accept-delivery answered ${String(kind)}`);
    }
  };

  const read = (name: DeliveryName): Promise<Record<string, string>> =>
    redis.read('read delivery', (client) => client.hgetall(keys.delivery(name)));

  return {
    accept: (delivery) => write(delivery, false),
    async take(most, except = []) {
      const taken = await redis.script(
        'take-inbox',
        [keys.inboxDue],
        [most, options.inboxLeaseMs, keys.inbox(''), keys.delivery(''), options.inboxScanMs, ...except],
      );
      return taken.flatMap((one) => (Array.isArray(one) ? [takenOf(one as readonly string[])] : []));
    },
    async settle({ ticket, lease, entries }, { kind, outcome, run = '', again }) {
      const [putOff] = await redis.script(
        'settle-inbox',
        [keys.inbox(ticket), keys.inboxDue],
        [
          ticket,
          lease,
          keys.delivery(''),
          kind,
          outcome,
          run,
          again === undefined ? '' : Math.round(again.inMs),
          again?.untilAgeMs ?? 0,
          ...entries.flatMap(({ delivery, receivedAtMs }) => [delivery, receivedAtMs]),
        ],
      );
      return Number(putOff);
    },
    get: async (name) => deliveryOf(await read(name)),
    list: ({ where = () => true, ...page }) =>
      readPage(redis, [keys.deliveries], page, async (name) => {
        const delivery = deliveryOf(await read(name));
        return delivery !== undefined && where(delivery) ? delivery : undefined;
      }),
    async replay(name) {
      const hash = await read(name);
      const delivery = deliveryOf(hash);
      if (delivery === undefined) return undefined;
      const tickets = ticketsIn(hash);
      if (tickets.length === 0 || delivery.projects.length === 0) return 'nothing';
      const { platform, source, id, derived, event, payloadHash, projects, configHash } = delivery;
      const { action, installation, place, placeId } = delivery;
      const facts = { platform, source, id, derived, event, action, installation, place, placeId };
      const again = {
        name,
        ...facts,
        payloadHash,
        projects,
        configHash,
        tickets,
        ignored: undefined,
        mayTakeBack: true,
      };
      const { kind } = await write(again, true);
      return kind === 'full' ? kind : 'accepted';
    },
    arrivals: () =>
      redis.read('read arrivals', async (client) => {
        const entries = Object.entries(await client.hgetall(keys.arrivals));
        return new Map(entries.map(([project, atMs]) => [project, Number(atMs)]));
      }),
    depth: () => redis.read('count the inbox', (client) => client.zcard(keys.inboxDue)),
  };
}

function takenOf([ticket = '', lease = '', atMs, ...flat]: readonly string[]): TakenTicket {
  let ticketId = '';
  const entries = Object.entries(hashOf(flat)).map(([delivery, text]): InboxEntry => {
    const [receivedAtMs, id = '', projects = '', configHash = '', takesBack] = text.split(' ');
    // The same in all entries of a ticket.
    ticketId = id;
    return {
      delivery,
      receivedAtMs: Number(receivedAtMs),
      projects: listIn(projects),
      configHash,
      mayTakeBack: takesBack === 'true',
    };
  });
  entries.sort((a, b) => a.receivedAtMs - b.receivedAtMs);
  return { ticket, ticketId, lease, takenAtMs: Number(atMs), entries };
}

const listIn = (text: string): string[] => text.split(',').filter((item) => item !== '');

function ticketsIn(hash: Readonly<Record<string, string>>): { readonly key: TicketKey; readonly id: string }[] {
  return listIn(hash.tickets ?? '').map((pair) => {
    const [key = '', id = ''] = pair.split(' ');
    return { key, id };
  });
}

/** Undefined when there is no such record. */
function deliveryOf(hash: Readonly<Record<string, string>>): Delivery | undefined {
  const { name, state } = hash;
  if (name === undefined || state === undefined) return undefined;
  return {
    name,
    platform: hash.platform ?? '',
    source: hash.source ?? '',
    id: hash.id ?? '',
    derived: hash.derived === 'true',
    event: hash.event ?? '',
    receivedAtMs: Number(hash.receivedAtMs),
    payloadHash: hash.payloadHash ?? '',
    projects: listIn(hash.projects ?? ''),
    tickets: ticketsIn(hash).map(({ key }) => key),
    configHash: hash.configHash ?? '',
    state: state as DeliveryState,
    tries: Number(hash.tries ?? 0),
    duplicates: Number(hash.duplicates ?? 0),
    results: resultsIn(hash),
    ...optionalText(hash, 'action'),
    ...optionalText(hash, 'installation'),
    ...optionalText(hash, 'place'),
    ...optionalText(hash, 'placeId'),
    ...optionalText(hash, 'reason'),
    ...(hash.settledAtMs === undefined ? {} : { settledAtMs: Number(hash.settledAtMs) }),
  };
}

const OUTCOME = 'outcome:';

function resultsIn(hash: Readonly<Record<string, string>>): DeliveryResult[] {
  return Object.entries(hash).flatMap(([field, text]) => {
    if (!field.startsWith(OUTCOME)) return [];
    const [outcome = '', run] = text.split('|');
    return [{ ticket: field.slice(OUTCOME.length), outcome, ...(run === undefined ? {} : { run }) }];
  });
}
