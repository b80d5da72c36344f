/**
 * The real client library on our transport. Its operations take anything that can `sendRequest`, so ours goes where a
 * deadline, rate limits and redirects are looked after, and answers are described by our own schemas: the library's cover
 * every field of Jira Cloud, and what we do not read need not be right.
 *
 * The library knows Jira Cloud. What it asks of issues and comments is the same on Data Center under version 2 of the API.
 */
import type { Client, SendRequestOptions } from 'jira.js/core';
import type { TicketSource } from '../../domain/ticket.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions, Credential } from '../descriptor.ts';
import type { Session } from '../session.ts';
import { jiraDialect } from './errors.ts';
import { isJiraCloud, jiraSiteUrl } from './source.ts';

/**
 * Loaded with the first project on Jira: it brings a schema for every answer of Jira Cloud, which is more memory than the
 * rest of a replica, and most replicas watch no Jira.
 */
const loadOperations = () => import('jira.js/cloud');

type CloudOperations = Awaited<ReturnType<typeof loadOperations>>;

export interface JiraClient {
  readonly source: TicketSource;
  readonly isCloud: boolean;
  /** What people open: pages of issues are below it. */
  readonly siteUrl: string;
  /** @param name the operation in words, without the site: `comment on ABC-7`. */
  run<T>(name: string, call: Call, work: (jira: JiraSession) => Promise<T>): Promise<T>;
  /** The same for an operation that changes nothing: a search is posted. */
  ask<T>(name: string, call: Call, work: (jira: JiraSession) => Promise<T>): Promise<T>;
  shared<T>(create: () => T): T;
}

export interface JiraSession extends Session {
  /** The library's operations, and what they take. */
  readonly cloud: CloudOperations;
  readonly api: Client;
  /** The parameter that addresses an issue: the library writes it into the path as it is. */
  issue(idOrKey: string): { readonly issueIdOrKey: string };
}

const ISSUE = /^(?:[A-Z][A-Z0-9_]*-\d+|\d+)$/;

/** @throws PlatformError `unsupported` for a credential of another kind, `auth` for one that cannot be right. */
export function createJiraClient(options: ConnectOptions): JiraClient {
  const { source, tickets, credential, transport } = options;
  const isCloud = isJiraCloud(tickets);
  const authorization = authorizationOf(credential, isCloud, `connect ${source.host}`);
  const headers = { accept: 'application/json', authorization, 'user-agent': 'agent-smith' };

  const operations = loadOperations();
  // Told to whoever waits for it; nobody may, for a project that is never looked at.
  operations.catch(() => {});

  const apiOn = ({ fetch, error }: Session): Client => ({
    async sendRequest<T>({ url, method = 'GET', body, searchParams = {} }: SendRequestOptions<T>): Promise<T> {
      const path = isCloud ? url : url.replace('/rest/api/3/', '/rest/api/2/');
      const response = await fetch(`${source.apiUrl}${path}${queryOf(searchParams)}`, {
        method,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      // Unchecked here as it is in the library when a schema does not fit: whoever reads it says what has to be there.
      return (text === '' ? undefined : parsed(text, error)) as T;
    },
  });

  const runOn =
    (changesNothing: boolean) =>
    <T>(name: string, call: Call, work: (jira: JiraSession) => Promise<T>): Promise<T> =>
      transport.run(
        { name: `${name} of ${source.host}`, call, dialect: jiraDialect, changesNothing },
        async (session) =>
          work({
            ...session,
            cloud: await operations,
            api: apiOn(session),
            issue(idOrKey) {
              if (!ISSUE.test(idOrKey)) throw session.error('not-found', 'that is no issue id or key');
              return { issueIdOrKey: idOrKey };
            },
            read(schema, data) {
              const result = schema.safeParse(data);
              if (result.success) return result.data;
              // The first of the problems will do: a list of a hundred wrong things has a hundred.
              const { path = [], message = '' } = result.error.issues[0] ?? {};
              throw session.error('invalid-response', `the answer is not Jira's: ${[...path, message].join(': ')}`);
            },
          }),
      );

  return {
    source,
    isCloud,
    siteUrl: jiraSiteUrl(tickets),
    run: runOn(false),
    ask: runOn(true),
    shared: (create) => transport.shared(create),
  };
}

function authorizationOf(credential: Credential, isCloud: boolean, operation: string): string {
  const refused = (kind: 'auth' | 'unsupported', text: string) =>
    new PlatformError(kind, `${operation}: ${text}`, { effect: 'none' });
  if (!isCloud) {
    if (credential.kind !== 'token')
      throw refused('unsupported', 'Jira Data Center takes a personal access token alone');
    return `Bearer ${credential.token}`;
  }
  if (credential.kind !== 'basic') throw refused('unsupported', 'Jira Cloud takes an email and an API token');
  const { email, token } = credential;
  if (!/^[^@\s:]+@[^@\s:]+$/.test(email)) throw refused('auth', 'the email beside the token is no email address');
  return `Basic ${Buffer.from(`${email}:${token}`).toString('base64')}`;
}

/** Lists are repeated, as Jira takes them everywhere; what is no value is left out. */
function queryOf(parameters: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof item === 'string' || typeof item === 'number' || typeof item === 'boolean')
        query.append(name, `${item}`);
    }
  }
  return query.size === 0 ? '' : `?${query.toString()}`;
}

function parsed(text: string, error: Session['error']): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw error('invalid-response', 'the answer is no JSON', { cause });
  }
}
