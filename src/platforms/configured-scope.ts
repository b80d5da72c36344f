/**
 * A project that was renamed. Azure DevOps and Jira go on answering to the former name, which stands in the
 * configuration, but show the present one: without asking, each of its tickets would look like one that was moved away.
 */
import { LRUCache } from 'lru-cache';
import { movedAway, sourceKey, type Ticket, type TicketSource } from '../domain/ticket.ts';
import { refusalIn } from './session.ts';

/** A project is renamed once in years, and its former name may then be given to another one. */
const KNOWN_FOR_MS = 10 * 60_000;

/** By source: what its project is called now; empty where nobody tells us. */
const createPresentNames = () => new LRUCache<string, string>({ max: 1_000, ttl: KNOWN_FOR_MS });

/**
 * The ticket with its `scope` as the configuration calls it, if it is in the configured project under whichever name.
 * @param presentName asked now and then, and only for a ticket that seems to have been moved away
 */
export async function inConfiguredScope(
  client: { readonly source: TicketSource; shared<T>(create: () => T): T },
  ticket: Ticket,
  presentName: () => Promise<string>,
): Promise<Ticket> {
  const { source, shared } = client;
  if (source.scope === undefined || !movedAway(ticket, source)) return ticket;
  const names = shared(createPresentNames);
  const key = sourceKey(source);
  let present = names.get(key);
  if (present === undefined) {
    present = await presentName().catch(emptyIfRefused);
    names.set(key, present);
  }
  return movedAway(ticket, { scope: present }) ? ticket : { ...ticket, scope: source.scope };
}

/** A credential that may work on tickets but not look at projects leaves it at what the ticket shows. */
function emptyIfRefused(error: unknown): string {
  refusalIn(error);
  return '';
}
