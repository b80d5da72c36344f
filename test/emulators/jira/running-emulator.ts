/** An emulator for one test: started, with accounts of all kinds, closed when the test is over. */
import { type Client, createClient, type SchemaMismatchReport } from 'jira.js/core';
import { onTestFinished } from 'vitest';
import {
  createJiraEmulator,
  type JiraEmulator,
  type JiraEmulatorOptions,
} from '../../../src/emulators/jira/jira-emulator.ts';

export async function runningEmulator(options: Partial<JiraEmulatorOptions> = {}): Promise<JiraEmulator> {
  const jira = createJiraEmulator({
    deployment: 'cloud',
    projects: ['ABC', 'XYZ'],
    accounts: {
      smith: { token: 'writer-secret' },
      reader: { token: 'reader-secret', canEdit: false, canComment: false },
      outsider: { token: 'outsider-secret', projects: ['XYZ'] },
    },
    ...options,
  });
  await jira.start();
  onTestFinished(() => jira.close());
  return jira;
}

export interface Judged {
  /** The real library, by its own means. */
  readonly client: Client;
  /** Where an answer was not what the library's schemas describe. */
  readonly mismatches: readonly SchemaMismatchReport[];
}

export function jiraClient(jira: JiraEmulator, account = 'smith', token = 'writer-secret'): Judged {
  const mismatches: SchemaMismatchReport[] = [];
  const client = createClient({
    host: jira.url,
    auth: { type: 'basic', email: `${account}@example.com`, apiToken: token },
    onSchemaMismatch: (report) => mismatches.push(report),
  });
  return { client, mismatches };
}

export type Ask = (path: string, init?: { method?: string; body?: unknown }) => Promise<Response>;

/** Plain HTTP below the API's base. */
export function ask(jira: JiraEmulator, token = 'writer-secret', account = 'smith'): Ask {
  const isCloud = jira.deployment === 'cloud';
  const authorization = isCloud
    ? `Basic ${Buffer.from(`${account}@example.com:${token}`).toString('base64')}`
    : `Bearer ${token}`;
  return (path, { method = 'GET', body } = {}) =>
    fetch(`${jira.url}/rest/api/${isCloud ? 3 : 2}${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
}
