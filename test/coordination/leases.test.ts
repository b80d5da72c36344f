/** Whose lease it is, and from when a term is trusted: from the sending of what Redis accepted (PROTOCOL 9). */
import { expect, onTestFinished, test } from 'vitest';
import { createLeader, type Term, TermLost } from '../../src/coordination/leader.ts';
import { createLeases, type Leases, trustMs } from '../../src/coordination/lease.ts';
import { sleep } from '../../src/foundation/loop.ts';
import { heldFor } from '../support/held-answer.ts';
import { FAST, openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
/** Trusted for 600 ms, renewed twenty times in them. */
const TIMING = { ...FAST, leaseTtlMs: 700, leaseMarginMs: 100, leaseRenewMs: 30 };
const TRUST_MS = trustMs(TIMING);

async function openLeases(): Promise<Leases> {
  const house = await openHouse({ redisUrl: redis.url });
  return createLeases(house.redis, TIMING);
}

/** Leads until the test is over; its terms, in order. */
function lead(leases: Leases): readonly TermSeen[] {
  const terms: TermSeen[] = [];
  const leader = createLeader(leases, {
    role: 'poller',
    instance: 'one',
    timing: TIMING,
    log: silentLog,
    work: async (term) => {
      terms.push({ term, trustedAtFirst: term.trusted() });
      await sleep(60_000, term.signal);
    },
  });
  const ending = new AbortController();
  const running = leader.run(ending.signal);
  onTestFinished(async () => {
    ending.abort();
    await running;
  });
  return terms;
}

interface TermSeen {
  readonly term: Term;
  readonly trustedAtFirst: boolean;
}

test('a lease is renewed and given up by its holder alone', async () => {
  const leases = await openLeases();
  expect(await leases.acquire('poller', 'one:a')).toMatchObject({ kind: 'acquired' });
  expect(await leases.renew('poller', 'two:b')).toBe(false);
  expect(await leases.release('poller', 'two:b')).toBe(false);
  expect(await leases.holder('poller')).toBe('one');
  expect(await leases.renew('poller', 'one:a')).toBe(true);
  expect(await leases.release('poller', 'one:a')).toBe(true);
  expect(await leases.holder('poller')).toBeUndefined();
});

test('a later term has a larger epoch, also when the clock of Redis went back', async () => {
  const leases = await openLeases();
  const anHourAhead = Date.now() + 3_600_000;
  await redis.client.set('agentsmith:leader-epoch:poller', anHourAhead);
  expect(await leases.acquire('poller', 'one:a')).toEqual({ kind: 'acquired', epoch: anHourAhead + 1 });
});

test('after a loss of data nobody is given a lease while a leader that was forgotten may trust itself', async () => {
  const leases = await openLeases();
  await redis.client.hset('agentsmith:incarnation', 'since', Date.now());
  const reply = await leases.acquire('poller', 'one:a');
  expect(reply).toMatchObject({ kind: 'recovering', leftMs: expect.any(Number) });
  if (reply.kind === 'recovering') expect(reply.leftMs).toBeLessThanOrEqual(TRUST_MS);
  await redis.client.hset('agentsmith:incarnation', 'since', Date.now() - TRUST_MS);
  expect(await leases.acquire('poller', 'one:a')).toMatchObject({ kind: 'acquired' });
});

test('a lease whose answer came later than its trust begins a term that is over', async () => {
  const leases = await openLeases();
  const terms = lead({ ...leases, acquire: heldFor(TRUST_MS + 100, leases.acquire) });
  const { trustedAtFirst } = await until('it leads', () => terms[0]);
  expect(trustedAtFirst).toBe(false);
});

test('a renewal is trusted from when it was sent, however late its answer', async () => {
  const leases = await openLeases();
  let sentMs: number | undefined;
  const terms = lead({
    ...leases,
    // The first is answered late, and the next ones not at all.
    renew: async (role, value) => {
      if (sentMs !== undefined) return await new Promise(() => undefined);
      sentMs = performance.now();
      return await heldFor(TRUST_MS * 0.8, leases.renew)(role, value);
    },
  });
  const { term } = await until('it leads', () => terms[0]);
  await until('it is not trusted any more', () => !term.trusted());
  expect(performance.now() - (sentMs ?? 0)).toBeLessThan(TRUST_MS * 1.6);
});

test('a renewal that came too late for its own trust ends the term, though Redis has taken it', async () => {
  const leases = await openLeases();
  let renewals = 0;
  const terms = lead({
    ...leases,
    renew: async (role, value) => {
      renewals += 1;
      return await (renewals === 1 ? heldFor(TRUST_MS + 100, leases.renew) : leases.renew)(role, value);
    },
  });
  const { term } = await until('it leads', () => terms[0]);
  // In that moment: the next term renews too.
  let renewalsAtItsEnd = term.signal.aborted ? renewals : undefined;
  term.signal.addEventListener('abort', () => {
    renewalsAtItsEnd = renewals;
  });
  await until('the term is over', () => term.signal.aborted, 5_000);
  expect(renewalsAtItsEnd).toBe(1);
});

test('a leader whose renewals nobody accepts trusts itself no longer than its trust', async () => {
  const leases = await openLeases();
  const terms = lead({ ...leases, renew: () => Promise.reject(new Error('redis is away')) });
  const { term } = await until('it leads', () => terms[0]);
  await until('the term is over', () => term.signal.aborted, 5_000);
  expect(term.trusted()).toBe(false);
});

test('a term is trusted for an act only while its trust outlasts the act', async () => {
  const leases = await openLeases();
  const terms = lead({ ...leases, renew: () => new Promise(() => undefined) });
  const { term } = await until('it leads', () => terms[0]);
  expect(term.trusted()).toBe(true);
  expect(term.trusted(TRUST_MS)).toBe(false);
  expect(() => term.assertTrusted(TRUST_MS)).toThrow(TermLost);
});
