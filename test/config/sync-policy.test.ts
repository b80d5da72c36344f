/** What a sync policy means where it counts: a claim by a trigger that it does not allow asks the platform nothing. */
import { expect, test } from 'vitest';
import { decideIngress, type IngressWishes } from '../../src/config/ingress-policy.ts';
import type { Trigger } from '../../src/domain/project.ts';
import { openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const SKIPPED = { kind: 'rejected', reason: 'trigger-not-allowed' };
const CLAIMED = { kind: 'claimed' };

const matrix: [IngressWishes['policy'], Trigger, object][] = [
  ['both', 'poll', CLAIMED],
  ['both', 'webhook', CLAIMED],
  ['both', 'manual', CLAIMED],
  ['poll_only', 'poll', CLAIMED],
  ['poll_only', 'webhook', SKIPPED],
  ['poll_only', 'manual', CLAIMED],
  ['webhook_only', 'poll', SKIPPED],
  ['webhook_only', 'webhook', CLAIMED],
  ['webhook_only', 'manual', CLAIMED],
];

test.each(matrix)('sync_policy %s, claim by %s', async (policy, trigger, outcome) => {
  const polling = { intervalMs: 60_000, jitterPercent: 10 };
  const wishes = { engine: 'default', pollingEnabled: true, polling, webhookReady: true, reconcile: polling } as const;
  const { triggers } = decideIngress({ ...wishes, policy });
  const house = await openHouse({ redisUrl: redis.url, projects: (plain) => [{ ...plain, triggers }] });
  const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const request = { project: 'api', ticketId: String(number), trigger };
  expect(await house.claims.claim(request, AbortSignal.timeout(10_000))).toMatchObject(outcome);
  if (outcome === SKIPPED) expect(house.hub.ledger.requests()).toEqual([]);
});
