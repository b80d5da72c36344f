/**
 * From an Azure DevOps `url` to an organisation (work item ids are unique in it, and survive a move between projects)
 * and the team project that narrows the listings. `org.visualstudio.com` is the old name of `dev.azure.com/org`; on an
 * own server the collection, with the path before it, takes the place of the organisation.
 */
import type { TicketSource } from '../../domain/ticket.ts';
import type { SourceProblem, TicketsConfig } from '../descriptor.ts';
import { readTicketNumber } from '../ticket-number.ts';
import { readWebAddress, type WebAddress, writeWebAddress } from '../web-address.ts';

const CLOUD = 'dev.azure.com';
const OLD_CLOUD = /^([a-z0-9][a-z0-9-]*)\.visualstudio\.com$/;
const SSH_CLOUD = 'ssh.dev.azure.com';

/** Where the collection is, and what of the address names the project. */
interface Place {
  readonly collection: WebAddress;
  readonly project?: string;
}

export function resolveAzureDevOpsSource(tickets: TicketsConfig): TicketSource | SourceProblem {
  const organization = textOf(tickets.organization);
  const api = tickets.api_url === undefined ? undefined : readPages(tickets.api_url);
  if (api !== undefined && 'problem' in api) return { key: 'api_url', problem: api.problem };
  const place = tickets.url === undefined ? placeWithoutUrl(organization, api) : placeOf(tickets.url, tickets, api);
  if ('problem' in place) return place;

  const { collection } = place;
  if (collection.segments.length === 0) return { key: 'url', problem: 'names no organisation: use organization' };
  const container = collection.segments.join('/');
  if (organization !== undefined && !sameName(organization, container)) {
    return { key: 'organization', problem: 'is not the organisation that url names' };
  }
  const project = textOf(tickets.project);
  if (project !== undefined && place.project !== undefined && !sameName(project, place.project)) {
    return { key: 'project', problem: 'is not the project that url names' };
  }
  const scope = project ?? place.project;
  if (scope === undefined) return { key: 'project', problem: 'is missing, and url names no project' };
  const apiUrl = writeWebAddress(api ?? collection);
  return { platform: 'azuredevops', host: collection.host, container, apiUrl, scope };
}

/** `7`, `#7`, `AB#7` (the platform's own notation) or the work item's URL. */
export function parseAzureDevOpsTicketId(text: string, source: TicketSource): string | undefined {
  const number = readTicketNumber(text.trim(), source.container) ?? readTicketNumber(text.trim(), 'AB');
  if (number !== undefined) return number;
  const address = readWebAddress(text, { userName: true });
  if ('problem' in address) return undefined;
  const folded = foldAlias(address);
  const pages = folded.segments.findIndex((segment) => segment.startsWith('_'));
  const [kind, verb, id, ...rest] = folded.segments.slice(pages);
  if (pages === -1 || kind !== '_workitems' || verb !== 'edit' || id === undefined || rest.length > 0) return undefined;
  const container = folded.segments.slice(0, source.container.split('/').length).join('/');
  return folded.host === source.host ? readTicketNumber(`${container}#${id}`, source.container) : undefined;
}

/**
 * The organisation or collection behind an address that the platform itself gives: its own, or one of its API, where a
 * project (a name or an id among `projects`) may stand between the two.
 */
export function readCollection(url: string, projects: readonly (string | undefined)[]): WebAddress | undefined {
  const address = readPages(url);
  if ('problem' in address) return undefined;
  const last = address.segments.at(-1) ?? '';
  const hasProject = address.segments.length > 1 && projects.some((project) => sameName(project ?? '', last));
  const depth = address.host === CLOUD ? 1 : address.segments.length - (hasProject ? 1 : 0);
  return { ...address, segments: address.segments.slice(0, depth) };
}

function placeWithoutUrl(organization: string | undefined, api: WebAddress | undefined): Place | SourceProblem {
  if (api !== undefined) return { collection: api };
  if (organization === undefined) return { key: 'url', problem: 'is missing: give url, or organization and project' };
  return { collection: { scheme: 'https', host: CLOUD, segments: [organization] } };
}

function placeOf(url: string, tickets: TicketsConfig, api: WebAddress | undefined): Place | SourceProblem {
  const address = readPages(url);
  if ('problem' in address) return { key: 'url', problem: address.problem };
  const depth = collectionDepth(address, textOf(tickets.project), api);
  if (address.segments.length > depth + 1) return { key: 'url', problem: 'must end with the project' };
  const project = address.segments[depth];
  return {
    collection: { ...address, segments: address.segments.slice(0, depth) },
    ...(project === undefined ? {} : { project }),
  };
}

/**
 * How many segments name the organisation or collection: one in the cloud; on a server what `api_url` says, otherwise
 * everything before the project, which is the last segment unless `project` says that it is not there.
 */
function collectionDepth(address: WebAddress, project: string | undefined, api: WebAddress | undefined): number {
  const { host, segments } = address;
  if (host === CLOUD) return 1;
  if (api !== undefined && api.host === host && startsWith(segments, api.segments)) return api.segments.length;
  const endsWithProject = project === undefined || sameName(segments.at(-1) ?? '', project);
  return Math.max(1, endsWithProject ? segments.length - 1 : segments.length);
}

/** The address without the pages below a project (`_git/repo`, `_workitems`, `_boards`), aliases folded. */
function readPages(url: string): WebAddress | { problem: string } {
  const address = readWebAddress(url, { userName: true });
  if ('problem' in address) return address;
  const folded = foldAlias(address);
  const pages = folded.segments.findIndex((segment) => segment.startsWith('_'));
  return pages === -1 ? folded : { ...folded, segments: folded.segments.slice(0, pages) };
}

function foldAlias(address: WebAddress): WebAddress {
  if (address.host === SSH_CLOUD) {
    // git@ssh.dev.azure.com:v3/org/project/repo
    return { scheme: 'https', host: CLOUD, segments: address.segments.slice(1, 3) };
  }
  const organization = OLD_CLOUD.exec(address.host)?.[1];
  if (organization === undefined) return address;
  const segments = address.segments.filter((segment, index) => index > 0 || !sameName(segment, 'DefaultCollection'));
  return { scheme: 'https', host: CLOUD, segments: [organization, ...segments] };
}

function startsWith(segments: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((segment, index) => sameName(segment, segments[index] ?? ''));
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
