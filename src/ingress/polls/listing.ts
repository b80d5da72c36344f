/**
 * What a cycle takes from a project's two listings: the tickets that may want a run. The claim reads each one again and
 * decides. Polls and plans list alike.
 */
import { lifecycleLabel, lifecyclesOf } from '../../domain/lifecycle.ts';
import type { Project } from '../../domain/project.ts';
import type { Ticket, TicketKey } from '../../domain/ticket.ts';
import { type CallPurpose, PlatformError, type TicketPlatform, type TicketQuery } from '../../platforms/contract.ts';
import { type ListingCursor, type Walk, walkPages } from '../../platforms/walk-pages.ts';

/** Candidates taken in one cycle; the rest is the next cycle's. */
const MOST_CANDIDATES = 500;

export interface ListingLimits {
  /** Of each of the two listings. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  readonly onRequest?: () => void;
}

export interface ListingWays {
  /** Instead of `discovery` and `catchup`, for who only looks. */
  readonly purpose?: CallPurpose;
  /** Runs a listing when its turn has come; waiting is not counted against the deadline. */
  readonly inSlot?: <T>(list: () => Promise<T>) => Promise<T>;
}

export interface Candidates {
  /** Without a lifecycle label, or with `pending`; each ticket once. */
  readonly tickets: readonly Ticket[];
  /** By trigger labels, and by `agent-smith:pending`. */
  readonly discovered: number;
  readonly pending: number;
  /** There is more: the next cycle goes on from here. */
  readonly truncated: boolean;
  /** All open tickets with a trigger label, claimed or not; undefined when they were not seen whole in this cycle. */
  readonly triggered: ReadonlySet<TicketKey> | undefined;
  /** Why a listing broke off; undefined when it only came to its end, its limit or its deadline. */
  readonly problem: PlatformError | undefined;
}

/** One cycle's part of both listings. Never throws `PlatformError`. */
export type ListCandidates = (limits: ListingLimits, ways?: ListingWays) => Promise<Candidates>;

const NOTHING: Walk = { tickets: [], seen: 0, truncated: false, problem: undefined };

const atOnce: NonNullable<ListingWays['inSlot']> = (list) => list();

/** Remembers where the listings stand between two cycles. */
export function createCandidateListing(project: Project, platform: TicketPlatform): ListCandidates {
  const discovery: ListingCursor = { next: undefined };
  const catchup: ListingCursor = { next: undefined };
  const labels = [...project.routing.pipelineFromLabel.keys()];

  return async (call, { purpose, inSlot = atOnce } = {}) => {
    const triggered = new Set<TicketKey>();
    const isFromStart = labels.length > 0 && discovery.next === undefined;
    const walk = (query: TicketQuery, cursor: ListingCursor, own: CallPurpose): Promise<Walk> => {
      const wanted = (ticket: Ticket): boolean => {
        if (own === 'discovery') triggered.add(ticket.key);
        return isCandidate(ticket);
      };
      const options = { ...call, purpose: purpose ?? own, wanted, most: MOST_CANDIDATES };
      return inSlot(() => walkPages(platform, query, cursor, options));
    };
    // An empty map turns discovery off: then only `pending` starts a run.
    const found = labels.length === 0 ? NOTHING : await walk({ labels, state: 'open' }, discovery, 'discovery');
    const wish: TicketQuery = { labels: [lifecycleLabel('pending')], state: platform.capabilities.catchupState };
    // A platform that has just failed is not asked once more; what it had shown before is taken all the same.
    const pending = found.problem === undefined ? await walk(wish, catchup, 'catchup') : NOTHING;
    const tickets = new Map([...found.tickets, ...pending.tickets].map((ticket) => [ticket.key, ticket]));
    return {
      tickets: [...tickets.values()],
      discovered: found.tickets.length,
      pending: pending.tickets.length,
      truncated: found.truncated || pending.truncated,
      triggered: isFromStart && !found.truncated && found.problem === undefined ? triggered : undefined,
      problem: found.problem ?? pending.problem,
    };
  };
}

/** A limit that no answer spoke of: the transport did not ask. */
export function isHeldBack(error: unknown): boolean {
  return error instanceof PlatformError && error.kind === 'rate-limited' && error.status === undefined;
}

/** Lifecycle none or pending; also `pending` beside `done` or `failed`, by which a person asks for another run. */
function isCandidate(ticket: Ticket): boolean {
  const found = lifecyclesOf(ticket.labels);
  if (found.includes('enqueued') || found.includes('in-progress')) return false;
  return found.length === 0 || found.includes('pending');
}
