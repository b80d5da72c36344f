/** Jira's part of the conformance suite, once for each deployment. */
import type { Deployment } from '../../../src/emulators/jira/accounts.ts';
import { createJiraEmulator } from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraProject } from '../../../src/emulators/jira/jira-project.ts';
import type { Credential } from '../../../src/platforms/descriptor.ts';
import type { TransportOptions } from '../../../src/platforms/transport.ts';
import { type ConformanceStage, connectStage, type OpenStage, tokenOf } from '../conformance-stage.ts';

const SECRET = 'ATATT-a-secret-of-the-conformance-suite';
const READER = 'ATATT-may-only-read';
const EMAIL = 'smith@example.com';
const WEBHOOK_SECRET = 'a-webhook-secret-of-the-conformance-suite';
const PAGE_SIZE = 7;

async function openOn(deployment: Deployment, transport: Partial<TransportOptions>): Promise<ConformanceStage> {
  const isCloud = deployment === 'cloud';
  const server = createJiraEmulator({
    deployment,
    ...(isCloud ? {} : { contextPath: '/jira' }),
    accounts: { smith: { token: SECRET, email: EMAIL }, reader: { token: READER, canEdit: false, canComment: false } },
    projects: ['ABC', 'XYZ'],
    pageLimit: PAGE_SIZE,
    webhooks: { pauseScale: 0 },
  });
  await server.start();
  const as = (account: string, token: string): Credential =>
    isCloud ? { kind: 'basic', email: `${account}@example.com`, token } : tokenOf(token);
  const credentials = {
    smith: as('smith', SECRET),
    reader: as('reader', READER),
    stranger: as('stranger', 'ATATT-nobody-knows-me'),
  };
  const project = jiraProject(server, 'ABC', { token: SECRET, ...(isCloud ? { email: EMAIL } : {}) });
  return {
    ...connectStage(project, credentials, transport),
    server,
    project,
    secret: SECRET,
    webhook: { secret: WEBHOOK_SECRET, isSigned: true, showsOpen: true, listsDeliveries: false },
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
