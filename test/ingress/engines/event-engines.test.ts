/** One contract, two engines: what wakes the ingress may be the clock or an inbox in real Redis. */
import { expect, onTestFinished, test } from 'vitest';
import type { EventEngine, Wake } from '../../../src/ingress/engines/event-engine.ts';
import { createPollingEngine } from '../../../src/ingress/engines/polling-engine.ts';
import { createStreamingEngine } from '../../../src/ingress/engines/streaming-engine.ts';
import type { NudgedEngine } from '../../../src/ingress/engines/wake-source.ts';
import { type House, openHouse, silentLog } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { deliveryAbout } from '../deliveries/inbox-room.ts';

const redis = useRedis();
const LONG_MS = 60_000;
/** Longer than a look into Redis takes, shorter than any pause of these engines. */
const SHORT_MS = 50;

interface EngineAtWork {
  readonly engine: EventEngine;
  readonly reason: Wake['reason'];
  /** Gives it a reason to wake. */
  happen(): Promise<void>;
}

/** At rest: what it would wake for at its start is over. */
const engines: [string, () => Promise<EngineAtWork>][] = [
  [
    'polling',
    async () => {
      const engine = opened(createPollingEngine({ pauseMs: () => LONG_MS }));
      await engine.start();
      await engine.nextWake(LONG_MS);
      return { engine, reason: 'full_reconcile', happen: async () => engine.nudge() };
    },
  ],
  [
    'streaming',
    async () => {
      const house = await openHouse({ redisUrl: redis.url });
      const engine = streaming(house);
      await engine.start();
      let sent = 0;
      const happen = async (): Promise<void> => {
        sent += 1;
        await house.deliveries.accept(deliveryAbout(house, String(sent), [sent]));
        engine.nudge();
      };
      return { engine, reason: 'ticket_hint', happen };
    },
  ],
];

function opened<E extends EventEngine>(engine: E): E {
  onTestFinished(() => engine.stop());
  return engine;
}

function streaming({ deliveries }: House, free = (): number => 10, inboxScanMs = LONG_MS): NudgedEngine {
  return opened(createStreamingEngine({ take: deliveries.take, log: silentLog }, { inboxScanMs, free }));
}

const ticketsOf = (wake: Wake | undefined): string[] =>
  wake?.reason === 'ticket_hint' ? wake.tickets.map(({ ticketId }) => ticketId) : [];

test.each(engines)('%s: no wake within the time answers undefined, and the next one is not lost', async (_, open) => {
  const { engine, reason, happen } = await open();
  expect(await engine.nextWake(SHORT_MS)).toBeUndefined();
  await happen();
  expect(await engine.nextWake(LONG_MS)).toMatchObject({ reason });
});

test.each(engines)('%s: what happens while it is waited for wakes at once', async (_, open) => {
  const { engine, reason, happen } = await open();
  const waiting = engine.nextWake(LONG_MS);
  await happen();
  expect(await waiting).toMatchObject({ reason });
});

test.each(engines)('%s: what happens while nobody waits wakes whoever comes next, once', async (_, open) => {
  const { engine, reason, happen } = await open();
  await happen();
  expect(await engine.nextWake(LONG_MS)).toMatchObject({ reason });
  await engine.nextWake(SHORT_MS);
  expect(await engine.nextWake(SHORT_MS)).toBeUndefined();
});

test.each(engines)('%s: a stop wakes whoever waits with shutdown, and so every later one', async (_, open) => {
  const { engine, happen } = await open();
  const waiting = engine.nextWake(LONG_MS);
  engine.stop();
  expect(await waiting).toEqual({ reason: 'shutdown' });
  await happen();
  expect(await engine.nextWake(LONG_MS)).toEqual({ reason: 'shutdown' });
  engine.stop();
  expect(await engine.nextWake(0)).toEqual({ reason: 'shutdown' });
});

test('polling: the first wake is at once, and each further one after a pause of its own', async () => {
  const pauses: number[] = [];
  let next = 0;
  const engine = opened(
    createPollingEngine({
      pauseMs: () => (next += 1_000),
      sleep: async (ms) => pauses.push(ms) > 0,
    }),
  );
  await engine.start();
  for (let ticks = 0; ticks < 20; ticks += 1)
    expect(await engine.nextWake(LONG_MS)).toEqual({ reason: 'full_reconcile' });
  expect(pauses.slice(0, 19)).toEqual(Array.from({ length: 19 }, (_, i) => (i + 1) * 1_000));
});

test('streaming: what is due already wakes at once, and a ticket is handed to one engine only', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  await house.deliveries.accept(deliveryAbout(house, 'a', [1, 2]));
  const [one, other] = [streaming(house), streaming(house)];
  const wakes = await Promise.all([one.nextWake(LONG_MS), other.nextWake(SHORT_MS)]);
  expect(wakes.flatMap(ticketsOf).toSorted()).toEqual(['1', '2']);
});

test('streaming: what another replica took in is found by looking, without a nudge', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const engine = streaming(house, undefined, 20);
  const waiting = engine.nextWake(LONG_MS);
  await house.deliveries.accept(deliveryAbout(house, 'a', [1]));
  expect(ticketsOf(await waiting)).toEqual(['1']);
});

test('streaming: no more tickets are taken than there is room for, and none when there is none', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  let room = 0;
  const engine = streaming(house, () => room);
  await house.deliveries.accept(deliveryAbout(house, 'a', [1, 2, 3]));
  expect(await engine.nextWake(SHORT_MS)).toBeUndefined();
  room = 2;
  engine.nudge();
  expect(ticketsOf(await engine.nextWake(LONG_MS))).toHaveLength(2);
  expect(ticketsOf(await engine.nextWake(LONG_MS))).toHaveLength(1);
});

test('streaming: it outlives Redis, throws nothing, and goes on by itself when Redis is back', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const pauses: number[] = [];
  const engine = opened(
    createStreamingEngine(
      { take: house.deliveries.take, log: silentLog },
      {
        inboxScanMs: 10,
        free: () => 10,
        sleep: async (ms, signal) => {
          pauses.push(ms);
          await new Promise((resolve) => setTimeout(resolve, 5));
          return !signal.aborted;
        },
      },
    ),
  );
  await redis.server.kill('SIGKILL');
  while (!pauses.includes(80)) expect(await engine.nextWake(SHORT_MS)).toBeUndefined();
  expect(Math.max(...pauses)).toBe(80);
  await redis.server.restart();
  await house.redis.whenUp(AbortSignal.timeout(10_000));
  await house.deliveries.accept(deliveryAbout(house, 'a', [1]));
  expect(ticketsOf(await engine.nextWake(LONG_MS))).toEqual(['1']);
  pauses.length = 0;
  await engine.nextWake(SHORT_MS);
  expect(pauses[0]).toBe(10);
});

test('streaming: a stop waits for no look that hangs', async () => {
  const take = (): Promise<never> => Promise.withResolvers<never>().promise;
  const engine = createStreamingEngine({ take, log: silentLog }, { inboxScanMs: LONG_MS, free: () => 10 });
  await engine.start();
  const wake = engine.nextWake(LONG_MS);
  engine.stop();
  expect(await wake).toEqual({ reason: 'shutdown' });
});
