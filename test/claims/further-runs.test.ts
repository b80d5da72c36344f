/** A person wants a further run of what has ended (`again`): what its labels may say, and a claim of it that dies half-way. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import type { Run } from '../../src/domain/run.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { queuedRun, runOf } from '../worker/worker-room.ts';
import { claimsOn } from './claim-scenes.ts';

const redis = useRedis();
const TICKET = `${REPOSITORY}#1`;
const never = new AbortController().signal;

let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

/** A run that has failed, and whose ticket says so. */
async function endedRun(labels?: readonly string[]): Promise<Run> {
  const run = await queuedRun(house, labels);
  await house.attemptRecords.endQueued(run, 'failed', 'for the test');
  await house.labels.project(run.id, { mayWrite: () => true, signal: never });
  return await runOf(house, run.id);
}

const retry = (platform: Partial<TicketPlatform> = {}): Promise<ClaimOutcome> =>
  claimsOn(house, { platform: { ...house.platform, ...platform } }).claims.claim(
    { project: 'api', ticketId: '1', trigger: 'manual', again: true },
    never,
  );
const poll = (): Promise<ClaimOutcome> => house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
/** As if its lock had expired. */
const forgetLock = (run: Run) => redis.client.del(house.redis.keys.claimLock('github', run.ticket));

test('the label of the end is no reason to leave it alone', async () => {
  await endedRun();
  expect(await retry()).toMatchObject({ kind: 'claimed' });
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
});

test('a ticket that `pending` had asked for is asked for by that once more', async () => {
  await endedRun(['agent-smith:pending']);
  expect(house.labelsOf(1)).toEqual(['agent-smith:failed']);
  expect(await retry()).toMatchObject({ kind: 'claimed' });
});

test('cancelled while it was claimed, so that nobody has seen what asked for it: a person who asks again is enough', async () => {
  const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith:pending'] });
  let run: Run | undefined;
  const refused = async (): Promise<never> => {
    run = await house.runs.ofTicket(house.keyOf(number));
    if (run !== undefined) await house.cancellations.request(run, 'alice');
    throw new PlatformError('auth', 'no', { effect: 'none' });
  };
  const { claims } = claimsOn(house, { platform: { ...house.platform, moveLifecycle: refused } });
  await claims.claim({ project: 'api', ticketId: String(number), trigger: 'poll' }, never);
  await house.labels.project(run?.id ?? '', { mayWrite: () => true, signal: never });
  expect(house.labelsOf(1)).toEqual(['agent-smith:failed']);
  expect(await retry()).toMatchObject({ kind: 'claimed', pipeline: 'fix-bug' });
  expect(house.labelsOf(1)).toEqual(['agent-smith:enqueued']);
});

test('its trigger label was removed: nothing asks for a run', async () => {
  await endedRun();
  house.hub.removeLabel(TICKET, 'agent-smith');
  expect(await retry()).toEqual({ kind: 'not-eligible', reason: 'no-trigger-label' });
});

test('closed: it is not claimed', async () => {
  await endedRun();
  house.hub.closeIssue(TICKET);
  expect(await retry()).toEqual({ kind: 'not-eligible', reason: 'closed' });
});

describe('its claim dies', () => {
  const broken = (labels: readonly string[] | undefined): Partial<TicketPlatform> => ({
    async moveLifecycle() {
      if (labels !== undefined) house.hub.setLabels(TICKET, [...labels]);
      throw new PlatformError('unavailable', 'cut off', { effect: 'unknown' });
    },
  });
  const points: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['before the first label was written', undefined],
    ['between two labels', ['agent-smith', 'agent-smith:failed', 'agent-smith:enqueued']],
    ['after the last label', ['agent-smith', 'agent-smith:enqueued']],
  ];

  test.each(points)('%s: whoever comes next goes on with it', async (_, labels) => {
    const run = await endedRun();
    expect(await retry(broken(labels))).toMatchObject({ kind: 'failed' });
    await forgetLock(run);
    expect(await poll()).toMatchObject({ kind: 'claimed' });
    expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
    expect(await house.runs.ofTicket(run.ticket)).toMatchObject({ state: 'queued', trigger: 'manual' });
  });

  test.each(points)('%s, and then the ticket is closed: it shows again how it had ended', async (_, labels) => {
    const run = await endedRun();
    await retry(broken(labels));
    await forgetLock(run);
    house.hub.closeIssue(TICKET);
    expect(await poll()).toEqual({ kind: 'not-eligible', reason: 'closed' });
    expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:failed']);
    house.hub.reopenIssue(TICKET);
    expect(await poll()).toEqual({ kind: 'not-eligible', reason: 'failed' });
  });
});
