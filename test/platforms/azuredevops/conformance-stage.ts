/** Azure DevOps' part of the conformance suite: an organisation as in the cloud. */
import { createAzureDevOpsEmulator } from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from '../../../src/emulators/azuredevops/azuredevops-project.ts';
import { connectStage, type OpenStage, tokenOf } from '../conformance-stage.ts';

const SECRET = 'a-pat-of-the-conformance-suite-with-52-characters-in-it';
const READER = 'another-pat-which-may-only-read';
const WEBHOOK_SECRET = 'a-webhook-secret: of the conformance suite';
const PROJECT = 'Web Shop';
const ELSEWHERE = 'Back Office';

const ORGANIZATION = 'org';

export const openStage: OpenStage = async (transport = {}) => {
  const server = createAzureDevOpsEmulator({
    tokens: { smith: { token: SECRET }, reader: { token: READER, scope: 'read' } },
    collections: { [ORGANIZATION]: [PROJECT, ELSEWHERE] },
    webhooks: { pauseScale: 0 },
  });
  await server.start();
  const credentials = { smith: tokenOf(SECRET), reader: tokenOf(READER), stranger: tokenOf('a-pat-that-nobody-knows') };
  const project = azureDevOpsProject(server, { organization: ORGANIZATION, project: PROJECT }, SECRET);
  return {
    ...connectStage(project, credentials, transport),
    server,
    project,
    secret: SECRET,
    webhook: { secret: WEBHOOK_SECRET, isSigned: false, showsOpen: false, listsDeliveries: true },
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
