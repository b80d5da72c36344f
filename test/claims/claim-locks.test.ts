/** The lock of a claim: never the one of somebody else, and no write to the platform that might outlast it (PROTOCOL 2). */
import { expect, test } from 'vitest';
import type { ClaimHold, CommitClaim } from '../../src/runs/claim-records.ts';
import { heldFor } from '../support/held-answer.ts';
import { FAST, type House } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { claim, claimsOn, createScenes, never, ticket } from './claim-scenes.ts';

const redis = useRedis();
const { houseWithTicket } = createScenes(redis);

const FACTS: CommitClaim = {
  pipeline: 'fix-bug',
  label: undefined,
  project: 'api',
  policy: '{}',
  display: 'org/api#1',
  url: '',
  labelShown: false,
  decision: { ticket: 't', project: 'api', by: 'claim', outcome: 'claimed' },
};

const lockOf = ({ platform, ticket }: ClaimHold): string => `agentsmith:claim-lock:${platform}:${ticket}`;

async function heldClaim(house: House): Promise<ClaimHold> {
  const reply = await house.claimRecords.begin({
    ticket: house.keyOf(1),
    platform: 'github',
    ticketId: '1',
    project: 'api',
    trigger: 'poll',
    insist: false,
    newRun: 'run-1',
    token: 'mine',
  });
  if (!('hold' in reply)) throw new Error(reply.kind);
  return reply.hold;
}

test.each<[string, (house: House, hold: ClaimHold) => Promise<unknown>]>([
  ['commits', (house, hold) => house.claimRecords.commit(hold, FACTS)],
  ['gives up for good', (house, hold) => house.claimRecords.abandon(hold, { keep: false, backOff: false })],
  ['leaves its record to others', (house, hold) => house.claimRecords.abandon(hold, { keep: true, backOff: false })],
  ['only releases', (house, hold) => house.claimRecords.release(hold)],
])('a claim that %s gives up its own lock, and never the one that somebody else holds by now', async (_, end) => {
  const house = await houseWithTicket();
  const hold = await heldClaim(house);
  await redis.client.set(lockOf(hold), 'somebody else');
  await end(house, hold);
  expect(await redis.client.get(lockOf(hold))).toBe('somebody else');
});

test('the label of a dead claim is not taken back without the time for it: whoever comes next does', async () => {
  const house = await houseWithTicket({ labels: ['agent-smith', 'agent-smith:enqueued'] });
  const hold = await heldClaim(house);
  await house.claimRecords.release(hold);
  house.hub.closeIssue(ticket);
  const hurried = claimsOn(house, { timing: { ...FAST, claimLockReserveMs: FAST.claimLockTtlMs + 1 } });
  const request = { project: 'api', ticketId: '1', trigger: 'reconcile' } as const;
  expect(await hurried.claims.claim(request, never)).toMatchObject({ kind: 'failed', failure: 'out-of-time' });
  expect(house.labelsOf(1)).toContain('agent-smith:enqueued');
  expect(await house.runs.get(hold.run)).toMatchObject({ state: 'received' });
  expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'not-eligible', reason: 'closed' });
  expect(house.labelsOf(1)).not.toContain('agent-smith:enqueued');
});

test('a claim whose time is over begins no write, however much is left of its lock', async () => {
  const house = await houseWithTicket();
  // The read itself has to end in time, on however busy a machine.
  const timing = { ...FAST, claimDeadlineMs: 800 };
  // A read that comes back after the deadline of its call all the same.
  const platform = { ...house.platform, readTicket: heldFor(timing.claimDeadlineMs + 20, house.platform.readTicket) };
  const { claims } = claimsOn(house, { platform, timing: { ...timing, claimCallMs: 5_000 } });
  const outcome = await claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  expect(outcome).toMatchObject({ kind: 'failed', failure: 'out-of-time' });
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual([]);
});
