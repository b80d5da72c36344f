/**
 * Nothing grows without bound: what was done in whatever order, when its times have passed nothing of it is left but what
 * the table in `redis/keys.ts` calls for ever.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { TicketKey } from '../../src/domain/ticket.ts';
import type { Timing } from '../../src/domain/timing.ts';
import { createRetentionRecords, type RetentionRecords, RUN_LISTS } from '../../src/runs/retention.ts';
import type { RoundCursor } from '../../src/runs/rounds.ts';
import type { TerminalState } from '../../src/runs/run-end.ts';
import { FAST, type House, openHouse, SLOTS_ELSEWHERE } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, queuedRun, runningRun, runOf } from '../worker/worker-room.ts';

const redis = useRedis();
/** In their proportions: an output goes before its run, a run before its ticket. */
const TTLS = { outputTtlMs: 100, deliveryTtlMs: 200, runTtlMs: 300, ticketTtlMs: 500 };
const BEGINNING = { next: undefined };

let house: House;
let retention: RetentionRecords;
const open = async (timing: Timing): Promise<void> => {
  house = await openHouse({ redisUrl: redis.url, timing });
  retention = createRetentionRecords(house.redis, timing);
};
beforeEach(() => open(FAST));

const tidyAll = async () =>
  Object.fromEntries(
    await Promise.all(RUN_LISTS.map(async (list) => [list, await retention.tidy(list, { ...BEGINNING }, 10_000)])),
  ) as Record<(typeof RUN_LISTS)[number], Awaited<ReturnType<RetentionRecords['tidy']>>>;

/** Patterns of the keys that the table says live for ever, and those of the whole table. */
function rowsOfTheTable(): { readonly lasting: RegExp[]; readonly all: RegExp[] } {
  const text = readFileSync(new URL('../../src/redis/keys.ts', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^ \* \| ([a-z][^ ]*) +\| \w+ +\| .*? +\| (.*?) +\|$/gm)].map(
    ([, key = '', lives = '']) => ({
      key: new RegExp(`^agentsmith:${key.replaceAll('*', '.*').replace(/<[a-z]+>/g, '.+')}$`),
      lives,
    }),
  );
  return {
    lasting: rows.filter(({ lives }) => /^(for ever|capped)/.test(lives)).map(({ key }) => key),
    all: rows.map(({ key }) => key),
  };
}

const isIn = (rows: readonly RegExp[], key: string): boolean => rows.some((row) => row.test(key));

/** What may happen to one of a few tickets. */
interface Step {
  readonly act:
    | 'claim'
    | 'start'
    | 'hand-back'
    | 'finish'
    | 'end'
    | 'refuse'
    | 'decide'
    | 'deliver'
    | 'settle'
    | 'beat'
    | 'call-back';
  readonly ticket: number;
  readonly state: TerminalState;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  act: fc.constantFrom(
    'claim',
    'start',
    'hand-back',
    'finish',
    'end',
    'refuse',
    'decide',
    'deliver',
    'settle',
    'beat',
    'call-back',
  ),
  ticket: fc.nat(5),
  state: fc.constantFrom('completed', 'failed', 'cancelled'),
});

/** One of each, so that every kind of record is there whatever comes after it. */
const WHOLE_LIFE: readonly Step[] = [
  ...(['deliver', 'claim', 'start', 'call-back', 'finish', 'decide'] as const).map(
    (act): Step => ({ act, ticket: 0, state: 'completed' }),
  ),
  ...(['claim', 'start', 'hand-back', 'end'] as const).map((act): Step => ({ act, ticket: 1, state: 'cancelled' })),
];

/** Steps on the real records. One that is not possible at its moment does nothing, as in life. */
function stepper() {
  const { claimRecords, attemptRecords, callbackRecords, decisions, deliveries, runs } = house;
  let count = 0;
  const keyOf = (ticket: number): TicketKey => house.keyOf(ticket + 1);
  const begin = (ticket: number) =>
    claimRecords.begin({
      newRun: `run-${(count += 1)}`,
      token: `token-${count}`,
      ticket: keyOf(ticket),
      platform: 'github',
      ticketId: String(ticket + 1),
      project: 'api',
      trigger: 'poll',
      insist: true,
    });
  const decision = (ticket: number) => ({
    ticket: keyOf(ticket),
    project: 'api',
    by: 'claim',
    outcome: `decision ${(count += 1)}`,
  });
  const step = async ({ act, ticket, state }: Step): Promise<void> => {
    const run = await runs.ofTicket(keyOf(ticket));
    switch (act) {
      case 'claim': {
        const begun = await begin(ticket);
        if (!('hold' in begun)) return;
        const facts = { pipeline: 'fix-bug', label: 'go', project: 'api', policy: '{}', display: 'x', url: '' };
        await claimRecords.commit(begun.hold, { ...facts, labelShown: false, decision: decision(ticket) });
        return;
      }
      case 'refuse': {
        const begun = await begin(ticket);
        // Now and then the claim dies instead.
        if ('hold' in begun && count % 3 > 0) await claimRecords.abandon(begun.hold, { keep: false, backOff: true });
        return;
      }
      case 'start':
        if (run?.state === 'queued') await attemptRecords.start(run, 'worker');
        return;
      case 'beat':
        if (run?.state === 'running') await attemptRecords.beat(attemptOf(run));
        return;
      case 'call-back':
        if (run?.state !== 'running') return;
        await callbackRecords.open(attemptOf(run), { token: 'token', timeoutMs: 100 });
        // Now and then nothing is ever told.
        if (count % 3 > 0) await callbackRecords.keep(run.id, '{"state":"done"}');
        return;
      case 'hand-back':
        if (run?.state === 'running')
          await attemptRecords.handBack(attemptOf(run), { onlyIfDead: false, interrupted: true, reason: 'drained' });
        return;
      case 'finish':
        if (run?.state === 'running')
          await attemptRecords.finish(attemptOf(run), {
            state,
            reason: '',
            output: 'the end',
            result: { links: [] },
            onlyIfDead: false,
          });
        return;
      case 'end':
        if (run?.state === 'queued') await attemptRecords.endQueued(run, state, 'closed');
        return;
      case 'decide':
        await decisions.record(decision(ticket));
        return;
      case 'deliver':
        await deliveries.accept({
          platform: 'github',
          source: 'api.1',
          derived: false,
          event: 'issues',
          payloadHash: 'x',
          configHash: 'y',
          action: undefined,
          installation: undefined,
          place: undefined,
          placeId: undefined,
          ignored: undefined,
          name: `github:api.1:${(count += 1)}`,
          id: String(count),
          projects: ['api'],
          tickets: [{ key: keyOf(ticket), id: String(ticket + 1) }],
        });
        return;
      case 'settle':
        for (const taken of await deliveries.take(10)) {
          await deliveries.settle(taken, { kind: 'processed', outcome: 'claimed' });
        }
        return;
    }
  };
  const endTicket = async (ticket: number): Promise<void> => {
    for (const act of ['start', 'finish', 'settle'] as const) await step({ act, ticket, state: 'completed' });
    const run = await runs.ofTicket(keyOf(ticket));
    if (run?.state === 'received') {
      await redis.client.del(house.redis.keys.claimLock('github', keyOf(ticket)));
      const begun = await begin(ticket);
      if ('hold' in begun) await claimRecords.abandon(begun.hold, { keep: false, backOff: false });
    } else if (run !== undefined) {
      await house.labelRecords.settle(run, { kind: 'confirmed' });
    }
  };
  /** Everything that is still to be done comes to its end; what lives longer than its ticket gets it back first. */
  const endAll = async (): Promise<void> => {
    const live = async (): Promise<number> => {
      const { received, queued, running } = await runs.counts();
      return received + queued + running;
    };
    for (let round = 0; round < 20 && (round === 0 || (await live()) > 0); round += 1) {
      await tidyAll();
      for (let ticket = 0; ticket < 6; ticket += 1) await endTicket(ticket);
    }
  };
  return { step, endAll };
}

test('whatever was done in whatever order: every key is in the table, and when the times have passed only what lasts is left', async () => {
  await open({ ...FAST, ...TTLS });
  const { all, lasting } = rowsOfTheTable();
  expect(all.length).toBeGreaterThan(20);
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 30, maxLength: 90 }), async (steps) => {
      const { step, endAll } = stepper();
      await house.admissions.tell(SLOTS_ELSEWHERE);
      const note = async (): Promise<void> => {
        for (const key of await redis.client.keys('*')) seen.add(key);
      };
      for (const one of WHOLE_LIFE) {
        await step(one);
        await note();
      }
      for (const one of steps) await step(one);
      await note();
      await endAll();
      await delay(TTLS.ticketTtlMs + 100);
      await retention.trim();
      await tidyAll();
      await house.admissions.leave(SLOTS_ELSEWHERE.instance);
      const left = await redis.client.keys('*');
      expect(left.filter((key) => !isIn(lasting, key))).toEqual([]);
    }),
    { numRuns: 3, endOnFailure: true },
  );
  expect([...seen].filter((key) => !isIn(all, key))).toEqual([]);
  for (const kind of [
    'run:',
    'runs:completed',
    'ticket:',
    'output:',
    'result:',
    'delivery:',
    'inbox:',
    'decisions',
    'unheard',
  ])
    expect([...seen].some((key) => key.startsWith(`agentsmith:${kind}`))).toBe(true);
}, 60_000);

test('lists that nothing is added to any more are trimmed all the same', async () => {
  await open({ ...FAST, ...TTLS, ticketTtlMs: FAST.ticketTtlMs });
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { state: 'failed', reason: 'no', output: '', onlyIfDead: false });
  const { keys } = house.redis;
  await redis.client.zadd(keys.deliveries, 1, 'github:api.1:old', Date.now() + 60_000, 'github:api.1:new');
  await delay(TTLS.runTtlMs + 50);
  expect(await redis.client.zcard(keys.runs('failed'))).toBe(1);
  expect(await retention.trim()).toEqual({ deliveries: 1, runs: 1 });
  expect(await redis.client.exists(keys.runs('failed'))).toBe(0);
  expect(await redis.client.zrange(keys.deliveries, '0', '-1')).toEqual(['github:api.1:new']);
  expect(await retention.trim()).toEqual({ deliveries: 0, runs: 0 });
});

test('of more deliveries than are kept the oldest go, but none that is still to be worked on', async () => {
  const { keys } = house.redis;
  const nowMs = Date.now();
  const entries = Array.from({ length: 13 }, (_, i) => [nowMs, `d${String(i).padStart(2, '0')}`]);
  await redis.client.zadd(keys.deliveries, ...entries.flat());
  await redis.client.hset(keys.delivery('d01'), 'state', 'received');
  const small = createRetentionRecords(house.redis, {
    ...house.timing,
    deliveryTtlMs: 86_400_000,
    mostDeliveries: 10,
  });
  expect(await small.trim()).toMatchObject({ deliveries: 2 });
  expect(await redis.client.zrange(keys.deliveries, '0', '1')).toEqual(['d01', 'd03']);
});

test('an entry whose run is gone, or is somewhere else by now, is taken off every list; the others stay', async () => {
  const { keys } = house.redis;
  const [queued, running] = [await queuedRun(house), await runningRun(house)];
  for (const list of RUN_LISTS) {
    const key = list === 'unconfirmed' ? keys.unconfirmed : keys.runs(list);
    await redis.client.zadd(key, 1, 'gone', 2, list === 'queued' ? running.id : queued.id);
  }
  const tidied = await tidyAll();
  expect(Object.fromEntries(RUN_LISTS.map((list) => [list, tidied[list].strays]))).toEqual({
    received: 2,
    queued: 2,
    running: 2,
    completed: 2,
    failed: 2,
    cancelled: 2,
    // The claim has read its label back; that of the running one is due.
    unconfirmed: 2,
  });
  expect(await redis.client.zrange(keys.runs('queued'), '0', '-1')).toEqual([queued.id]);
  expect(await redis.client.zrange(keys.runs('running'), '0', '-1')).toEqual([running.id]);
  expect(await redis.client.zrange(keys.unconfirmed, '0', '-1')).toEqual([running.id]);
  for (const { strays } of Object.values(await tidyAll())) expect(strays).toBe(0);
});

test('a live run whose ticket lost its record gets it back, with a fence that is no older', async () => {
  const run = await runningRun(house);
  await redis.client.del(house.redis.keys.ticket(run.ticket));
  expect((await tidyAll()).running.restored).toEqual([run.id]);
  expect(await house.runs.ofTicket(run.ticket)).toMatchObject({ id: run.id, state: 'running' });
  expect(await house.attemptRecords.beat(attemptOf(run))).toMatchObject({ kind: 'ok' });
  expect(await redis.client.pttl(house.redis.keys.ticket(run.ticket))).toBeGreaterThan(0);
});

test('a live run keeps the record of its ticket alive, however long it takes', async () => {
  const run = await queuedRun(house);
  const key = house.redis.keys.ticket(run.ticket);
  await redis.client.pexpire(key, 1_000_000);
  await tidyAll();
  expect(await redis.client.pttl(key)).toBeGreaterThan(house.timing.ticketTtlMs / 2);
});

test.each(['queued', 'running'] as const)(
  'a %s run whose ticket belongs to a newer run is ended: no worker could, and its own is told so by its beat',
  async (state) => {
    const run = state === 'queued' ? await queuedRun(house) : await runningRun(house);
    const { keys } = house.redis;
    await redis.client.hset(keys.ticket(run.ticket), 'run', 'newer', 'fence', String(Date.now() + 1_000));
    expect((await tidyAll())[state].superseded).toEqual([run.id]);
    const ended = await runOf(house, run.id);
    expect(ended).toMatchObject({ state: 'cancelled', reason: 'superseded by run newer', labelState: 'unwritable' });
    expect(await redis.client.zscore(keys.runs(state), run.id)).toBeNull();
    expect(await redis.client.zscore(keys.runs('cancelled'), run.id)).not.toBeNull();
    expect(await redis.client.zscore(keys.unconfirmed, run.id)).toBeNull();
    expect(await redis.client.pttl(keys.run(run.id))).toBeGreaterThan(0);
    if (state === 'running') {
      expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'superseded' });
      expect(await house.runs.attempts(run.id)).toMatchObject([{ number: 1, end: { how: 'superseded' } }]);
    }
    expect((await tidyAll())[state].superseded).toEqual([]);
  },
);

test('a run with the newest fence is left: its worker is about to write its ticket down again', async () => {
  const run = await runningRun(house);
  await redis.client.hset(house.redis.keys.ticket(run.ticket), 'run', 'older', 'fence', String(run.attemptFence - 1));
  expect((await tidyAll()).running.superseded).toEqual([]);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running' });
  expect(await house.attemptRecords.beat(attemptOf(run))).toEqual({ kind: 'unknown' });
});

test('a list that is longer than one round is gone through round by round, and begun anew: nothing is hidden for ever', async () => {
  const { keys } = house.redis;
  const runs = [await queuedRun(house), await queuedRun(house), await queuedRun(house)];
  // Entries that lead nowhere stand before the runs, as after a loss.
  await redis.client.zadd(keys.runs('queued'), ...Array.from({ length: 7 }, (_, i) => [i + 1, `gone-${i}`]).flat());
  const cursor: RoundCursor = { next: undefined };
  const shown: string[] = [];
  for (let round = 0; round < 12; round += 1) {
    for (const { id } of await house.runs.inState('queued', { most: 2, cursor })) shown.push(id);
  }
  for (const { id } of runs) expect(shown.filter((other) => other === id).length).toBeGreaterThan(1);
});

test('more entries of one millisecond than a round takes do not stop it', async () => {
  const { keys } = house.redis;
  const run = await queuedRun(house);
  await redis.client.zadd(keys.runs('queued'), ...Array.from({ length: 9 }, (_, i) => [1, `gone-${i}`]).flat());
  const cursor: RoundCursor = { next: undefined };
  const found: string[] = [];
  for (let round = 0; round < 4; round += 1) {
    for (const { id } of await house.runs.inState('queued', { most: 4, cursor })) found.push(id);
  }
  expect(found).toContain(run.id);
});
