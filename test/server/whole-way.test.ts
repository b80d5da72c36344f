import { expect, test } from 'vitest';
import { REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const SAYS = `printf '{"summary":"Fixed @alice.","links":[{"title":"Log","url":"https://ci.corp/7"}]}' >"$AGENTSMITH_RESULT_FILE"`;

test('a labelled ticket goes all the way to done, once, on two replicas', async () => {
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: redis.url, work: SAYS });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'bug'] }).ticket;
  await Promise.all([site.start(), site.start()]);
  await until('the ticket is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  await until('one lifecycle label is left', () => hub.issue(ticket).labels.length === 3);

  expect(hub.issue(ticket).labels).toEqual(['agent-smith', 'bug', 'agent-smith:done']);
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
  expect((await site.ledger()).map(({ event }) => event)).toEqual(['start', 'end']);
  await until('the closing comment is there', () => hub.issue(ticket).comments.length === 1);
  expect(hub.issue(ticket).comments[0]?.body).toContain(
    'It says:\n\n```\nFixed @alice.\n```\n\n- `Log` <https://ci.corp/7>',
  );
});
