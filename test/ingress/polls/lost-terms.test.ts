/** A poller that is not trusted any more while its signal does not say so yet, as after a long pause. */
import { expect, test } from 'vitest';
import { openHouse, REPOSITORY } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { startPolling } from './polling.ts';

const redis = useRedis();

test('begins no claim and no listing: of a cycle under way, only the claims that have begun are finished', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, polling: { intervalMs: 50, jitterPercent: 0 } }],
  });
  for (let n = 0; n < 20; n += 1) house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  let trusted = true;
  const polling = startPolling(house, {
    trusted: () => trusted,
    claim: (request) => {
      trusted = false;
      return house.claims.claim(request, new AbortController().signal);
    },
  });
  const { claimed } = await polling.poll('api', () => true);
  const listings = house.hub.ledger.requests({ method: 'GET', path: /\/issues\?/ }).length;
  // As many as have a slot at once.
  expect(polling.asked.length).toBeLessThanOrEqual(4);
  expect(claimed).toBe(polling.asked.length);
  const looks = polling.looks();
  await until('it has looked twice whether it may', () => polling.looks() > looks + 1);
  expect(house.hub.ledger.requests({ method: 'GET', path: /\/issues\?/ }).length).toBe(listings);
  expect(polling.polls.length).toBe(1);
});
