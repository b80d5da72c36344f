/**
 * Which tickets a pull request says that it closes. Looser than GitHub, which takes no keyword in a code block or a
 * comment for one: whatever is found here is only a reason to look at a ticket.
 */
import type { TicketSource } from '../../domain/ticket.ts';
import { firstTickets } from '../webhook-fields.ts';
import { parseGitHubTicketId } from './source.ts';

/** Every repetition is bounded: anybody may open a pull request, with whatever text. */
const CLOSES =
  /\b(?:close[sd]?|fix(?:es|ed)?|resolve[sd]?):?[ \t]{1,9}((?:[\w.-]{1,100}\/[\w.-]{1,100})?#\d{1,16}|https?:\/\/\S{1,300}?\/issues\/\d{1,16})(?!\w)/gi;

/** Ids of the tickets of this repository that stand behind `closes`, `fixes` or `resolves`. */
export function ticketsClosedBy(text: string, repository: Pick<TicketSource, 'host' | 'container'>): string[] {
  return firstTickets(idsIn(text, repository));
}

function* idsIn(text: string, repository: Pick<TicketSource, 'host' | 'container'>): Generator<string | undefined> {
  for (const [, reference = ''] of text.matchAll(CLOSES)) yield parseGitHubTicketId(reference, repository);
}
