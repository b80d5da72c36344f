/**
 * Walks a listing page by page under one deadline. A listing that is longer than the deadline, or than one cycle should
 * take in, goes on from its cursor in the next cycle, and begins anew at its end: nothing starves.
 */
import { lifecyclesOf } from '../domain/lifecycle.ts';
import type { Ticket } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { type CallPurpose, PlatformError, type TicketPlatform, type TicketQuery } from '../platforms/contract.ts';

/** Where a listing stands between two cycles. */
export interface ListingCursor {
  next: string | undefined;
}

export interface ListingLimits {
  readonly deadlineMs: number;
  /** Candidates taken in one cycle. */
  readonly mostCandidates: number;
  readonly signal: AbortSignal;
}

export interface Listing {
  /** Without a lifecycle label, or with `pending`; each ticket once. */
  readonly candidates: readonly Ticket[];
  readonly seen: number;
  /** There is more: the next cycle goes on from here. */
  readonly truncated: boolean;
  /** Why the listing broke off; undefined when it only came to its end, its limit or its deadline. */
  readonly problem: PlatformError | undefined;
}

/**
 * Never throws `PlatformError`: what was seen before a page failed is kept beside the problem, so that one bad page does
 * not hide the good ones.
 */
export async function walkListing(
  platform: TicketPlatform,
  query: TicketQuery,
  purpose: CallPurpose,
  cursor: ListingCursor,
  limits: ListingLimits,
): Promise<Listing> {
  const startedAt = now();
  const candidates = new Map<string, Ticket>();
  let seen = 0;
  let pages = 0;
  let problem: PlatformError | undefined;
  do {
    const deadlineMs = limits.deadlineMs - elapsedMs(startedAt);
    if (deadlineMs <= 0 || candidates.size >= limits.mostCandidates) break;
    try {
      const page = await platform.listTickets(query, cursor.next, { purpose, deadlineMs, signal: limits.signal });
      pages += 1;
      seen += page.tickets.length;
      for (const ticket of page.tickets) if (isCandidate(ticket)) candidates.set(ticket.key, ticket);
      cursor.next = page.next;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      // Out of time in the middle is what the cursor is for; anything else is an error and shown as one.
      const outOfTime = error.kind === 'unavailable' && elapsedMs(startedAt) >= limits.deadlineMs;
      if (pages > 0 && outOfTime) break;
      problem = error;
      // A cursor that the platform does not take any more must not stop this listing for ever.
      if (pages === 0) cursor.next = undefined;
    }
  } while (cursor.next !== undefined && problem === undefined);
  return { candidates: [...candidates.values()], seen, truncated: cursor.next !== undefined, problem };
}

/** Lifecycle none or pending; also `pending` beside `done` or `failed`, by which a person asks for another run. */
function isCandidate(ticket: Ticket): boolean {
  const found = lifecyclesOf(ticket.labels);
  if (found.includes('enqueued') || found.includes('in-progress')) return false;
  return found.length === 0 || found.includes('pending');
}
