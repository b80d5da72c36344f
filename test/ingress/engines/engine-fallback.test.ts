/** `event_engine: auto` on real Redis and an emulated platform: slow when it must be, never blind. */
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { failed } from '../../../src/claims/claim-outcome.ts';
import type { Project } from '../../../src/domain/project.ts';
import { createLog, type Log } from '../../../src/foundation/log.ts';
import { type Sleep, sleep } from '../../../src/foundation/loop.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { type House, openHouse, REPOSITORY } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { deliveryAbout } from '../deliveries/inbox-room.ts';
import { startPolling } from '../polls/polling.ts';

const redis = useRedis();
const OFTEN = { intervalMs: 30, jitterPercent: 0 };
const HOURLY = { intervalMs: 3_600_000, jitterPercent: 0 };

const auto =
  (reconcile = OFTEN, polling = OFTEN) =>
  (plain: Project): readonly Project[] => [{ ...plain, polling, engine: { mode: 'auto', reconcile } }];

function webhooksOnly(plain: Project): readonly Project[] {
  const { polling: _, ...unlisted } = plain;
  return [{ ...unlisted, triggers: new Set(['webhook', 'manual', 'reconcile']) }];
}

/** What is logged about engines, as it is logged. */
function listenToLog(): { readonly log: Log; readonly events: string[] } {
  const events: string[] = [];
  const destination = new PassThrough();
  destination.on('data', (line: Buffer) => {
    const { event, engine, reason } = JSON.parse(line.toString()) as Record<string, string | undefined>;
    if (event?.startsWith('event_engine')) events.push([event, engine, reason].filter(Boolean).join(' '));
  });
  return { log: createLog({ level: 'info', redactor: createRedactor(), destination }), events };
}

/** Real pauses, which the test may end before their time. */
function shortenedPauses(): { readonly sleep: Sleep; readonly pauses: number[]; release(): void } {
  const pauses: number[] = [];
  let over = new AbortController();
  return {
    pauses,
    async sleep(ms, signal) {
      if (ms > 0) pauses.push(ms);
      await sleep(ms, AbortSignal.any([signal, over.signal]));
      return !signal.aborted;
    },
    release() {
      over.abort();
      over = new AbortController();
    },
  };
}

/** The project's hook tells of a ticket, and of nothing that is new. */
async function arrive(house: House, id: string): Promise<void> {
  await house.deliveries.accept(
    deliveryAbout(house, id, [1], { ignored: { reason: 'own-label', dependsOnConfiguration: false } }),
  );
}

const openIssue = (house: House): string => house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;

test('auto: a listing beside the webhooks brings what no delivery did, and says so', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY) });
  openIssue(house);
  const polling = startPolling(house, { arrivals: house.deliveries.arrivals });
  expect(await polling.poll('api', () => true)).toMatchObject({
    engine: 'streaming',
    engineReason: undefined,
    claimed: 1,
    recovered: 1,
    effectiveIntervalMs: HOURLY.intervalMs,
  });
});

test('auto: what the first listing finds is no reason for doubt', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY) });
  openIssue(house);
  let looks = 0;
  const arrivals = async () => {
    looks += 1;
    return new Map<string, number>();
  };
  const polling = startPolling(house, { arrivals, engineDoubtMs: 20 });
  await polling.poll('api', ({ recovered }) => recovered === 1);
  await until('it was looked at after the doubt would have been over', () => looks > 5);
  expect(polling.polls).toHaveLength(1);
});

test('auto: deliveries that have stopped are polled for at once', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY, OFTEN) });
  const { arrivals } = house.deliveries;
  const pauses = shortenedPauses();
  const polling = startPolling(house, { ...pauses, arrivals, engineDoubtMs: 100 });
  await until('it pauses', () => pauses.pauses.length === 1);
  const missed = openIssue(house);
  pauses.release();
  await polling.poll('api', ({ recovered }) => recovered === 1);
  expect(house.hub.ledger.lifecycleHistory(missed)).toEqual(['enqueued']);
  // Its next listing is an hour away, and nobody ends that pause but the doubt.
  const fallen = await polling.poll('api', ({ engine }) => engine === 'polling');
  expect(fallen).toMatchObject({ engineReason: 'deliveries-stopped', effectiveIntervalMs: OFTEN.intervalMs });
  openIssue(house);
  expect(await polling.poll('api', ({ engine, claimed }) => engine === 'polling' && claimed === 1)).toMatchObject({
    recovered: 0,
  });
});

test('auto: a delivery brings streaming back, but not before a fallback has lasted as long as streaming pauses', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto({ intervalMs: 400, jitterPercent: 0 }) });
  const { log, events } = listenToLog();
  const polling = startPolling(house, { log, arrivals: house.deliveries.arrivals, engineDoubtMs: 20 });
  const untilEvents = (count: number): Promise<boolean> => until(`event ${count}`, () => events.length >= count);
  await polling.poll('api', ({ engine }) => engine === 'streaming');
  openIssue(house);
  await untilEvents(2);
  const fellAtMs = performance.now();
  await arrive(house, 'again');
  await untilEvents(3);
  expect(performance.now() - fellAtMs).toBeGreaterThan(300);
  // And the same once more.
  openIssue(house);
  await untilEvents(4);
  expect(events).toEqual([
    'event_engine_started streaming',
    'event_engine_fallback polling deliveries-stopped',
    'event_engine_recovered streaming',
    'event_engine_fallback polling deliveries-stopped',
  ]);
});

test('auto: a missed change while deliveries come in is a loss, not an end of them', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY) });
  const { log, events } = listenToLog();
  const pauses = shortenedPauses();
  let looks = 0;
  const arrivals = async () => {
    looks += 1;
    return await house.deliveries.arrivals();
  };
  const polling = startPolling(house, { ...pauses, log, arrivals, engineDoubtMs: 100 });
  await until('it pauses', () => pauses.pauses.length === 1);
  openIssue(house);
  pauses.release();
  await polling.poll('api', ({ recovered }) => recovered === 1);
  await arrive(house, 'of our own label');
  const seen = looks;
  await until('it was looked at after the doubt would have been over', () => looks > seen + 3);
  expect(polling.polls).toHaveLength(2);
  expect(events).toEqual(['event_engine_started streaming']);
});

test('auto: while Redis is away the last known deliveries count', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto() });
  const { log, events } = listenToLog();
  let away = false;
  let asked = 0;
  const arrivals = async () => {
    asked += 1;
    if (away) throw new Error('redis is unreachable');
    return new Map([['api', 1]]);
  };
  const polling = startPolling(house, { log, arrivals, engineDoubtMs: 60 });
  await polling.poll('api', () => true);
  away = true;
  const before = asked;
  await until('it was asked in vain', () => asked > before + 3);
  expect(polling.polls.every(({ engine }) => engine === 'streaming')).toBe(true);
  expect(events).toEqual(['event_engine_started streaming']);
});

test('auto: without a listener it polls, and streams as soon as there is one', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto() });
  const { log, events } = listenToLog();
  let up = false;
  const polling = startPolling(house, { log, listenerUp: () => up });
  expect(await polling.poll('api', () => true)).toMatchObject({ engine: 'polling', engineReason: 'listener-down' });
  up = true;
  await polling.poll('api', ({ engine, engineReason }) => engine === 'streaming' && engineReason === undefined);
  expect(events).toEqual(['event_engine_fallback polling listener-down', 'event_engine_recovered streaming']);
});

test('auto: a listener that goes away is noticed between two listings', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY, HOURLY) });
  let up = true;
  const polling = startPolling(house, { listenerUp: () => up, engineDoubtMs: 20 });
  await polling.poll('api', ({ engine }) => engine === 'streaming');
  up = false;
  await polling.poll('api', ({ engineReason }) => engineReason === 'listener-down');
});

test('auto: without a secret it polls at the interval of the project', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => auto(HOURLY)({ ...plain, triggers: new Set(['poll', 'manual', 'reconcile']) }),
  });
  const polling = startPolling(house);
  await until('it is polled again and again', () => polling.polls.length > 2);
  expect(polling.polls[0]).toMatchObject({ engine: 'polling', engineReason: 'no-secret', recovered: 0 });
});

test('a reload that changes the engine: the old loop ends, and a ticket is claimed once', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(OFTEN) });
  const { log, events } = listenToLog();
  const ticket = openIssue(house);
  const reads = house.hub.faults.inject({ path: /\/issues\/1$/, times: 1 }, { kind: 'latency', delayMs: 100 });
  const polling = startPolling(house, { log });
  await reads.hit();
  const [project] = house.catalog.projects;
  if (project === undefined) throw new Error('no project');
  polling.reload({ ...house.catalog, hash: 'next', projects: [{ ...project, engine: { mode: 'polling' } }] });
  await polling.poll('api', ({ engine }) => engine === 'polling');
  await until('it is claimed', () => house.labelsOf(1).includes('agent-smith:enqueued'));
  const before = polling.polls.length;
  await until('it goes on', () => polling.polls.length > before + 3);
  expect(polling.polls.slice(before).every(({ engine }) => engine === 'polling')).toBe(true);
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
  expect(events).toEqual(['event_engine_started streaming', 'event_engine_started polling']);
});

test('a reload while an engine is looked at: what the old loop was about to say is not said', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY, HOURLY) });
  const { log, events } = listenToLog();
  const answered = Promise.withResolvers<ReadonlyMap<string, number>>();
  let asked = false;
  const arrivals = () => {
    asked = true;
    return answered.promise;
  };
  const polling = startPolling(house, { log, arrivals });
  await until('it is looked at', () => asked);
  const [project] = house.catalog.projects;
  if (project === undefined) throw new Error('no project');
  polling.reload({ ...house.catalog, hash: 'next', projects: [{ ...project, engine: { mode: 'polling' } }] });
  await polling.poll('api', ({ engine }) => engine === 'polling');
  answered.resolve(new Map());
  await setImmediate();
  polling.endTerm();
  await polling.ended;
  expect(events).toEqual(['event_engine_started polling']);
});

test('after Redis lost its data a project that only webhooks reach is listed once', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: webhooksOnly });
  openIssue(house);
  let loss: string | undefined;
  let asked = 0;
  const lossOfData = () => {
    asked += 1;
    return loss;
  };
  const polling = startPolling(house, { lossOfData, engineDoubtMs: 10 });
  const seen = async (times: number): Promise<void> => {
    const before = asked;
    await until('it was looked at', () => asked > before + times);
  };
  await seen(3);
  expect(polling.polls).toEqual([]);
  loss = 'second incarnation';
  expect(await polling.poll('api', () => true)).toMatchObject({ result: 'ok', claimed: 1, engine: 'streaming' });
  expect(polling.asked).toMatchObject([{ ticketId: '1', trigger: 'reconcile' }]);
  openIssue(house);
  await seen(6);
  expect(polling.polls).toHaveLength(1);
});

test('a listing of a streaming project that fails is tried again soon, not when the next one would be due', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY, HOURLY) });
  const down = house.hub.faults.inject({ path: /issues\?/ }, { kind: 'answer', status: 502 });
  const pauses = shortenedPauses();
  const polling = startPolling(house, pauses);
  await polling.poll('api', ({ result }) => result === 'unavailable');
  down.remove();
  await until('it pauses', () => pauses.pauses.length === 1);
  expect(pauses.pauses[0]).toBeLessThan(120_000);
  pauses.release();
  await polling.poll('api', ({ result }) => result === 'ok');
  await until('it pauses for long', () => pauses.pauses.at(-1) === HOURLY.intervalMs);
});

test('after Redis lost its data a listing that fails is tried again', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: webhooksOnly });
  const down = house.hub.faults.inject({ path: /issues\?/ }, { kind: 'answer', status: 502 });
  const pauses = shortenedPauses();
  const polling = startPolling(house, { ...pauses, lossOfData: () => 'second incarnation' });
  await polling.poll('api', ({ result }) => result === 'unavailable');
  down.remove();
  await until('it pauses', () => pauses.pauses.length === 1);
  pauses.release();
  await polling.poll('api', ({ result }) => result === 'ok');
});

test.each([
  { what: 'whose claims failed', trusted: () => true, outcome: 'failed: redis-unavailable' },
  { what: 'whose claims were not begun, since the term was in doubt', trusted: () => false, outcome: undefined },
])('after Redis lost its data a listing $what is made again', async ({ trusted, outcome }) => {
  const house = await openHouse({ redisUrl: redis.url, projects: webhooksOnly });
  openIssue(house);
  const pauses = shortenedPauses();
  let isWell = false;
  const polling = startPolling(house, {
    ...pauses,
    lossOfData: () => 'second incarnation',
    // The listing itself is allowed: what it found is not taken in.
    trusted: () => isWell || polling?.looks() === 1 || trusted(),
    claim: async (request) =>
      isWell ? await house.claims.claim(request, polling.ending) : failed('redis-unavailable', 'it is down'),
  });
  const first = await polling.poll('api', ({ result }) => result === 'ok');
  expect(first).toMatchObject({ discovered: 1, claimed: 0, skipped: outcome === undefined ? {} : { [outcome]: 1 } });
  await until('it pauses', () => pauses.pauses.length === 1);
  isWell = true;
  pauses.release();
  await polling.poll('api', ({ claimed }) => claimed === 1);
  await until('it pauses again', () => pauses.pauses.length === 2);
  pauses.release();
  await until('it has nothing to do', () => pauses.pauses.length === 3);
  expect(polling.polls).toHaveLength(2);
});

test('a listing of a streaming project whose claims failed is made again soon', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY, HOURLY) });
  openIssue(house);
  const pauses = shortenedPauses();
  let isWell = false;
  const polling = startPolling(house, {
    ...pauses,
    claim: async (request) =>
      isWell ? await house.claims.claim(request, polling.ending) : failed('contended', 'another claims it'),
  });
  await polling.poll('api', ({ result }) => result === 'ok');
  await until('it pauses', () => pauses.pauses.length === 1);
  expect(pauses.pauses[0]).toBeLessThan(120_000);
  isWell = true;
  pauses.release();
  await polling.poll('api', ({ claimed }) => claimed === 1);
  await until('it pauses for long', () => pauses.pauses.at(-1) === HOURLY.intervalMs);
});

test('after Redis lost its data a project that is listed rarely is listed at once', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: auto(HOURLY) });
  let loss: string | undefined;
  const polling = startPolling(house, { lossOfData: () => loss, engineDoubtMs: 10 });
  await polling.poll('api', () => true);
  loss = 'second incarnation';
  await until('it is listed again', () => polling.polls.length === 2);
});
