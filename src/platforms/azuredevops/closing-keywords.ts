/**
 * Which work items a pull request says that it closes. Looser than Azure DevOps, which takes some words as a project has
 * set them: whatever is found here is only a reason to look at a ticket.
 */
import { firstTickets } from '../webhook-fields.ts';
import { ticketIdSchema } from './work-item.ts';

/** Every repetition is bounded: anybody may open a pull request, with whatever text. */
const CLOSES = /\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?|complete[sd]?):?\s{1,9}(?:AB)?#(\d{1,10})\b/gi;

/** Ids of the work items that stand behind a keyword. */
export function ticketsClosedBy(text: string): string[] {
  return firstTickets(idsIn(text));
}

function* idsIn(text: string): Generator<string | undefined> {
  for (const [, number] of text.matchAll(CLOSES)) yield ticketIdSchema.safeParse(number).data;
}
