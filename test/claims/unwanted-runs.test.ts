/**
 * What people do on the ticket ends its live run, by whatever it is noticed: a delivery, a poll, the platform pass. On real
 * Redis and an emulated GitHub; the fresh ticket decides, and no error of the platform is read as anything.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { createUnwantedRuns } from '../../src/claims/unwanted-runs.ts';
import type { Run } from '../../src/domain/run.ts';
import { WITHDRAWALS } from '../../src/domain/withdrawal.ts';
import type { Fault } from '../../src/emulators/faults.ts';
import { type Call, PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { openInbox } from '../ingress/deliveries/inbox-room.ts';
import { startPolling } from '../ingress/polls/polling.ts';
import { openPlatformPass } from '../repair/platform-passes.ts';
import { repairs, termOf } from '../repair/terms.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
const TICKET = `${REPOSITORY}#1`;
const never = new AbortController().signal;
const CALL: Call = { purpose: 'claim', deadlineMs: 8_000, signal: never };
const READ = { method: 'GET', path: /\/issues\/1$/ };

let house: House;
beforeEach(async () => {
  house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, polling: { intervalMs: 50, jitterPercent: 0 } }],
  });
});

const confirmed = async (run: Run): Promise<Run> => {
  await house.labels.project(run.id, { mayWrite: () => true, signal: never });
  return await runOf(house, run.id);
};
const STATES = {
  queued: async () => await confirmed(await queuedRun(house)),
  running: async () => await confirmed(await runningRun(house)),
} as const;
const DEEDS = {
  closed: () => house.hub.closeIssue(TICKET),
  unlabelled: () => house.hub.removeLabel(TICKET, 'agent-smith'),
} as const;

/** How the run is in the end, when it was taken back. */
async function takenBack({ id }: Run, deed: keyof typeof DEEDS): Promise<void> {
  const run = await runOf(house, id);
  const by = WITHDRAWALS[deed];
  if (run.state === 'running') expect(run.cancelRequested).toBe(by);
  else expect(run).toMatchObject({ state: 'cancelled', reason: `cancelled by ${by}`, cancelRequested: by });
}

/** Each way of noticing, as often as it notices once. */
const WAYS = {
  async delivery() {
    const room = openInbox(house);
    const name = await room.deliver(`d${Math.random()}`, [1], { mayTakeBack: true });
    return (await room.settled(name)).results[0]?.outcome;
  },
  async poll() {
    const polling = startPolling(house);
    // The first one may have begun before; the second has looked for what it missed.
    await polling.poll('api', () => polling.polls.length > 1);
    polling.endTerm();
  },
  async 'platform pass'() {
    const deps = {
      ...house,
      catalog: () => house.catalog,
      recoveringMs: () => 0,
      mayAdopt: () => true,
      log: silentLog,
    };
    await openPlatformPass({ ...deps, onRepair: repairs().onRepair }, house.timing)(termOf());
  },
} as const;

const ways = Object.keys(WAYS) as (keyof typeof WAYS)[];
const rows = ways.flatMap((way) =>
  (['queued', 'running'] as const).flatMap((state) =>
    (['closed', 'unlabelled'] as const).map((deed) => ({ way, state, deed })),
  ),
);

test.each(rows)('$state, the ticket was $deed, noticed by a $way: the run is to end', async ({ way, state, deed }) => {
  const run = await STATES[state]();
  DEEDS[deed]();
  await WAYS[way]();
  await takenBack(run, deed);
});

test.each(ways)(
  'nothing has happened to the ticket: a %s lets its run go on, without a read where it is listed',
  async (way) => {
    const run = await STATES.running();
    const before = house.hub.ledger.requests(READ).length;
    await WAYS[way]();
    expect(await runOf(house, run.id)).toEqual(run);
    if (way !== 'delivery') expect(house.hub.ledger.requests(READ)).toHaveLength(before);
  },
);

describe.each(ways)('noticed by a %s', (way) => {
  test('a run that `pending` has started is not taken back by the absence of a trigger label', async () => {
    const run = await queuedRun(house, ['agent-smith:pending']);
    const queued = await confirmed(run);
    await WAYS[way]();
    expect(await runOf(house, run.id)).toEqual(queued);
  });

  test('labels of ours that come and go are no wish', async () => {
    const run = await STATES.running();
    house.hub.removeLabel(TICKET, 'agent-smith:in-progress');
    await WAYS[way]();
    expect(await runOf(house, run.id)).toMatchObject({ state: 'running' });
    expect((await runOf(house, run.id)).cancelRequested).toBeUndefined();
  });

  test.each<[string, Fault]>([
    ['404', { kind: 'answer', status: 404 }],
    ['403', { kind: 'answer', status: 403 }],
    ['502', { kind: 'answer', status: 502 }],
  ])('%s for the ticket is no wish', async (_, fault) => {
    const run = await STATES.running();
    DEEDS.closed();
    house.hub.faults.inject(READ, fault);
    if (way === 'delivery') {
      const room = openInbox(house);
      const name = await room.deliver('d1', [1], { mayTakeBack: true });
      await expect.poll(async () => (await house.deliveries.get(name))?.tries).toBeGreaterThan(0);
      await expect.poll(() => house.hub.ledger.requests(READ).length).toBeGreaterThan(1);
    } else {
      await WAYS[way]();
    }
    expect((await runOf(house, run.id)).cancelRequested).toBeUndefined();
  });
});

test('a delivery whose ticket cannot be read comes back, and the run ends then', async () => {
  const run = await STATES.running();
  DEEDS.closed();
  const fault = house.hub.faults.inject(READ, { kind: 'answer', status: 502 });
  const room = openInbox(house);
  const name = await room.deliver('d1', [1], { mayTakeBack: true });
  await expect.poll(async () => (await house.deliveries.get(name))?.reason).toBe('failed: unavailable');
  fault.remove();
  expect((await room.settled(name)).results).toMatchObject([
    { outcome: 'cancelled by closing the ticket', run: run.id },
  ]);
  await takenBack(run, 'closed');
});

describe('a sight that may be older than the run', () => {
  const lagging = (sights: readonly Partial<Awaited<ReturnType<TicketPlatform['readTicket']>>>[]) => {
    let reads = 0;
    const readTicket: TicketPlatform['readTicket'] = async (...args) => {
      const ticket = { ...(await house.platform.readTicket(...args)), ...sights[reads] };
      reads += 1;
      return ticket;
    };
    const unwanted = createUnwantedRuns({
      ...house,
      catalog: () => house.catalog,
      platformOf: () => ({ ...house.platform, readTicket }),
      showLabel: (run) => house.labels.project(run, { mayWrite: () => true, signal: never }),
    });
    return { unwanted, reads: () => reads };
  };

  test.each([
    ['no trigger label yet', { labels: [] }],
    ['closed, before it was opened again', { labels: ['agent-smith', 'agent-smith:failed'], open: false }],
  ])('%s: it is read again, and the run goes on', async (_, old) => {
    const run = await STATES.running();
    const { unwanted, reads } = lagging([old]);
    expect(await unwanted.look(run.ticket, CALL)).toBeUndefined();
    expect(reads()).toBe(2);
    expect(await runOf(house, run.id)).toEqual(run);
    // However long it lags: what does not show the run says nothing about it.
    const always = lagging([old, old]);
    expect(await always.unwanted.look(run.ticket, CALL)).toBeUndefined();
  });

  test('somebody has taken off all labels at once: ours is put back, and then theirs is missing', async () => {
    const run = await STATES.running();
    house.hub.setLabels(TICKET, []);
    const { unwanted } = lagging([]);
    expect(await unwanted.look(run.ticket, CALL)).toMatchObject({ kind: 'requested', by: WITHDRAWALS.unlabelled });
    expect(house.labelsOf(1)).toEqual(['agent-smith:in-progress']);
  });
});

test('a run that is still being claimed, one that has ended, and one whose project is gone are left alone', async () => {
  const run = await STATES.running();
  DEEDS.closed();
  const before = house.hub.ledger.requests(READ).length;
  for (const state of ['received', 'completed'] as const) {
    await redis.client.hset(house.redis.keys.run(run.id), 'state', state);
    expect(await house.unwanted.look(run.ticket, CALL)).toBeUndefined();
  }
  await redis.client.hset(house.redis.keys.run(run.id), { state: 'running', project: 'gone' });
  expect(await house.unwanted.look(run.ticket, CALL)).toBeUndefined();
  expect(house.hub.ledger.requests(READ)).toHaveLength(before);
  const failing = createUnwantedRuns({
    ...house,
    catalog: () => house.catalog,
    platformOf: () => ({ ...house.platform, readTicket: async () => Promise.reject(new PlatformError('auth', 'no')) }),
    showLabel: async () => Promise.reject(new Error('nobody asks')),
  });
  await redis.client.hset(house.redis.keys.run(run.id), 'project', 'api');
  await expect(failing.look(run.ticket, CALL)).rejects.toThrow(PlatformError);
});
