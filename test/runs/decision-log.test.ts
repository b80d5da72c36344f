/** Why something happened to a ticket, or why nothing did: written when it changes, bounded, and without ticket text. */
import { expect, test } from 'vitest';
import { openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const never = new AbortController().signal;
const DECISION = { ticket: 't', project: 'api', by: 'claim', outcome: 'not-eligible: closed' };

test('a decision is written when it changes, and not once more while it stays', async () => {
  const { decisions } = await openHouse({ redisUrl: redis.url });
  expect(await decisions.record(DECISION)).toBe(true);
  expect(await decisions.record({ ...DECISION, trigger: 'webhook', detail: 'again' })).toBe(false);
  expect(await decisions.record({ ...DECISION, outcome: 'claimed', run: 'r1' })).toBe(true);
  expect(await decisions.record({ ...DECISION, outcome: 'claimed', run: 'r2' })).toBe(true);
  expect(await decisions.record({ ...DECISION, by: 'repair', outcome: 'claimed', run: 'r2' })).toBe(true);
  expect(await decisions.record(DECISION)).toBe(true);
  expect(await decisions.record({ ...DECISION, ticket: 'other' })).toBe(true);
  expect((await decisions.latest(3)).map(({ ticket, by, outcome }) => [ticket, by, outcome])).toEqual([
    ['other', 'claim', 'not-eligible: closed'],
    ['t', 'claim', 'not-eligible: closed'],
    ['t', 'repair', 'claimed'],
  ]);
});

test('two projects that look at the same ticket in turn do not fill the log', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: (plain) => [plain, { ...plain, name: 'second' }] });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:done'] });
  for (let n = 0; n < 6; n += 1) {
    const project = n % 2 === 0 ? 'api' : 'second';
    await house.claims.claim({ project, ticketId: '1', trigger: 'poll' }, never);
  }
  expect(await redis.client.xlen(house.redis.keys.decisions)).toBe(1);
});

test('outcomes that pass by themselves are not decisions', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const claims = Array.from({ length: 5 }, () =>
    house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never),
  );
  await Promise.all(claims);
  expect((await house.decisions.latest(9)).map(({ outcome }) => outcome)).toEqual(['claimed']);
});

test('the log is capped', async () => {
  const { redis: connection } = await openHouse({ redisUrl: redis.url });
  const { keys } = connection;
  for (let n = 0; n < 1_000; n += 1) {
    await connection.script(
      'record-decision',
      [keys.ticket('t'), keys.decisions],
      [`decision ${n}`, 50, 60_000, 'n', n],
    );
  }
  // Trimmed by whole nodes of 100 entries, which costs next to nothing.
  expect(await redis.client.xlen(keys.decisions)).toBeLessThan(250);
  const [newest] = await redis.client.xrevrange(keys.decisions, '+', '-', 'COUNT', 1);
  expect(newest?.[1]).toEqual(['n', '999']);
});

test('nothing that people wrote into the ticket is in Redis', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { title: 'TICKET-TEXT', body: 'TICKET-TEXT', labels: ['agent-smith'] });
  house.hub.comment(`${REPOSITORY}#1`, 'TICKET-TEXT');
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 422 });
  for (const trigger of ['poll', 'manual'] as const) {
    await house.claims.claim({ project: 'api', ticketId: '1', trigger }, never);
  }
  // Compressed dumps could hide it.
  await redis.client.config('SET', 'rdbcompression', 'no');
  const keys = await redis.client.keys('*');
  const dumps = await Promise.all(keys.map((key) => redis.client.dumpBuffer(key)));
  expect(keys.length).toBeGreaterThan(5);
  expect(dumps.map((dump) => dump?.toString('latin1') ?? '').join(' ')).not.toContain('TICKET-TEXT');
  expect((await house.decisions.latest(9)).map(({ outcome }) => outcome)).toEqual([
    'claimed',
    'failed: invalid-response',
  ]);
});
