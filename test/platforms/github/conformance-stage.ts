/** GitHub's part of the conformance suite. */
import { createGitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import { githubProject } from '../../../src/emulators/github/github-project.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';
import type { OpenStage } from '../conformance-stage.ts';

const SECRET = 'ghp_a-secret-of-the-conformance-suite';
const READER = 'ghp_may-only-read';
const REPOSITORY = 'org/repo';

export const openStage: OpenStage = async (transport = {}) => {
  const server = createGitHubEmulator({
    tokens: { smith: { token: SECRET, login: 'smith' }, reader: { token: READER, login: 'reader', canPush: false } },
    repositories: [REPOSITORY, 'org/elsewhere'],
    rateLimit: { limit: 1_000_000 },
  });
  await server.start();
  const project = githubProject(server, REPOSITORY, SECRET);
  const { source } = watch(project);
  const connect = (credentialId: string, token: string, options = {}) =>
    connectGitHub({
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
    stranger: connect('stranger', 'ghp_nobody-knows-me'),
    person: 'octavia',
    pageSize: 100,
    labelRules: { hostile: 'x" OR label:"y&state=all#?page=2', caseSensitive: false },
    move: (ticket) => void server.transferIssue(ticket, 'org/elsewhere'),
    afterMove: 'not-found',
    rename: () => server.renameRepository(REPOSITORY, 'org/renamed'),
    limit: (limit) => void server.imposeSecondaryLimit({ token: 'smith', times: 1, ...limit }),
    notATicket() {
      const { number, isPullRequest: _, ...pull } = server.openIssue(REPOSITORY, { isPullRequest: true });
      return { ...pull, id: String(number) };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
};
