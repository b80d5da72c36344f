/** From a GitLab `url` to the project whose issues are watched, also below a path prefix of the server. */
import type { TicketSource } from '../../domain/ticket.ts';
import type { SourceProblem, TicketsConfig } from '../descriptor.ts';
import { readTicketNumber } from '../ticket-number.ts';
import { readWebAddress, writeWebAddress } from '../web-address.ts';

const SEGMENT = /^[\p{L}\p{N}_][\p{L}\p{N}_. +-]*$/u;

/**
 * The project of `url`. The API is `/api/v4` of the host; a server below a path prefix is recognised by its `api_url`
 * (`https://host/prefix/api/v4`), and the prefix is no part of the project's name.
 */
export function resolveGitLabSource(tickets: TicketsConfig): TicketSource | SourceProblem {
  if (tickets.url === undefined) return { key: 'url', problem: 'is missing' };
  const address = readWebAddress(tickets.url);
  if ('problem' in address) return { key: 'url', problem: address.problem };
  const api = tickets.api_url === undefined ? undefined : readWebAddress(tickets.api_url);
  if (api !== undefined && 'problem' in api) return { key: 'api_url', problem: api.problem };
  if (api !== undefined && api.segments.slice(-2).join('/') !== 'api/v4') {
    return { key: 'api_url', problem: 'must end in /api/v4' };
  }
  const prefix = api !== undefined && api.host === address.host ? api.segments.slice(0, -2) : [];
  const path = withoutPrefix(projectPath(address.segments), prefix);
  if (path === undefined) return { key: 'url', problem: 'does not begin with the path prefix of api_url' };
  if (path.length < 2 || !path.every((segment) => SEGMENT.test(segment))) {
    return { key: 'url', problem: 'must name one project: https://host/group/project' };
  }
  return {
    platform: 'gitlab',
    host: address.host,
    container: path.join('/'),
    apiUrl: api === undefined ? `${address.scheme}://${address.host}/api/v4` : writeWebAddress(api),
  };
}

/** `7`, `#7`, `group/project#7` or the URL. */
export function parseGitLabTicketId(text: string, source: TicketSource): string | undefined {
  const number = readTicketNumber(text.trim(), source.container);
  if (number !== undefined) return number;
  const address = readWebAddress(text);
  if ('problem' in address || address.host !== source.host) return undefined;
  const [kind, id, ...rest] = address.segments.slice(address.segments.indexOf('-') + 1);
  if ((kind !== 'issues' && kind !== 'work_items') || id === undefined || rest.length > 0) return undefined;
  const prefix = readWebAddress(source.apiUrl);
  const path = withoutPrefix(
    projectPath(address.segments),
    'problem' in prefix || prefix.host !== source.host ? [] : prefix.segments.slice(0, -2),
  );
  return path === undefined ? undefined : readTicketNumber(`${path.join('/')}#${id}`, source.container);
}

/** GitLab separates the project's path from its pages by a segment `-`. */
function projectPath(segments: readonly string[]): readonly string[] {
  const end = segments.indexOf('-');
  return end === -1 ? segments : segments.slice(0, end);
}

function withoutPrefix(path: readonly string[], prefix: readonly string[]): readonly string[] | undefined {
  return prefix.every((segment, index) => path[index] === segment) ? path.slice(prefix.length) : undefined;
}
