/**
 * Walks a listing page by page under one deadline. A listing that is longer than the deadline, or than one walk should
 * take in, goes on from its cursor in the next walk, and begins anew at its end: nothing starves.
 */
import type { Ticket } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { type Call, PlatformError, type TicketPlatform, type TicketQuery } from './contract.ts';

/** Where a listing stands between two walks; `next` is undefined at its beginning. */
export interface ListingCursor {
  next: string | undefined;
}

/** The call of the whole walk: its deadline is for all pages together. */
export interface WalkOptions extends Call {
  /** Which tickets to keep; default: all. */
  readonly wanted?: (ticket: Ticket) => boolean;
  /** Tickets kept in one walk; the page that reaches it is still taken whole. Default: no limit. */
  readonly most?: number;
}

export interface Walk {
  /** Each ticket once. */
  readonly tickets: readonly Ticket[];
  /** Tickets listed, wanted or not. */
  readonly seen: number;
  /** There is more: the next walk goes on from here. */
  readonly truncated: boolean;
  /** Why the walk broke off; undefined when it only came to its end, its limit or its deadline. */
  readonly problem: PlatformError | undefined;
}

/**
 * Never throws `PlatformError`: what was seen before a page failed is kept beside the problem, so that one bad page does
 * not hide the good ones.
 */
export async function walkPages(
  platform: Pick<TicketPlatform, 'listTickets'>,
  query: TicketQuery,
  cursor: ListingCursor,
  options: WalkOptions,
): Promise<Walk> {
  const { wanted = () => true, most = Number.POSITIVE_INFINITY, ...call } = options;
  const startedAt = now();
  const tickets = new Map<string, Ticket>();
  let seen = 0;
  let pages = 0;
  let problem: PlatformError | undefined;
  do {
    const deadlineMs = options.deadlineMs - elapsedMs(startedAt);
    // Not before the first page: a listing that was never asked for has not shown that there is nothing.
    if ((pages > 0 && deadlineMs <= 0) || tickets.size >= most) break;
    try {
      const page = await platform.listTickets(query, cursor.next, { ...call, deadlineMs });
      pages += 1;
      seen += page.tickets.length;
      for (const ticket of page.tickets) if (wanted(ticket)) tickets.set(ticket.key, ticket);
      cursor.next = page.next;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      // Out of time in the middle is what the cursor is for; anything else is an error and shown as one.
      const outOfTime = error.kind === 'unavailable' && elapsedMs(startedAt) >= options.deadlineMs;
      if (pages > 0 && outOfTime) break;
      problem = error;
      // A cursor that the platform does not take any more must not stop this listing for ever. A limit says nothing about
      // the cursor, and beginning anew after each would never come to the end.
      if (pages === 0 && error.kind !== 'rate-limited') cursor.next = undefined;
    }
  } while (cursor.next !== undefined && problem === undefined);
  return { tickets: [...tickets.values()], seen, truncated: cursor.next !== undefined, problem };
}
