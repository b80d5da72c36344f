/** The platform pass and the API budget: it gives way to work on tickets, and is not lost. */
import { expect, test } from 'vitest';
import { createRateLimits } from '../../src/platforms/rate-limits.ts';
import { FAST, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { movableClock } from '../support/movable-clock.ts';
import { useRedis } from '../support/redis.ts';
import { openPlatformPass } from './platform-passes.ts';
import { termOf } from './terms.ts';

const redis = useRedis();

test('a pass that is held back at the reserve goes on from there when the window is new, and comes to its end', async () => {
  const time = movableClock();
  const house = await openHouse({ redisUrl: redis.url, limits: createRateLimits(time.clock) });
  const { hub } = house;
  const tickets = Array.from(
    { length: 120 },
    () => hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:in-progress'] }).ticket,
  );
  const pass = openPlatformPass(
    {
      ...house,
      catalog: () => house.catalog,
      platformOf: () => house.platform,
      recoveringMs: () => 0,
      mayAdopt: () => true,
      log: silentLog,
      onRepair: async () => {},
    },
    { ...FAST, listingDeadlineMs: 20_000, claimCallMs: 8_000, secondReadMs: 1 },
  );
  const term = termOf();
  const claimed = (): number =>
    tickets.filter((ticket) => hub.issue(ticket).labels.includes('agent-smith:enqueued')).length;
  const pages = (): string[] =>
    hub.ledger
      .requests({ path: /issues\?.*in-progress/ })
      .map(({ path }) => new URL(path, hub.url).searchParams.get('page') ?? '1');

  // Enough for the other label and for the first of two pages.
  hub.rateLimits.set('bot', { limit: 10_000, remaining: 1_002, resetAtMs: Date.now() + 600_000 });
  await pass(term);
  expect(pages()).toEqual(['1']);
  const spent = hub.ledger.requests().length;
  await pass(term);
  expect(hub.ledger.requests()).toHaveLength(spent);

  // Its end is told in whole seconds, rounded up.
  time.pass(602_000);
  hub.rateLimits.set('bot', { limit: 10_000, remaining: 10_000, resetAtMs: Date.now() + 3_600_000 });
  // What was still to be listed, then what was listed and could not be looked at.
  await pass(term);
  expect(pages()).toEqual(['1', '2']);
  expect(claimed()).toBe(20);
  await pass(term);
  expect(claimed()).toBe(120);
});
