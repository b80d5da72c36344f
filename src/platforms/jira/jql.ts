/** Our queries, and how a value gets into it without being read as a part of it. */
import type { TicketSource } from '../../domain/ticket.ts';
import type { TicketQuery } from '../contract.ts';

/**
 * Oldest first, so that a ticket is never starved by newer ones. Always restricted: Cloud refuses it otherwise.
 * @param changedWithinMinutes only what has changed so lately. Relative, because Jira reads a time of the clock in the time
 * zone of the account.
 */
export function listingJql(
  { scope }: Pick<TicketSource, 'scope'>,
  { labels, state }: TicketQuery,
  changedWithinMinutes?: number,
): string {
  const spelled = [...new Set(labels.flatMap(spellings))];
  const clauses = [
    ...(scope === undefined ? [] : [`project = ${quoted(scope)}`]),
    `labels in (${spelled.map(quoted).join(', ')})`,
    ...(state === 'open' ? ['statusCategory != Done'] : []),
    ...(changedWithinMinutes === undefined ? [] : [`updated >= -${changedWithinMinutes}m`]),
  ];
  return `${clauses.join(' AND ')} ORDER BY created ASC, key ASC`;
}

/** A string of JQL. Control characters, which nobody has in a label, are written as escapes too. */
function quoted(value: string): string {
  const escaped = value
    .replace(/[\\"]/g, '\\$&')
    .replace(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return `"${escaped}"`;
}

/** Jira tells labels apart by letter case and we do not, so the ways in which people spell one are all asked for. */
function spellings(label: string): string[] {
  const lower = label.toLowerCase();
  const capitalised = lower.replace(/^\p{L}/u, (letter) => letter.toUpperCase());
  const titled = lower.replace(/(?<!\p{L})\p{L}/gu, (letter) => letter.toUpperCase());
  return [label, lower, label.toUpperCase(), capitalised, titled];
}
