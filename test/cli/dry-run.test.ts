/** `agent-smith server --dry-run`: a process that polls, says what it would claim, and writes nothing anywhere. */
import { expect, test } from 'vitest';
import { markFresh, REPOSITORY, startHub } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();

test('it polls again and again, says each ticket once, and leaves platform and Redis as they were', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  hub.openIssue(REPOSITORY, { labels: ['agent-smith:pending', 'agent-smith:done'] });
  const before = await dumpOf(redis.client);
  const site = await openSite({ hub, redisUrl: redis.url });
  const replica = await site.start({ args: ['--dry-run'] });
  const said = (message: string) => replica.logs.filter(({ msg }) => msg === message);
  await until('a ticket would be claimed', () => said('would claim').length > 0);
  const listings = () => hub.ledger.requests({ operation: 'issues/list-for-repo' }).length;
  const seen = listings();
  await until('it has polled twice more', () => listings() >= seen + 4);

  expect(said('would claim')).toMatchObject([{ project: 'api', pipeline: 'fix-bug', outcome: 'would-claim' }]);
  expect(said('would not claim')).toMatchObject([{ outcome: 'not-eligible: done', why: expect.any(String) }]);
  const health = await replica.health();
  expect(health.subsystems.find(({ name }) => name === 'queue_consumer')).toMatchObject({
    state: 'disabled',
    reason: 'dry run',
  });
  expect(health.projects[0]?.last_poll).toMatchObject({ result: 'ok', claimed: 0 });
  expect(health.findings.map(({ code }) => code)).toContain('dry-run');
  expect((await replica.ready()).code).toBe(503);
  expect(await replica.end()).toMatchObject({ code: 0 });

  expect(hub.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(await dumpOf(redis.client)).toEqual(before);
  expect(await site.ledger()).toEqual([]);
});

test('without Redis it does the same, and a ticket that comes later is told of', async () => {
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: undefined });
  const replica = await site.start({ args: ['--dry-run'] });
  await until('the first poll', () => hub.ledger.requests().length > 0);
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until('it is told of', () => replica.logs.some(({ msg }) => msg === 'would claim'));
  expect(hub.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(await replica.end()).toMatchObject({ code: 0 });
});
