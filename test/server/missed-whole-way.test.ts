/** All replicas are down, tickets are labelled, one comes back: real processes, and deliveries as the only way in. */
import { expect, test } from 'vitest';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { markFresh, REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const SECRET = 'a-webhook-secret';

test('tickets that were labelled while every replica was down run once one is back, and everybody can see the gap', {
  timeout: 60_000,
}, async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const port = await freePort();
  const url = hub.pageUrl(REPOSITORY);
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    projects: `
  api:
    tickets: { type: GitHub, url: ${url}, auth: token }
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    sync_policy: webhook_only`,
    yaml: `webhooks: { listen_port: ${port}, public_url: "http://127.0.0.1:${port}" }`,
  });
  const env = { GITHUB_WEBHOOK_SECRET: SECRET };
  const first = await site.start({ env });
  await until('it notes that it listens', () => redis.client.hexists('agentsmith:listening', 'at'));
  await until('it leads', async () => (await redis.client.hlen('agentsmith:missed')) > 0);
  await first.end();
  // As if it had been for longer.
  await redis.client.hincrby('agentsmith:listening', 'at', -252_000);
  hub.addWebhook(REPOSITORY, { url: `http://127.0.0.1:${port}/webhook/github`, secret: SECRET });
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await hub.webhooks.settled();

  const second = await site.start({ env });
  await until('it has run', async () => (await site.ledger()).some(({ event }) => event === 'end'));
  expect(await site.ledger()).toMatchObject([
    { event: 'start', ticket: '1' },
    { event: 'end', ticket: '1' },
  ]);
  const line = await until('the gap is told', () =>
    second.logs.find(({ event, level }) => event === 'missed_deliveries_recovered' && level === 30),
  );
  expect(line).toMatchObject({ project: 'api', notArrived: 0, msg: expect.stringMatching(/^down 4 min .* relevant$/) });
  const { projects } = await until('everybody sees it', async () => {
    const health = await second.health();
    return health.projects[0]?.missed && health;
  });
  expect(projects[0]?.missed).toMatchObject({ down_seconds: expect.any(Number), recovered: line.recovered });
});
