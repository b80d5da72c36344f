/** One budget for all replicas: two processes' worth of transports on one real Redis, judged by the emulator's ledger. */
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createApiBudget } from '../../src/coordination/api-budget.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import type { Moment } from '../../src/foundation/clock.ts';
import type { Log } from '../../src/foundation/log.ts';
import { type CallPurpose, PlatformError } from '../../src/platforms/contract.ts';
import type { Dialect, ObservedLimit } from '../../src/platforms/error-kinds.ts';
import { githubDialect } from '../../src/platforms/github/errors.ts';
import { createRateLimits } from '../../src/platforms/rate-limits.ts';
import { createTransport, type Transport } from '../../src/platforms/transport.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { silentLog } from '../support/house.ts';
import { movableClock } from '../support/movable-clock.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const HOUR_MS = 3_600_000;

async function connect(): Promise<RedisConnection> {
  const address = parseRedisUrl(redis.url);
  if (!address.ok) throw new Error(address.problem);
  const connection = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { ...DEFAULT_TIMING, redisProbeMs: 50 },
    blockMs: 200,
    log: silentLog,
  });
  onTestFinished(() => connection.close());
  await connection.whenUp(AbortSignal.timeout(10_000));
  return connection;
}

async function startHub(): Promise<GitHubEmulator> {
  const hub = createGitHubEmulator({
    tokens: { bot: { token: 'ghp_bot-token-of-tests' }, other: { token: 'ghp_other-token-of-tests' } },
    repositories: ['org/api'],
  });
  await hub.start();
  onTestFinished(() => hub.close());
  return hub;
}

interface Replica {
  /** One request; undefined when it was answered. */
  ask(path?: string, purpose?: CallPurpose): Promise<PlatformError | undefined>;
  readonly transport: Transport;
}

/** A replica's transport for one token of the hub. */
function replicaOf(connection: RedisConnection, hub: GitHubEmulator, token = 'bot', dialect = githubDialect): Replica {
  const transport = createTransport({
    credentialId: token,
    origin: hub.url,
    limits: createApiBudget({ redis: connection, log: silentLog }, token),
    unstatedWaitMs: 300,
  });
  return {
    transport,
    ask(path = '/repos/org/api/issues', purpose = 'claim') {
      const call = { purpose, deadlineMs: 5_000, signal: new AbortController().signal };
      const headers = { authorization: `token ghp_${token}-token-of-tests` };
      return transport
        .run({ name: 'ask', call, dialect }, ({ fetch }) => fetch(`${hub.url}${path}`, { headers }))
        .then(
          () => undefined,
          (error: unknown) => {
            if (error instanceof PlatformError) return error;
            throw error;
          },
        );
    },
  };
}

const limited =
  (status: number, headers: Record<string, string>, body: unknown = {}) =>
  (hub: GitHubEmulator) =>
    hub.faults.inject({ token: 'bot', times: 1 }, { kind: 'answer', status, headers, body });

test.each<[string, (hub: GitHubEmulator) => unknown, number]>([
  ['429 with Retry-After', limited(429, { 'retry-after': '0.4' }), 400],
  ['429 without it', limited(429, {}), 300],
  ['429 in plain text', limited(429, { 'content-type': 'text/plain' }, 'Retry later'), 300],
  ['403 of a secondary limit', (hub) => hub.imposeSecondaryLimit({ token: 'bot', times: 1 }), 300],
  ['503 with Retry-After', limited(503, { 'retry-after': '0.4' }), 400],
  ['200 with Retry-After', limited(200, { 'retry-after': '0.4' }, []), 400],
])('after a %s no replica calls before the time named, and another credential goes on', async (_, limit, waitMs) => {
  const hub = await startHub();
  const [first, second] = await Promise.all([connect(), connect()]);
  const [one, two, other] = [replicaOf(first, hub), replicaOf(second, hub), replicaOf(second, hub, 'other')];
  expect([await one.ask(), await two.ask()]).toEqual([undefined, undefined]);
  limit(hub);
  await one.ask();
  const [refused] = hub.ledger.requests({ token: 'bot' }).slice(-1);
  const before = hub.ledger.requests({ token: 'bot' }).length;
  const held = await two.ask();
  expect(held).toMatchObject({ kind: 'rate-limited', status: undefined, effect: 'none' });
  expect(held?.retryAfterMs).toBeLessThanOrEqual(waitMs);

  // Both try as often as they can.
  await until('it is let through', async () => {
    const answers = await Promise.all([one.ask(), two.ask(), other.ask()]);
    expect(answers[2]).toBeUndefined();
    return answers[0] === undefined && answers[1] === undefined;
  });
  const next = hub.ledger.requests({ token: 'bot' })[before];
  expect((next?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(waitMs);
  expect(hub.ledger.requests({ token: 'other' }).length).toBeGreaterThan(1);
});

test('a wait for one path holds that path in every replica, and no other', async () => {
  const hub = await startHub();
  const dialect: Dialect = { limit: (_, status) => (status === 429 ? { only: 'path', waitMs: 60_000 } : {}) };
  const [first, second] = await Promise.all([connect(), connect()]);
  const [one, two] = [replicaOf(first, hub, 'bot', dialect), replicaOf(second, hub, 'bot', dialect)];
  hub.faults.inject({ path: /labels$/, times: 1 }, { kind: 'answer', status: 429 });
  expect(await one.ask('/repos/org/api/labels')).toMatchObject({ status: 429 });
  expect(await two.ask('/repos/org/api/labels')).toMatchObject({ kind: 'rate-limited', status: undefined });
  expect(await two.ask()).toBeUndefined();
  expect(hub.ledger.requests({ path: /labels/ })).toHaveLength(1);
});

test('what one replica uses up is kept for work by the other', async () => {
  const hub = await startHub();
  hub.rateLimits.set('bot', { limit: 100, remaining: 12, resetAtMs: Date.now() + 600_000 });
  const [first, second] = await Promise.all([connect(), connect()]);
  const [one, two] = [replicaOf(first, hub), replicaOf(second, hub)];
  await one.ask();
  expect(await two.ask('/repos/org/api', 'discovery')).toBeUndefined();
  for (const replica of [one, two]) {
    const held = await replica.ask('/repos/org/api', 'discovery');
    expect(held).toMatchObject({ kind: 'rate-limited', status: undefined });
    expect(held?.retryAfterMs).toBeGreaterThan(590_000);
    expect(await replica.ask('/repos/org/api', 'label')).toBeUndefined();
  }
  expect((await two.transport.limits.look()).window).toMatchObject({ limit: 100, remaining: 8, windowMs: HOUR_MS });
});

test('the clocks of the replicas do not matter', async () => {
  const connection = await connect();
  const time = movableClock();
  const wrong = (): Moment => ({ monotonicMs: 5, uptimeMs: 5, wallMs: 5 });
  const told = createApiBudget({ redis: connection, log: silentLog }, 'bot', wrong);
  const asked = createApiBudget({ redis: connection, log: silentLog }, 'bot', time.clock);
  await told.learn({ waitMs: 60_000 }, 'GET /');
  const { waitMs = 0 } = (await asked.hold('claim', 'GET /')) ?? {};
  expect(waitMs).toBeGreaterThan(59_000);
  expect(waitMs).toBeLessThanOrEqual(60_000);
});

test('the key is named by the credential and ends with what it tells', async () => {
  const limits = createApiBudget({ redis: await connect(), log: silentLog }, 'github~github.com~abc');
  const ttl = () => redis.client.pttl('agentsmith:budget:github~github.com~abc');
  await limits.look();
  expect(await ttl()).toBe(-2);
  await limits.learn({ waitMs: 60_000 }, 'GET /');
  expect(await ttl()).toBeGreaterThan(59_000);
  await limits.learn({ waitMs: 90_000, only: 'path' }, 'GET /');
  await limits.learn({ limit: 10, remaining: 5, resetMs: 30_000 }, 'GET /');
  expect(await ttl()).toBeGreaterThan(89_000);
  expect(await ttl()).toBeLessThanOrEqual(90_000);
});

test('waits for single paths are forgotten when they are over', async () => {
  const limits = createApiBudget({ redis: await connect(), log: silentLog }, 'bot');
  await limits.learn({ waitMs: 5, only: 'path' }, 'PUT /issue/1');
  await until('it is over', async () => (await limits.hold('label', 'PUT /issue/1')) === undefined);
  await limits.learn({ waitMs: 60_000, only: 'path' }, 'PUT /issue/2');
  expect(await redis.client.hkeys('agentsmith:budget:bot')).toEqual(['only:PUT /issue/2']);
});

test('an answer that says nothing new costs no write', async () => {
  const connection = await connect();
  let scripts = 0;
  const counting: Pick<RedisConnection, 'keys' | 'script'> = {
    keys: connection.keys,
    script: (...call) => {
      scripts += 1;
      return connection.script(...call);
    },
  };
  const limits = createApiBudget({ redis: counting, log: silentLog }, 'bot');
  const said: ObservedLimit = { limit: 5_000, remaining: 4_000, resetMs: HOUR_MS, windowMs: HOUR_MS };
  await limits.learn(said, 'GET /');
  // A 304 is free, so it shows the same remainder.
  await limits.learn(said, 'GET /');
  await limits.learn({}, 'GET /');
  expect(scripts).toBe(1);
});

test('Redis away: what this replica saw counts, no call is stopped, it is said once, and the others hear of it afterwards', async () => {
  const connection = await connect();
  const said: string[] = [];
  const log = { debug: (_: object, text: string) => said.push(text) } as unknown as Log;
  const limits = createApiBudget({ redis: connection, log }, 'bot');
  await redis.server.kill('SIGKILL');
  await until('it is noticed', () => connection.status().state === 'down');
  expect(await limits.hold('discovery', 'GET /')).toBeUndefined();
  await limits.learn({ waitMs: 60_000, limit: 100, remaining: 7, resetMs: 90_000, windowMs: HOUR_MS }, 'GET /');
  expect(await limits.hold('claim', 'GET /')).toMatchObject({ why: 'asked-to-wait' });
  expect(said).toHaveLength(1);

  await redis.server.restart();
  await until('it is back', () => connection.status().state === 'up');
  await limits.look();
  const other = await createApiBudget({ redis: connection, log: silentLog }, 'bot').look();
  expect(other.heldMs).toBeGreaterThan(50_000);
  expect(other.window).toMatchObject({ limit: 100, remaining: 7 });
});

test('Redis loses its data without a word: whoever still knows of a wait tells the others', async () => {
  const connection = await connect();
  const one = createApiBudget({ redis: connection, log: silentLog }, 'bot');
  const other = createApiBudget({ redis: connection, log: silentLog }, 'bot');
  await one.learn({ waitMs: 60_000, limit: 100, remaining: 7, resetMs: 90_000, windowMs: HOUR_MS }, 'GET /');
  await redis.client.flushall();
  expect(await one.hold('claim', 'GET /')).toMatchObject({ why: 'asked-to-wait' });
  expect((await other.hold('claim', 'GET /'))?.waitMs).toBeGreaterThan(50_000);
  expect(other.budget().window).toMatchObject({ limit: 100, remaining: 7 });
});

test('what a wait of one path told after an outage does not hide the wait of the credential', async () => {
  const connection = await connect();
  let away = true;
  const flaky: Pick<RedisConnection, 'keys' | 'script'> = {
    keys: connection.keys,
    script: (...call) => (away ? Promise.reject(new Error('away')) : connection.script(...call)),
  };
  const limits = createApiBudget({ redis: flaky, log: silentLog }, 'bot');
  await limits.learn({ waitMs: 60_000 }, 'GET /');
  away = false;
  await limits.learn({ waitMs: 5_000, only: 'path' }, 'PUT /issue/1');
  expect((await createApiBudget({ redis: connection, log: silentLog }, 'bot').look()).heldMs).toBeGreaterThan(50_000);
});

test('whoever only looks heeds the others, keeps to itself what it is told, and writes nothing after an outage either', async () => {
  const connection = await connect();
  const replica = createApiBudget({ redis: connection, log: silentLog }, 'bot');
  const onlooker = createApiBudget({ redis: connection, log: silentLog, listensOnly: true }, 'bot');
  await replica.learn({ waitMs: 60_000 }, 'GET /');
  expect(await onlooker.hold('inspect', 'GET /')).toMatchObject({ why: 'asked-to-wait' });
  await onlooker.learn({ waitMs: 90_000, limit: 100, remaining: 7, resetMs: 90_000, windowMs: HOUR_MS }, 'GET /');
  expect(onlooker.budget()).toMatchObject({ window: { remaining: 7 } });
  expect((await replica.look()).window).toBeUndefined();
  await redis.client.flushall();
  await onlooker.look();
  expect(await redis.client.exists('agentsmith:budget:bot')).toBe(0);
});

test('a clock of Redis that was corrected, or a failover to another one, holds nobody back for ever', async () => {
  const limits = createApiBudget({ redis: await connect(), log: silentLog }, 'bot');
  const tomorrow = Date.now() + 24 * HOUR_MS;
  await redis.client.hset('agentsmith:budget:bot', {
    until: tomorrow,
    'only:GET /': tomorrow,
    limit: 100,
    remaining: 0,
    resetAt: tomorrow,
    windowMs: HOUR_MS,
  });
  expect(await limits.hold('discovery', 'GET /')).toBeUndefined();
  await limits.learn({ limit: 100, remaining: 60, resetMs: 60_000, windowMs: 60_000 }, 'GET /');
  expect((await limits.look()).window).toMatchObject({ remaining: 60 });
});

const observed: fc.Arbitrary<ObservedLimit> = fc.oneof(
  fc.record({
    limit: fc.constant(100),
    remaining: fc.nat(100),
    // Two windows and the seconds by which their ends are told apart; never close to where the rules change.
    resetMs: fc.tuple(fc.constantFrom(600_000, 1_200_000), fc.nat(1_000)).map(([end, more]) => end + more),
    windowMs: fc.constant(100_000),
  }),
  fc.record({ waitMs: fc.constantFrom(0, 100_000, 200_000) }),
  fc.record({ waitMs: fc.constantFrom(150_000, 250_000), only: fc.constant('path' as const) }),
);

test('Redis and the memory of a process keep to the same rules', async () => {
  const connection = await connect();
  const place = fc.constantFrom('GET /a', 'PUT /a');
  let credentials = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(observed, place), { minLength: 1, maxLength: 8 }), async (answers) => {
      credentials += 1;
      const credential = `bot-${credentials}`;
      const { clock } = movableClock();
      const alone = createRateLimits(clock);
      for (const [answer, at] of answers) {
        await alone.learn(answer, at);
        // Each answer comes to a replica that knows nothing yet, so that Redis does all of the merging.
        await createApiBudget({ redis: connection, log: silentLog }, credential, clock).learn(answer, at);
      }
      const heard = createApiBudget({ redis: connection, log: silentLog }, credential, clock);
      const near = (ms: number): number => Math.round(ms / 10_000);
      const shown = ({ heldMs, window }: ReturnType<typeof alone.budget>): unknown[] => [
        near(heldMs),
        window?.remaining,
        near(window?.resetMs ?? 0),
      ];
      expect(shown(await heard.look())).toEqual(shown(alone.budget()));
      for (const at of ['GET /a', 'PUT /a']) {
        const holds = await Promise.all([heard.hold('claim', at), alone.hold('claim', at)]);
        expect(near(holds[0]?.waitMs ?? 0)).toBe(near(holds[1]?.waitMs ?? 0));
      }
    }),
    { numRuns: 40 },
  );
});
