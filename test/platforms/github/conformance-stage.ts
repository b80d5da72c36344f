/** GitHub's part of the conformance suite. */
import { createGitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import { githubProject } from '../../../src/emulators/github/github-project.ts';
import { connectStage, type OpenStage, tokenOf } from '../conformance-stage.ts';

const SECRET = 'ghp_a-secret-of-the-conformance-suite';
const READER = 'ghp_may-only-read';
const REPOSITORY = 'org/repo';
const WEBHOOK_SECRET = 'a-webhook-secret-of-the-conformance-suite';

export const openStage: OpenStage = async (transport = {}) => {
  const server = createGitHubEmulator({
    tokens: { smith: { token: SECRET, login: 'smith' }, reader: { token: READER, login: 'reader', canPush: false } },
    repositories: [REPOSITORY, 'org/elsewhere'],
    rateLimit: { limit: 1_000_000 },
    webhooks: { pauseScale: 0 },
  });
  await server.start();
  const credentials = { smith: tokenOf(SECRET), reader: tokenOf(READER), stranger: tokenOf('ghp_nobody-knows-me') };
  const project = githubProject(server, REPOSITORY, SECRET);
  return {
    ...connectStage(project, credentials, transport),
    server,
    project,
    secret: SECRET,
    webhook: { secret: WEBHOOK_SECRET, isSigned: true, showsOpen: true, listsDeliveries: true },
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
