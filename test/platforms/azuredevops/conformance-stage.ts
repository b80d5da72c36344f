/** Azure DevOps' part of the conformance suite: an organisation as in the cloud. */
import { createAzureDevOpsEmulator } from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from '../../../src/emulators/azuredevops/azuredevops-project.ts';
import { connectAzureDevOps } from '../../../src/platforms/azuredevops/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';
import type { OpenStage } from '../conformance-stage.ts';

const SECRET = 'a-pat-of-the-conformance-suite-with-52-characters-in-it';
const READER = 'another-pat-which-may-only-read';
const PROJECT = 'Web Shop';
const ELSEWHERE = 'Back Office';

const ORGANIZATION = 'org';

export const openStage: OpenStage = async (transport = {}) => {
  const server = createAzureDevOpsEmulator({
    tokens: { smith: { token: SECRET }, reader: { token: READER, scope: 'read' } },
    collections: { [ORGANIZATION]: [PROJECT, ELSEWHERE] },
  });
  await server.start();
  const project = azureDevOpsProject(server, { organization: ORGANIZATION, project: PROJECT }, SECRET);
  const { source, tickets } = watch(project);
  const connect = (credentialId: string, token: string, options = {}) =>
    connectAzureDevOps({
      source,
      tickets,
      credential: { kind: 'token', token },
      transport: createTransport({ credentialId, origin: source.apiUrl, ...options }),
    });
  return {
    server,
    project,
    platform: connect('smith', SECRET, transport),
    secret: SECRET,
    reader: connect('reader', READER),
    stranger: connect('stranger', 'a-pat-that-nobody-knows'),
    person: 'octavia@example.com',
    pageSize: 200,
    labelRules: { hostile: "x') OR 1=1 OR [System.Title] <> ''", caseSensitive: false },
    move: (ticket) => server.moveWorkItem(ticket, ELSEWHERE),
    afterMove: 'other-scope',
    rename: () => server.renameProject(ORGANIZATION, PROJECT, 'Renamed Shop'),
    limit: (limit) => void server.block({ token: 'smith', times: 1, ...limit }),
    [Symbol.asyncDispose]: () => server.close(),
  };
};
