import { expect, test } from 'vitest';
import { markFresh, REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();

test('a ticket that asks for run after run is a finding, and a Redis that forgets is another', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: redis.url, yaml: 'runs: { max_per_ticket_per_day: 1 }' });
  const replica = await site.start();
  const { ticket } = hub.openIssue(REPOSITORY, { title: 'a title that nobody shall see', labels: ['agent-smith'] });
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  await until('its label is confirmed', async () => (await redis.client.zcard('agentsmith:runs:unconfirmed')) === 0);
  hub.removeLabel(ticket, 'agent-smith:done');

  const findings = await until('the limit is told', async () => {
    const all = (await replica.health()).findings;
    return all.some(({ code }) => code === 'too-many-runs') ? all : undefined;
  });
  expect(findings.map(({ code }) => code)).toContain('redis-forgets');
  expect(JSON.stringify(findings)).not.toContain('a title that nobody');
  expect((await site.ledger()).filter(({ event }) => event === 'start')).toHaveLength(1);
});
