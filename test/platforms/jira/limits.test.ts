import { expect, test } from 'vitest';
import { createRateLimits } from '../../../src/platforms/rate-limits.ts';
import { movableClock } from '../../support/movable-clock.ts';
import { callOf, failure, read } from '../conformance/calls.ts';
import { connected, TOKEN } from './connected.ts';

test('too many writes to one issue hold back those alone', async () => {
  await using at = await connected();
  const [one, other] = [at.site.openIssue('ABC'), at.site.openIssue('ABC')];
  const [first, second] = [await read(at.jira, one.id), await read(at.jira, other.id)];
  at.site.imposeLimit({ reason: 'jira-per-issue-on-write', method: 'PUT', retryAfterSeconds: 30, times: 1 });
  const move = () => at.jira.moveLifecycle(first, 'enqueued', callOf({ purpose: 'label' }));
  expect(await failure(move(), TOKEN)).toMatchObject({ kind: 'rate-limited', retryAfterMs: 30_000, effect: 'none' });
  const asked = at.site.ledger.requests().length;
  expect(await failure(move(), TOKEN)).toMatchObject({ kind: 'rate-limited' });
  expect(at.site.ledger.requests()).toHaveLength(asked);
  expect(await at.jira.moveLifecycle(second, 'enqueued', callOf())).toEqual(['agent-smith:enqueued']);
  expect(await read(at.jira, one.id)).toMatchObject({ labels: [] });
});

test.each(['jira-burst-based', 'jira-quota-global-based', 'jira-quota-tenant-based'] as const)(
  '%s holds back the credential until the reset',
  async (reason) => {
    const time = movableClock();
    await using at = await connected({ nowMs: () => Date.parse('2026-11-20T10:00:00Z') });
    const jira = at.connect({ transport: { limits: createRateLimits(time.clock) } });
    const { id } = at.site.openIssue('ABC');
    at.site.imposeLimit({ reason, resetInSeconds: 120, times: 1 });
    expect(await failure(read(jira, id), TOKEN)).toMatchObject({ kind: 'rate-limited', retryAfterMs: 120_000 });
    time.pass(119_000);
    expect(await failure(jira.checkAccess(callOf()), TOKEN)).toMatchObject({ kind: 'rate-limited' });
    time.pass(1_001);
    expect(await read(jira, id)).toMatchObject({ id });
    expect(at.site.ledger.requests()).toHaveLength(2);
  },
);

test('an outage with a time is waited for like a limit', async () => {
  await using at = await connected();
  const { id } = at.site.openIssue('ABC');
  at.site.imposeLimit({ status: 503, retryAfterSeconds: 9, times: 1 });
  expect(await failure(read(at.jira, id), TOKEN)).toMatchObject({ kind: 'unavailable', retryAfterMs: 9_000 });
  expect(await failure(read(at.jira, id), TOKEN)).toMatchObject({ kind: 'rate-limited' });
});

test('Data Center: Retry-After 0 is no wait, an empty bucket is one until the next batch', async () => {
  const time = movableClock();
  const limits = createRateLimits(time.clock);
  let nowMs = Date.parse('2026-11-20T10:00:00Z');
  await using at = await connected({
    deployment: 'data_center',
    tokenBuckets: { limit: 20, fillRate: 5, intervalSeconds: 60 },
    nowMs: () => nowMs,
  });
  const jira = at.connect({ transport: { limits } });
  const { id } = at.site.openIssue('ABC');
  await read(jira, id);
  expect(limits.budget()).toMatchObject({ heldMs: 0, window: { limit: 20, remaining: 19, windowMs: 60_000 } });
  at.site.tokenBuckets.set('smith', 0);
  expect(await failure(read(jira, id), TOKEN)).toMatchObject({ kind: 'rate-limited', retryAfterMs: 60_000 });
  time.pass(60_001);
  nowMs += 60_000;
  expect(await read(jira, id)).toMatchObject({ id });
});
