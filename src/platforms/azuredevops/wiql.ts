/** Queries in Azure DevOps' query language, every value escaped. */

/** Tag clauses in one query: beyond about 25 of them it is likely to time out. */
export const MOST_LABELS = 25;

/** The project that the query is sent to: by its present name, also where the address has a former one. */
const IN_PROJECT = '[System.TeamProject] = @project';

export interface ListingQuery {
  readonly labels: readonly string[];
  /** The states of tickets that are listed; undefined lists all. */
  readonly states?: readonly string[] | undefined;
  /** Only ids above this one: how a listing goes on. */
  readonly after: number;
}

/** Ids of tickets with any of the labels, in ascending order. */
export function listingWiql({ labels, states, after }: ListingQuery): string {
  const clauses = [
    IN_PROJECT,
    // In parentheses: AND binds tighter than OR.
    `(${labels.map((label) => `[System.Tags] CONTAINS ${quoted(label)}`).join(' OR ')})`,
    ...(states === undefined ? [] : [`[System.State] IN (${states.map(quoted).join(', ')})`]),
    `[System.Id] > ${after}`,
  ];
  return `SELECT [System.Id] FROM WorkItems WHERE ${clauses.join(' AND ')} ORDER BY [System.Id]`;
}

/** All tickets of the project, the latest first. */
export const LATEST_WIQL = `SELECT [System.Id] FROM WorkItems WHERE ${IN_PROJECT} ORDER BY [System.Id] DESC`;

/** There is one rule in this language: a quote inside a text is doubled. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
