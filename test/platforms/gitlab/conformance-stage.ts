/** GitLab's part of the conformance suite: a project in a nested group, on a server below a path. */
import { createGitLabEmulator } from '../../../src/emulators/gitlab/gitlab-emulator.ts';
import { gitlabProject } from '../../../src/emulators/gitlab/gitlab-project.ts';
import { connectGitLab } from '../../../src/platforms/gitlab/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';
import type { OpenStage } from '../conformance-stage.ts';

const SECRET = 'glpat-a-secret-of-the-conformance-suite';
const READER = 'glpat-may-only-read';
const PROJECT = 'group/sub/project';

export const openStage: OpenStage = async (transport = {}) => {
  const server = createGitLabEmulator({
    pathPrefix: '/gitlab',
    tokens: {
      smith: { token: SECRET, login: 'smith' },
      reader: { token: READER, login: 'reader', scopes: ['read_api'] },
    },
    projects: [PROJECT, 'group/elsewhere'],
    rateLimit: { limit: 1_000_000 },
  });
  await server.start();
  const project = gitlabProject(server, PROJECT, SECRET);
  const { source } = watch(project);
  const connect = (credentialId: string, token: string, options = {}) =>
    connectGitLab({
      source,
      credential: { kind: 'token', token },
      transport: createTransport({ credentialId, origin: source.apiUrl, ...options }),
    });
  return {
    server,
    project,
    platform: connect('smith', SECRET, transport),
    secret: SECRET,
    reader: connect('reader', READER),
    stranger: connect('stranger', 'glpat-nobody-knows-me'),
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
