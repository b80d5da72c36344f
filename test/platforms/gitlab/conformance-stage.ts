/** GitLab's part of the conformance suite: a project in a nested group, on a server below a path. */
import { createGitLabEmulator } from '../../../src/emulators/gitlab/gitlab-emulator.ts';
import { gitlabProject } from '../../../src/emulators/gitlab/gitlab-project.ts';
import { connectStage, type OpenStage, tokenOf } from '../conformance-stage.ts';

const SECRET = 'glpat-a-secret-of-the-conformance-suite';
const READER = 'glpat-may-only-read';
const PROJECT = 'group/sub/project';
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 'a signing token').toString('base64')}`;

export const openStage: OpenStage = async (transport = {}) => {
  const server = createGitLabEmulator({
    pathPrefix: '/gitlab',
    tokens: {
      smith: { token: SECRET, login: 'smith', access: 'maintainer' },
      reader: { token: READER, login: 'reader', scopes: ['read_api'] },
    },
    projects: [PROJECT, 'group/elsewhere'],
    rateLimit: { limit: 1_000_000 },
    webhooks: { pauseScale: 0 },
  });
  await server.start();
  const credentials = { smith: tokenOf(SECRET), reader: tokenOf(READER), stranger: tokenOf('glpat-nobody-knows-me') };
  const project = gitlabProject(server, PROJECT, SECRET);
  return {
    ...connectStage(project, credentials, transport),
    server,
    project,
    secret: SECRET,
    webhook: { secret: WEBHOOK_SECRET, isSigned: true, showsOpen: true, listsDeliveries: true },
    person: 'octavia',
    pageSize: 100,
    labelRules: { hostile: 'x"&state=all&or[labels][]=y#?page=2 %2B+', caseSensitive: true },
    move: (ticket) => void server.moveIssue(ticket, 'group/elsewhere'),
    afterMove: 'closed',
    rename: () => server.renameProject(PROJECT, 'group/renamed'),
    limit: (limit) => void server.imposePlainLimit({ token: 'smith', times: 1, ...limit }),
    [Symbol.asyncDispose]: () => server.close(),
  };
};
