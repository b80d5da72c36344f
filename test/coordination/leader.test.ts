/** What a leader does when its work is over, and what it says of itself. Between processes: leader-processes.test.ts. */
import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { createLeader, type Leader, type Term, TermLost } from '../../src/coordination/leader.ts';
import { createLeases, type Leases, trustMs } from '../../src/coordination/lease.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import { sleep } from '../../src/foundation/loop.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection } from '../../src/redis/connection.ts';
import { FAST, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const KEY = 'agentsmith:leader:poller';

async function openLeases(timing = FAST): Promise<Leases> {
  const address = parseRedisUrl(redis.url);
  if (!address.ok) throw new Error(address.problem);
  const connection = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: DEFAULT_TIMING,
    blockMs: 100,
    freshServer: true,
    log: silentLog,
  });
  onTestFinished(() => connection.close());
  await connection.whenUp(AbortSignal.timeout(10_000));
  return createLeases(connection, timing);
}

const untilOver = async (term: Term): Promise<void> => void (await sleep(60_000, term.signal));

/** Runs until the test is over. */
function run(leader: Leader): { readonly stop: () => Promise<void>; readonly signal: AbortSignal } {
  const ending = new AbortController();
  const running = leader.run(ending.signal);
  const stop = async (): Promise<void> => {
    ending.abort();
    await running;
  };
  onTestFinished(stop);
  return { stop, signal: ending.signal };
}

function lead(leases: Leases, instance: string, work: (term: Term) => Promise<void>, timing = FAST): Leader {
  return createLeader(leases, { role: 'poller', instance, timing, log: silentLog, work });
}

test('one leads and says so, the other knows who; the lease names the instance', async () => {
  const leases = await openLeases();
  const one = lead(leases, 'one', untilOver);
  run(one);
  await until('it leads', () => one.status().position === 'leader');
  const two = lead(leases, 'two', untilOver);
  run(two);
  await until('it knows', () => two.status().holder === 'one');
  expect(one.status()).toMatchObject({ role: 'poller', holder: 'one', epoch: expect.any(Number), problem: undefined });
  expect(two.status()).toMatchObject({ position: 'follower', epoch: undefined, problem: undefined });
  expect(await redis.client.get(KEY)).toMatch(/^one:[0-9a-f-]{36}$/);
});

test.each([
  ['throws', async () => Promise.reject(new Error('bad cycle')), 'bad cycle'],
  ['returns', async () => {}, 'its work ended'],
])(
  'leader: work that %s -> the lease is given up, another replica may try, and the status says why',
  async (_, work, why) => {
    const leases = await openLeases();
    const bad = lead(leases, 'bad', work);
    run(bad);
    await until('it has failed', () => bad.status().problem === why);
    expect(bad.status().position).toBe('follower');
    const good = lead(leases, 'good', untilOver);
    run(good);
    await until('the good one leads', () => good.status().position === 'leader');
    await until('the bad one follows', () => bad.status().holder === 'good');
    expect(bad.status().problem).toBe(why);
  },
);

test('leader: a failing term is tried again after a back-off that doubles, and forgiven once a term is renewed', async () => {
  const timing = { ...FAST, leaseRenewMs: 200 };
  const leases = await openLeases(timing);
  const begun: number[] = [];
  let broken = true;
  const leader = lead(
    leases,
    'one',
    async (term) => {
      begun.push(performance.now());
      if (broken) throw new Error('bad cycle');
      await untilOver(term);
    },
    timing,
  );
  run(leader);
  await until('it was tried five times', () => begun.length === 5);
  broken = false;
  const pauses = begun.slice(1).map((at, index) => at - (begun[index] ?? 0));
  for (const [index, pause] of pauses.entries())
    expect(pause).toBeGreaterThanOrEqual((timing.leaseRenewMs / 10) * 2 ** index - 2);
  await until('it leads', () => leader.status().position === 'leader');
  expect(leader.status().problem).toBe('bad cycle');
  await until('it is forgiven', () => leader.status().problem === undefined);
});

test('a lease that was taken away ends the term before the work finds out, and nothing of the other is touched', async () => {
  const leases = await openLeases();
  const terms: Term[] = [];
  const leader = lead(leases, 'one', async (term) => {
    terms.push(term);
    await untilOver(term);
  });
  run(leader);
  const term = await until('it leads', () => terms[0]);
  await redis.client.set(KEY, 'somebody:else', 'PX', 60_000);
  await until('the term is over', () => term.signal.aborted);
  expect(term.trusted()).toBe(false);
  expect(() => term.assertTrusted()).toThrow(TermLost);
  await until('it knows the holder', () => leader.status().holder === 'somebody');
  expect(await redis.client.get(KEY)).toBe('somebody:else');
});

test('a leader that ends gives its lease up at once and waits for its work', async () => {
  const leases = await openLeases();
  let ended = false;
  const leader = lead(leases, 'one', async (term) => {
    await untilOver(term);
    // Long before it would have expired.
    await until('the lease is free', async () => (await redis.client.exists(KEY)) === 0, FAST.leaseTtlMs / 3);
    ended = true;
  });
  const { stop } = run(leader);
  await until('it leads', () => leader.status().position === 'leader');
  await stop();
  expect(ended).toBe(true);
});

test('work that stops because its term is over is no failure', async () => {
  const leases = await openLeases();
  const leader = lead(leases, 'one', async (term) => {
    await untilOver(term);
    term.assertTrusted();
  });
  const { stop } = run(leader);
  await until('it leads', () => leader.status().position === 'leader');
  await stop();
  expect(leader.status().problem).toBe(undefined);
});

test('following for long leaves no listeners behind on the signal of the process', async () => {
  const timing = scaleTiming(DEFAULT_TIMING, 0.002);
  const leases = await openLeases(timing);
  await redis.client.set(KEY, 'somebody:else');
  let tries = 0;
  const counting: Leases = { ...leases, acquire: (...args) => ((tries += 1), leases.acquire(...args)) };
  const { signal } = run(lead(counting, 'one', untilOver, timing));
  await until('it has tried often', () => tries > 50);
  expect(getEventListeners(signal, 'abort').length).toBeLessThan(5);
});

test('trust runs out before the lease does, whatever the timing is scaled by', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 10, noNaN: true }), (factor) => {
      const timing = scaleTiming(DEFAULT_TIMING, factor);
      expect(trustMs(timing)).toBeLessThan(timing.leaseTtlMs);
      // Two renewals may be missed before trust is lost.
      expect(trustMs(timing)).toBeGreaterThan(2 * timing.leaseRenewMs);
    }),
  );
});
