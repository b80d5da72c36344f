/** Real replicas on one credential: what one of them is told all of them obey and show. */
import { expect, onTestFinished, test } from 'vitest';
import { createGitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { markFresh, REPOSITORY, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite, type Replica } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const OTHER = 'org/other';
const OTHER_TOKEN = 'ghp_another-secret-of-the-tests';
const WAIT_SECONDS = 3;

interface Budget {
  readonly credential: string;
  readonly limit?: number;
  readonly held_for_seconds: number;
}

const healthOf = async (replica: Replica) =>
  (await replica.health()) as Awaited<ReturnType<Replica['health']>> & { readonly budgets: readonly Budget[] };

test('a limited credential is left alone by every replica until the time named, shown by every one, and the other goes on', async () => {
  await markFresh(redis.url);
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot' }, other: { token: OTHER_TOKEN, login: 'other-bot' } },
    repositories: [REPOSITORY, OTHER],
    rateLimit: { limit: 1_000_000 },
  });
  await hub.start();
  onTestFinished(() => hub.close());
  const project = (name: string, repository: string, auth: string): string => `
  ${name}:
    source: { type: GitHub, url: ${hub.pageUrl(repository)} }
    tickets: { type: GitHub, url: ${hub.pageUrl(repository)}, auth: ${auth} }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }`;
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    projects: project('api', REPOSITORY, 'token') + project('other', OTHER, "{ token: '${OTHER_TOKEN}' }"),
  });
  const options = { env: { OTHER_TOKEN } };
  const replicas = await Promise.all([site.start(options), site.start(options)]);

  const views = await until('both show the last polls and the budgets', async () => {
    const seen = await Promise.all(replicas.map(healthOf));
    const complete = seen.every(
      ({ projects, budgets }) =>
        projects.every(({ last_poll }) => last_poll !== undefined) && budgets.every(({ limit }) => limit !== undefined),
    );
    return complete ? seen : undefined;
  });
  const holder = views[0]?.roles.find(({ role }) => role === 'poller')?.holder;
  for (const { projects } of views) {
    for (const { last_poll } of projects) expect(last_poll).toMatchObject({ by: holder, result: 'ok' });
  }

  hub.imposeSecondaryLimit({ token: 'bot', retryAfterSeconds: WAIT_SECONDS, times: 1 });
  const refused = await hub.ledger.waitFor((entry) => entry.kind === 'request' && entry.status === 403);
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await Promise.all(
    replicas.map((replica) =>
      until('it shows the wait', async () =>
        (await healthOf(replica)).budgets.some(({ held_for_seconds }) => held_for_seconds > 0),
      ),
    ),
  );
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  const sinceRefusal = (token: string): number[] =>
    hub.ledger
      .requests({ token })
      .filter(({ seq }) => seq > refused.seq)
      .map(({ atMs }) => atMs - refused.atMs);
  expect(Math.min(...sinceRefusal('bot'))).toBeGreaterThanOrEqual(WAIT_SECONDS * 1000);
  expect(sinceRefusal('other').some((afterMs) => afterMs < WAIT_SECONDS * 1000)).toBe(true);
});
