/** From a GitHub `url` to the repository whose issues are watched, on github.com and on GitHub Enterprise. */
import type { TicketSource } from '../../domain/ticket.ts';
import type { SourceProblem, TicketsConfig } from '../descriptor.ts';
import { readTicketNumber } from '../ticket-number.ts';
import { readWebAddress, type WebAddress, writeWebAddress } from '../web-address.ts';

const OWNER = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;
const REPOSITORY = /^[A-Za-z0-9._-]+$/;

/** A repository on github.com (`https://api.github.com`), on `*.ghe.com`, or on an own server (`.../api/v3`). */
export function resolveGitHubSource(tickets: TicketsConfig): TicketSource | SourceProblem {
  if (tickets.url === undefined) return { key: 'url', problem: 'is missing' };
  const address = readWebAddress(tickets.url);
  if ('problem' in address) return { key: 'url', problem: address.problem };
  const [owner, repository, ...rest] = address.segments;
  if (owner === undefined || repository === undefined || rest.length > 0) {
    return { key: 'url', problem: 'must name one repository: https://host/owner/repository' };
  }
  if (!OWNER.test(owner) || !REPOSITORY.test(repository)) {
    return { key: 'url', problem: 'names no valid GitHub owner and repository' };
  }
  const api = tickets.api_url === undefined ? undefined : readWebAddress(tickets.api_url);
  if (api !== undefined && 'problem' in api) return { key: 'api_url', problem: api.problem };
  return {
    platform: 'github',
    host: address.host,
    container: `${owner}/${repository}`,
    apiUrl: api === undefined ? derivedApiUrl(address) : writeWebAddress(api),
  };
}

function derivedApiUrl(address: WebAddress): string {
  if (address.host === 'github.com') return 'https://api.github.com';
  // GitHub Enterprise Cloud with data residency: one subdomain per enterprise, its API beside it.
  if (address.host.endsWith('.ghe.com')) return `https://api.${address.host}`;
  return `${address.scheme}://${address.host}/api/v3`;
}

/** `7`, `#7`, `owner/repository#7` or the URL. */
export function parseGitHubTicketId(
  text: string,
  source: Pick<TicketSource, 'host' | 'container'>,
): string | undefined {
  const number = readTicketNumber(text.trim(), source.container);
  if (number !== undefined) return number;
  const address = readWebAddress(text);
  if ('problem' in address || address.host !== source.host) return undefined;
  const [owner, repository, kind, id, ...rest] = address.segments;
  if (kind !== 'issues' || rest.length > 0 || id === undefined) return undefined;
  return readTicketNumber(`${owner}/${repository}#${id}`, source.container);
}
