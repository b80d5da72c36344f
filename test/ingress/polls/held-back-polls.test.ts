/** Polls and the API budget: looking for tickets gives way to work on them, and nobody knocks at a closed door. */
import { expect, test } from 'vitest';
import type { Project } from '../../../src/domain/project.ts';
import { openHouse, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { startPolling } from './polling.ts';

const redis = useRedis();

const many = (count: number) => (plain: Project) =>
  Array.from({ length: count }, (_, i) => ({
    ...plain,
    name: `api-${i}`,
    polling: { intervalMs: 100, jitterPercent: 0 },
  }));
const inTenMinutes = (): number => Date.now() + 600_000;

test('a budget that is down to its reserve: no listing is sent, no failure is counted, and a claim still goes through', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: many(20) });
  const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  house.hub.rateLimits.set('bot', { limit: 1_000, remaining: 101, resetAtMs: inTenMinutes() });
  // Somebody's work shows how much is left.
  await house.platform.readTicket(String(number), {
    purpose: 'attempt',
    deadlineMs: 5_000,
    signal: AbortSignal.timeout(5_000),
  });
  const before = house.hub.ledger.requests().length;
  const polling = startPolling(house);
  await until('each was to be polled', () => polling.pollers.results().size === 20);
  expect(house.hub.ledger.requests()).toHaveLength(before);
  for (const poll of polling.polls) {
    expect(poll).toMatchObject({ result: 'rate-limited', heldBack: true, requests: 0 });
    // They wait for the new window and do not ask again and again.
    expect(poll.effectiveIntervalMs).toBe(poll.retryAfterMs);
    expect(poll.retryAfterMs).toBeGreaterThan(590_000);
  }
  expect(house.findings.all()).toEqual([]);

  const request = { project: 'api-0', ticketId: String(number), trigger: 'manual' } as const;
  expect(await house.claims.claim(request, AbortSignal.timeout(10_000))).toMatchObject({ kind: 'claimed' });
  expect(polling.polls).toHaveLength(20);
});

test('many projects that begin at once on one credential stop together at its reserve', async () => {
  const hub = await startHub();
  const house = await openHouse({
    redisUrl: redis.url,
    hub,
    projects: (plain) =>
      many(300)(plain).map((project) => {
        const container = `org/${project.name}`;
        hub.addRepository(container);
        return { ...project, source: { ...project.source, container } };
      }),
  });
  house.hub.rateLimits.set('bot', { limit: 1_000, remaining: 160, resetAtMs: inTenMinutes() });
  const polling = startPolling(house);
  await until('each was to be polled', () => polling.pollers.results().size === 300);
  // What was on the wire when the reserve was reached cannot be called back: one request in each of eight slots.
  expect(house.hub.rateLimits.window('bot').remaining).toBeGreaterThanOrEqual(100 - 8);
  const last = [...polling.pollers.results().values()];
  expect(last.filter(({ heldBack }) => heldBack).length).toBeGreaterThan(250);
});

test('a budget that runs out too fast stretches the polls, and every poll says by how much and what it cost', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: many(1) });
  // The whole hour is still to come, and a quarter of what is above the reserve is left.
  house.hub.rateLimits.set('bot', { limit: 1_000, remaining: 325, resetAtMs: Date.now() + 3_600_000 });
  const polling = startPolling(house);
  const { effectiveIntervalMs, requests } = await polling.poll('api-0', ({ result }) => result === 'ok');
  expect(effectiveIntervalMs).toBeGreaterThan(350);
  expect(effectiveIntervalMs).toBeLessThan(400);
  // Two listings, and the preparation of five labels.
  expect(requests).toBe(house.hub.ledger.requests().length);
});

test('a real refusal for the rate is a failure and is told as one', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: many(1) });
  const limit = { 'retry-after': '0.05' };
  house.hub.faults.inject({ path: /issues\?/ }, { kind: 'answer', status: 429, headers: limit });
  const polling = startPolling(house);
  const finding = await until('it is a finding', () => house.findings.all()[0]);
  expect(finding).toMatchObject({ code: 'poll-failing' });
  const poll = await polling.poll('api-0', ({ heldBack }) => !heldBack);
  expect(poll).toMatchObject({ result: 'rate-limited', retryAfterMs: 50 });
});
