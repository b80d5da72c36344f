/** Somebody wants a run to end: what that means in each of its states, on real Redis. */
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { WITHDRAWALS } from '../../src/domain/withdrawal.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { createDeadClaims } from '../../src/repair/dead-claims.ts';
import { createEnqueuedReconciler } from '../../src/repair/enqueued-reconciler.ts';
import { claimsOn } from '../claims/claim-scenes.ts';
import { repairs, termOf } from '../repair/terms.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, openWorkerRoom, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

/** How often somebody was told that a run at work is to end, and once when it began to listen. */
async function listen(): Promise<() => number> {
  let told = 0;
  const over = new AbortController();
  onTestFinished(() => over.abort());
  house.cancellations.onRequested(() => {
    told += 1;
  }, over.signal);
  await until('it listens', () => told === 1);
  return () => told - 1;
}

test('queued: it ends at once, its label is due, and its job is dropped when it is taken', async () => {
  const told = await listen();
  const run = await queuedRun(house);
  expect(await house.cancellations.request(run, 'alice')).toEqual({ kind: 'cancelled', run: run.id, by: 'alice' });
  const ended = await runOf(house, run.id);
  expect(ended).toMatchObject({
    state: 'cancelled',
    reason: 'cancelled by alice',
    labelState: 'unconfirmed',
    attempt: 0,
  });
  const { keys } = house.redis;
  expect(await redis.client.zscore(keys.runs('queued'), run.id)).toBeNull();
  expect(await redis.client.zscore(keys.runs('cancelled'), run.id)).toBe(String(ended.endedAtMs));
  expect(await redis.client.zscore(keys.unconfirmed, run.id)).not.toBeNull();
  expect(await redis.client.pttl(keys.run(run.id))).toBeGreaterThan(0);
  expect(await redis.client.pttl(keys.ticket(run.ticket))).toBeGreaterThan(0);
  const { processor, runners } = openWorkerRoom(house);
  await processor.process({ run: run.id, turn: 1 });
  expect(runners).toEqual([]);
  expect(told()).toBe(0);
});

test('queued while Redis recovers: a worker may be about to report it, so the wish waits on its record', async () => {
  const run = await queuedRun(house);
  await redis.client.hset(house.redis.keys.incarnation, 'since', String(Date.now()));
  expect(await house.cancellations.request(run, 'alice')).toMatchObject({
    kind: 'requested',
    by: 'alice',
    state: 'queued',
  });
  expect(await runOf(house, run.id)).toMatchObject({ state: 'queued', cancelRequested: 'alice' });
});

test('queued while Redis recovers: afterwards repair ends it, though it has a job and no slot is free', async () => {
  const run = await queuedRun(house);
  await redis.client.hset(house.redis.keys.run(run.id), 'cancelRequested', 'alice');
  const { told, onRepair } = repairs();
  const pass = createEnqueuedReconciler({ ...house, log: silentLog, onRepair }, { reconcileGraceMs: 0 });
  await pass(termOf());
  expect(await runOf(house, run.id)).toMatchObject({ state: 'cancelled', reason: 'cancelled by alice' });
  expect(told).toEqual([]);
  expect(await house.decisions.ofTicket(run.ticket, 1)).toMatchObject([
    { by: 'cancel', outcome: 'cancelled: cancelled by alice' },
  ]);
});

test('running: whoever listens is told at once, who asked first stays on record', async () => {
  const told = await listen();
  const run = await runningRun(house);
  const first = { kind: 'requested', run: run.id, by: 'alice', state: 'running' };
  expect(await house.cancellations.request(run, 'alice')).toEqual(first);
  await until('it was told', () => told() === 1);
  expect(await house.cancellations.request(run, 'bob')).toEqual(first);
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'ok', cancelRequested: 'alice' });
});

test('running: a person takes the place of what was done to the ticket, and nothing that of a person', async () => {
  const run = await runningRun(house);
  const asked = (by: string) => house.cancellations.request(run, by);
  expect(await asked(WITHDRAWALS.closed)).toMatchObject({ by: WITHDRAWALS.closed });
  expect(await asked(WITHDRAWALS.unlabelled)).toMatchObject({ by: WITHDRAWALS.closed });
  expect(await asked('alice')).toMatchObject({ by: 'alice' });
  expect(await asked(WITHDRAWALS.closed)).toMatchObject({ by: 'alice' });
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'ok', cancelRequested: 'alice' });
});

test('who listens again after it was cut off is told, since it may have missed something', async () => {
  const told = await listen();
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until('it listens again', () => told() === 1);
});

test('running, and handed back in that moment: it gets no further turn', async () => {
  const run = await runningRun(house);
  await house.cancellations.request(run, 'alice');
  const before = await dumpOf(redis.client);
  for (const onlyIfDead of [false, true]) {
    if (onlyIfDead) await redis.client.del(house.redis.keys.heartbeat(run.ticket));
    const how = { onlyIfDead, interrupted: true, reason: 'drained' };
    expect(await house.attemptRecords.handBack(attemptOf(run), how)).toEqual({ kind: 'cancel-requested', by: 'alice' });
    if (!onlyIfDead) expect(await dumpOf(redis.client)).toEqual(before);
  }
});

describe('received, its claim waits for the platform', () => {
  /** A claim that hangs at the first read of its ticket. */
  async function hangingClaim(change: Partial<TicketPlatform> = {}) {
    const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const platform: TicketPlatform = {
      ...house.platform,
      async readTicket(...args) {
        asked.resolve();
        await answer.promise;
        return await house.platform.readTicket(...args);
      },
      ...change,
    };
    const { claims } = claimsOn(house, { platform });
    const request = { project: 'api', ticketId: String(number), trigger: 'poll' } as const;
    const claiming = claims.claim(request, new AbortController().signal);
    await asked.promise;
    const run = await house.runs.ofTicket(house.keyOf(number));
    if (run === undefined) throw new Error('nothing was begun');
    expect(await house.cancellations.request(run, 'alice')).toEqual({
      kind: 'requested',
      run: run.id,
      by: 'alice',
      state: 'received',
    });
    return { run, ticket: `${REPOSITORY}#${number}`, answer: answer.resolve, claiming, request };
  }

  const hasEnded = async ({ id, ticket }: Run): Promise<void> => {
    expect(await runOf(house, id)).toMatchObject({
      state: 'cancelled',
      reason: 'cancelled by alice',
      labelState: 'unconfirmed',
    });
    expect(await redis.client.zscore(house.redis.keys.unconfirmed, id)).not.toBeNull();
    expect(await redis.client.exists(house.redis.keys.claimLock('github', ticket))).toBe(0);
    expect(await house.queue.depth()).toBe(0);
    expect(await house.decisions.ofTicket(ticket, 5)).toEqual(
      expect.arrayContaining([expect.objectContaining({ by: 'cancel', outcome: 'cancelled: cancelled by alice' })]),
    );
  };

  test('it becomes a run: that ends at once, without a job', async () => {
    const { run, answer, claiming } = await hangingClaim();
    answer();
    await claiming;
    await hasEnded(run);
  });

  test('its ticket is not eligible any more: the run ends as cancelled, and is not forgotten', async () => {
    const { run, ticket, answer, claiming } = await hangingClaim();
    house.hub.closeIssue(ticket);
    answer();
    expect(await claiming).toEqual({ kind: 'not-eligible', reason: 'closed' });
    await hasEnded(run);
  });

  test('the platform refuses its first write: the ticket is not claimed again by itself', async () => {
    const refused = async (): Promise<never> => {
      throw new PlatformError('auth', 'no', { effect: 'none' });
    };
    const { run, ticket, answer, claiming, request } = await hangingClaim({ moveLifecycle: refused });
    answer();
    expect(await claiming).toMatchObject({ kind: 'failed', failure: 'auth' });
    await hasEnded(run);
    await house.labels.project(run.id, { mayWrite: () => true, signal: new AbortController().signal });
    expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:failed']);
    expect(house.hub.issue(ticket).comments.map(({ body }) => body)).toEqual([
      expect.stringContaining('the run was cancelled: `cancelled by alice`'),
    ]);
    expect(await house.claims.claim(request, new AbortController().signal)).toMatchObject({ reason: 'failed' });
  });

  test.each([true, false])('its claim dies: repair ends it; its project is still there: %s', async (isThere) => {
    const { run } = await hangingClaim();
    await redis.client.del(house.redis.keys.claimLock('github', run.ticket));
    const homeless: Run[] = [];
    const pass = createDeadClaims(
      {
        ...house,
        catalog: () => (isThere ? house.catalog : { ...house.catalog, projects: [] }),
        credentialOf: () => 'bot',
        log: silentLog,
        onRepair: repairs().onRepair,
        onHomeless: async (runs) => void homeless.push(...runs),
      },
      { reconcileGraceMs: 0 },
    );
    await pass(termOf());
    await hasEnded(run);
    expect(homeless).toEqual([]);
    expect(house.labelsOf(run.ticketId)).toEqual(['agent-smith']);
  });
});

test('ended, or forgotten: nothing is written', async () => {
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { state: 'failed', reason: 'x', output: '', onlyIfDead: false });
  const before = await dumpOf(redis.client);
  expect(await house.cancellations.request(run, 'alice')).toEqual({ kind: 'ended', state: 'failed' });
  expect(await house.cancellations.request({ ...run, id: 'another' }, 'alice')).toEqual({ kind: 'unknown' });
  expect(await dumpOf(redis.client)).toEqual(before);
});
