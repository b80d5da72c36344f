/** The ticket and the scope it lives in: plain nouns, the same for every platform. */

/** Slug of a platform: the name of its folder, keys, routes, environment and metrics. The registry holds the list. */
export type PlatformSlug = string;

/** The tracker scope that a project watches. Several projects may share one. Built from the configuration alone. */
export interface TicketSource {
  readonly platform: PlatformSlug;
  /** Normalised host, lower case, with the port only if it is not the default one. */
  readonly host: string;
  /** The scope in which a ticket id is unique (PROTOCOL 1), as the platform spells it; may be empty (Jira). */
  readonly container: string;
  /** Base URL of the API, without a trailing slash. */
  readonly apiUrl: string;
  /** What narrows a listing below the container (an Azure DevOps project, a Jira project key). */
  readonly scope?: string;
}

/** `<platform>~<host>~<container>~<id>`, see `ticketKey`. */
export type TicketKey = string;

/** A ticket as a platform shows it. */
export interface Ticket {
  readonly key: TicketKey;
  /** The id by which the source addresses it: issue number, iid, work item id, Jira's numeric id. */
  readonly id: string;
  /** How people call it, for example `org/repo#7`. */
  readonly display: string;
  /** Its page for people. */
  readonly url: string;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly open: boolean;
  /** Where it is within its container, on platforms that narrow a source by a scope: a ticket may have been moved. */
  readonly scope?: string;
}

/** Whether the ticket was moved out of what the source watches, though its id is still the same. */
export function movedAway(ticket: Pick<Ticket, 'scope'>, source: Pick<TicketSource, 'scope'>): boolean {
  if (ticket.scope === undefined || source.scope === undefined) return false;
  return ticket.scope.toLowerCase() !== source.scope.toLowerCase();
}

const escapePart = (part: string): string =>
  // Half a surrogate pair, as YAML can spell it, would make the encoder throw.
  encodeURIComponent(part.toLowerCase().toWellFormed()).replace(
    /[!'()*~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** The canonical key of a ticket: parts in lower case and escaped, so neither `~` nor `:` can occur inside a part. */
export function ticketKey(source: Pick<TicketSource, 'platform' | 'host' | 'container'>, id: string): TicketKey {
  return [source.platform, source.host, source.container, id].map(escapePart).join('~');
}

/** Key of the source itself: equal for two projects exactly if they watch the same scope. */
export function sourceKey(source: TicketSource): string {
  return [source.platform, source.host, source.container, source.scope ?? ''].map(escapePart).join('~');
}
