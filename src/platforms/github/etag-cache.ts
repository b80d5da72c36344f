/**
 * The pages that a credential has seen, so that an unchanged listing costs nothing: GitHub does not count a 304 to a
 * request with `If-None-Match`. ETags differ between tokens, so there is one cache per credential; it is kept by the
 * transport, and all projects on that credential share it.
 *
 * A 304 has no `Link`: the next page is remembered with the tickets. Bounded by count and by size; a page that was
 * pushed out is asked for in full again, which costs one request of the budget and nothing else.
 */
import { LRUCache } from 'lru-cache';
import type { Ticket } from '../../domain/ticket.ts';

export interface KnownPage {
  readonly etag: string;
  readonly tickets: readonly Ticket[];
  /** URL of the next page. */
  readonly next: string | undefined;
}

/** By the full URL of the page. */
export type EtagCache = LRUCache<string, KnownPage>;

const MAX_PAGES = 10_000;
const MAX_BYTES = 48 * 1024 * 1024;

export function createEtagCache(): EtagCache {
  return new LRUCache({ max: MAX_PAGES, maxSize: MAX_BYTES, sizeCalculation: sizeOf });
}

/** Roughly the bytes that a page takes in memory: one per character, and what objects cost. */
function sizeOf(page: KnownPage, url: string): number {
  const texts = page.tickets.flatMap((ticket) => [
    ticket.key,
    ticket.id,
    ticket.display,
    ticket.url,
    ticket.title,
    ...ticket.labels,
  ]);
  const characters = texts.reduce((sum, text) => sum + text.length, url.length + page.etag.length);
  return characters + 24 * texts.length + 100 * page.tickets.length + 200;
}
