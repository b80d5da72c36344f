/**
 * What the payloads of all platforms are read with. What has another shape than we know counts as not shown and takes
 * nothing else with it: a payload that we cannot read to the end is still a delivery. And there is an end to everything
 * that a stranger may make as long as he likes.
 */
import { z } from 'zod';
import type { TicketNews } from '../domain/ticket-news.ts';

const LONGEST_NAME = 100;

/** What came in a header or a field, fit for a log and a record; undefined when nothing of it is left. */
export function printable(text = ''): string | undefined {
  const shown = text.replace(/[^ -~]/g, '').slice(0, LONGEST_NAME);
  return shown === '' ? undefined : shown;
}

/** Undefined for what has another shape, and for what is not there. */
export const lenient = <T extends z.ZodType>(schema: T) => schema.optional().catch(undefined);

/** More than any platform sends in one list. */
const MOST_ENTRIES = 1_000;

/** Those entries that fit. Counted before they are read: to say of each of a million why it does not takes all memory. */
export const listOf = <T extends z.ZodType>(schema: T) =>
  z
    .array(z.unknown())
    .max(MOST_ENTRIES)
    .transform((entries) =>
      entries.map((entry) => schema.safeParse(entry)).flatMap(({ success, data }) => (success ? [data] : [])),
    );

type LabelNews = Pick<TicketNews, 'added' | 'removed'>;

export const NO_CHANGE: LabelNews = { added: [], removed: [] };

/** What came and what went, in any letter case. */
export function changeBetween(before: readonly string[], after: readonly string[]): LabelNews {
  return { added: without(after, before), removed: without(before, after) };
}

function without(labels: readonly string[], others: readonly string[]): string[] {
  const left = new Set(others.map((label) => label.toLowerCase()));
  return labels.filter((label) => !left.has(label.toLowerCase()));
}

/** A text that names more is no longer one about tickets. */
const MOST_TICKETS = 50;

/** Each once. Nothing is taken from `ids` once there are enough. */
export function firstTickets(ids: Iterable<string | undefined>): string[] {
  const found = new Set<string>();
  for (const id of ids) {
    if (id !== undefined) found.add(id);
    if (found.size === MOST_TICKETS) break;
  }
  return [...found];
}

/** Of a pull request: labels and state are its own and say nothing of the tickets that it closes. */
export function linkNews(ticketIds: readonly string[], ownComment = false): TicketNews | 'no-ticket' {
  if (ticketIds.length === 0) return 'no-ticket';
  return { ticketIds, about: 'link', ...NO_CHANGE, labels: undefined, open: undefined, ownComment };
}
