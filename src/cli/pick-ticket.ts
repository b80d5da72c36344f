/** What a person typed as PROJECT and TICKET, found in the configuration. */
import type { Config, Connection } from '../config/config.ts';
import { printable, UsageError } from './process.ts';

/**
 * @param ticketText a number, a key or a URL, as the platform of the project knows them.
 * @throws UsageError when there is no such project, or the text is no ticket of it.
 */
export function pickTicket(
  config: Config,
  file: string,
  project: string,
  ticketText: string,
): { readonly connection: Connection; readonly ticketId: string } {
  const connection = config.connections.get(project);
  if (connection === undefined) {
    const known = [...config.connections.keys()].join(', ');
    throw new UsageError(`no project ${printable(project)} in ${file}; there are: ${known}`);
  }
  const ticketId = connection.descriptor.parseTicketId(ticketText, connection.source);
  if (ticketId === undefined) {
    throw new UsageError(`${printable(ticketText)} is no ticket of project ${project}: give its number, key or URL`);
  }
  return { connection, ticketId };
}
