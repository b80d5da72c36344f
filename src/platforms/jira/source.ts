/** From a Jira `url` to the site (issue ids are unique in it) and the project key that narrows the listings. */
import type { TicketSource } from '../../domain/ticket.ts';
import type { SourceProblem, TicketsConfig } from '../descriptor.ts';
import { readWebAddress, type WebAddress, writeWebAddress } from '../web-address.ts';

/** First segments of Jira's own pages: what stands before them on an own server is its context path. */
const PAGES = new Set(['browse', 'projects', 'issues', 'secure', 'plugins', 'rest']);
const CLOUD_HOST = /\.atlassian\.net$/;
/** An issue's id, which is its ticket's. */
export const ISSUE_ID = /^[1-9]\d{0,18}$/;
const ISSUE_KEY = /^([A-Z][A-Z0-9_]+)-[1-9]\d*$/;

export function resolveJiraSource(tickets: TicketsConfig): TicketSource | SourceProblem {
  if (tickets.url === undefined) return { key: 'url', problem: 'is missing' };
  const address = readWebAddress(tickets.url);
  if ('problem' in address) return { key: 'url', problem: address.problem };
  const api = tickets.api_url === undefined ? undefined : readWebAddress(tickets.api_url);
  if (api !== undefined && 'problem' in api) return { key: 'api_url', problem: api.problem };
  const site = siteOf(address);
  return {
    platform: 'jira',
    // Two sites may live on one server, told apart by their context path: it belongs to the name of the site.
    host: nameOf(site),
    container: '',
    apiUrl: writeWebAddress(api ?? site),
    ...(typeof tickets.project === 'string' ? { scope: tickets.project.toUpperCase() } : {}),
  };
}

/** Cloud asks for an account's email beside the token; Data Center takes a token alone. */
export function isJiraCloud(tickets: TicketsConfig): boolean {
  if (tickets.deployment !== undefined) return tickets.deployment === 'cloud';
  const address = readWebAddress(tickets.url ?? '');
  return !('problem' in address) && CLOUD_HOST.test(address.host);
}

/** What people open, without a page of it: `https://corp.example/jira`. */
export function jiraSiteUrl(tickets: TicketsConfig): string {
  const address = readWebAddress(tickets.url ?? '');
  if ('problem' in address) throw new TypeError(`tickets.url ${address.problem}`);
  return writeWebAddress(siteOf(address));
}

/** The site of any address on it, the API's too, as `TicketSource.host` names it; undefined for what is no address. */
export function jiraSiteName(text: string): string | undefined {
  const address = readWebAddress(text);
  return 'problem' in address ? undefined : nameOf(siteOf(address));
}

/** A numeric id, a key such as `ABC-7` of this project, or the issue's URL. */
export function parseJiraTicketId(text: string, source: TicketSource): string | undefined {
  const plain = readIssue(text.trim(), source);
  if (plain !== undefined) return plain;
  const address = readWebAddress(text);
  if ('problem' in address) return undefined;
  const site = siteOf(address);
  const [page, key, ...rest] = address.segments.slice(site.segments.length);
  if (nameOf(site) !== source.host || page !== 'browse' || rest.length > 0) return undefined;
  return key === undefined ? undefined : readIssue(key, source);
}

function readIssue(text: string, source: TicketSource): string | undefined {
  if (ISSUE_ID.test(text)) return text;
  const [key, project] = ISSUE_KEY.exec(text.toUpperCase()) ?? [];
  return source.scope === undefined || project === source.scope ? key : undefined;
}

function siteOf(address: WebAddress): WebAddress {
  if (CLOUD_HOST.test(address.host)) return { ...address, segments: [] };
  const pages = address.segments.findIndex((segment) => PAGES.has(segment.toLowerCase()));
  return pages === -1 ? address : { ...address, segments: address.segments.slice(0, pages) };
}

function nameOf(site: WebAddress): string {
  return [site.host, ...site.segments].join('/').toLowerCase();
}
