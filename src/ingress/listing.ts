/** What a poll takes from a listing: the tickets that may want a run. The claim reads each one again and decides. */
import { lifecyclesOf } from '../domain/lifecycle.ts';
import type { Ticket } from '../domain/ticket.ts';
import type { CallPurpose, PlatformError, TicketPlatform, TicketQuery } from '../platforms/contract.ts';
import { type ListingCursor, walkPages } from '../platforms/walk-pages.ts';

export type { ListingCursor } from '../platforms/walk-pages.ts';

export interface ListingLimits {
  readonly deadlineMs: number;
  /** Candidates taken in one cycle. */
  readonly mostCandidates: number;
  readonly signal: AbortSignal;
  readonly onRequest?: () => void;
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

/** One cycle's part of a listing. Never throws `PlatformError`. */
export async function walkListing(
  platform: TicketPlatform,
  query: TicketQuery,
  purpose: CallPurpose,
  cursor: ListingCursor,
  { mostCandidates, ...call }: ListingLimits,
): Promise<Listing> {
  const { tickets: candidates, ...walk } = await walkPages(platform, query, cursor, {
    ...call,
    purpose,
    wanted: isCandidate,
    most: mostCandidates,
  });
  return { candidates, ...walk };
}

/** Lifecycle none or pending; also `pending` beside `done` or `failed`, by which a person asks for another run. */
function isCandidate(ticket: Ticket): boolean {
  const found = lifecyclesOf(ticket.labels);
  if (found.includes('enqueued') || found.includes('in-progress')) return false;
  return found.length === 0 || found.includes('pending');
}
