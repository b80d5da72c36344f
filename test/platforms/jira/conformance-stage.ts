/** Jira's part of the conformance suite, once for each deployment. */
import type { Deployment } from '../../../src/emulators/jira/accounts.ts';
import { createJiraEmulator } from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraProject } from '../../../src/emulators/jira/jira-project.ts';
import type { Credential } from '../../../src/platforms/descriptor.ts';
import { connectJira } from '../../../src/platforms/jira/adapter.ts';
import { createTransport, type TransportOptions } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';
import type { ConformanceStage, OpenStage } from '../conformance-stage.ts';

const SECRET = 'ATATT-a-secret-of-the-conformance-suite';
const READER = 'ATATT-may-only-read';
const EMAIL = 'smith@example.com';
const PAGE_SIZE = 7;

async function openOn(deployment: Deployment, transport: Partial<TransportOptions>): Promise<ConformanceStage> {
  const isCloud = deployment === 'cloud';
  const server = createJiraEmulator({
    deployment,
    ...(isCloud ? {} : { contextPath: '/jira' }),
    accounts: { smith: { token: SECRET, email: EMAIL }, reader: { token: READER, canEdit: false, canComment: false } },
    projects: ['ABC', 'XYZ'],
    pageLimit: PAGE_SIZE,
  });
  await server.start();
  const project = jiraProject(server, 'ABC', { token: SECRET, ...(isCloud ? { email: EMAIL } : {}) });
  const { source, tickets } = watch(project);
  const connect = (account: string, token: string, options: Partial<TransportOptions> = {}) => {
    const email = `${account}@example.com`;
    const credential: Credential = isCloud ? { kind: 'basic', email, token } : { kind: 'token', token };
    return connectJira({
      source,
      tickets,
      credential,
      transport: createTransport({ credentialId: account, origin: source.apiUrl, ...options }),
    });
  };
  return {
    server,
    project,
    platform: connect('smith', SECRET, transport),
    secret: SECRET,
    reader: connect('reader', READER),
    stranger: connect('stranger', 'ATATT-nobody-knows-me'),
    person: 'octavia',
    pageSize: PAGE_SIZE,
    labelRules: { hostile: 'x")\\OR(labels="y', caseSensitive: true },
    move: (ticket) => void server.moveIssue(ticket, 'XYZ'),
    afterMove: 'other-scope',
    rename: () => server.renameProject('ABC', 'RENAMED'),
    limit: (limit) => void server.imposeLimit({ reason: 'jira-burst-based', account: 'smith', times: 1, ...limit }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

export const openStage: OpenStage = (transport = {}) => openOn('cloud', transport);

export const openDataCenterStage: OpenStage = (transport = {}) => openOn('data_center', transport);
