import { expect, test } from 'vitest';
import { createPollBoard, type PollSummary } from '../../src/coordination/poll-board.ts';
import { openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();

const pollOf = (project: string, more: Partial<PollSummary> = {}): PollSummary => ({
  project,
  by: 'pod-1',
  atMs: Date.now(),
  durationMs: 12,
  result: 'ok',
  heldBack: false,
  retryAfterMs: undefined,
  discovered: 3,
  pending: 1,
  claimed: 2,
  skipped: { 'not-eligible: closed': 2 },
  truncated: false,
  requests: 2,
  effectiveIntervalMs: 60_000,
  engine: 'polling',
  recovered: 0,
  ...more,
});

test('the last poll of each project is shown as it was published, and lives for a day', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const [publisher, reader] = [createPollBoard(house.redis), createPollBoard(house.redis)];
  expect(await reader.read()).toEqual(new Map());
  await publisher.publish(pollOf('api', { claimed: 0 }));
  const latest = [pollOf('api'), pollOf('other', { result: 'rate-limited', heldBack: true, retryAfterMs: 7_000 })];
  for (const poll of latest) await publisher.publish(poll);
  expect(await reader.read()).toEqual(new Map(latest.map((poll) => [poll.project, poll])));
  expect(await redis.client.pttl('agentsmith:polls')).toBeGreaterThan(86_000_000);
});

test('projects that are not polled any more are taken down, and what is older than a day is not shown', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const board = createPollBoard(house.redis);
  for (const project of ['api', 'gone']) await board.publish(pollOf(project));
  await board.publish(pollOf('old', { atMs: Date.now() - 86_400_000 }));
  await board.retain(new Set(['api', 'old']));
  expect(await redis.client.hlen('agentsmith:polls')).toBe(2);
  expect([...(await board.read()).keys()]).toEqual(['api']);
  await board.retain(new Set(['api', 'old']));
});
