/** The inequalities of time that the protocol rests on, computed from the options themselves (PROTOCOL 2, 3, 4, 6, 7, 9). */
import { describe, expect, test } from 'vitest';
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import { now } from '../../src/foundation/clock.ts';
import { leashCheckMs } from '../../src/worker/guard/leash.ts';
import { createTrust } from '../../src/worker/trust.ts';

const FACTORS = [1, 0.5, 0.1, 0.05, 0.02];

describe.each(FACTORS)('at factor %d', (factor) => {
  const t = scaleTiming(DEFAULT_TIMING, factor);

  test('a runner is gone before its heartbeat expires: trust ends, SIGTERM, SIGKILL, and only then the TTL', () => {
    expect(t.trustTermMs).toBeLessThan(t.trustKillMs);
    // The guard looks now and then: the worst case comes on top.
    expect(t.trustKillMs + leashCheckMs(t)).toBeLessThan(t.heartbeatTtlMs);
    expect(t.trustTermMs + t.stopGraceMs).toBeLessThanOrEqual(t.trustKillMs);
  });

  test('one lost beat costs nothing: two more fit into the trust, and each ends before the next', () => {
    expect(t.redisCommandMs).toBeLessThan(t.heartbeatMs);
    expect(3 * t.heartbeatMs + t.redisCommandMs).toBeLessThanOrEqual(t.trustTermMs);
  });

  test('a label is written only with more trust left than its call may take', () => {
    expect(t.claimCallMs).toBeLessThan(t.trustTermMs - t.heartbeatMs);
    expect(t.claimCallMs).toBeLessThan(t.leaseTtlMs - t.leaseMarginMs);
  });

  test('a cluster is asked for a change only with more trust left than that may take, and has its say before a retry', () => {
    expect(t.clusterCallMs).toBeLessThan(t.trustTermMs - t.heartbeatMs - t.redisCommandMs);
    expect(t.clusterRetryMs).toBeLessThan(t.clusterRetryMaxMs);
    expect(t.clusterQuietMs).toBeLessThan(t.clusterWatchMs);
  });

  test('a claim ends before its lock, and its label write before the lock too', () => {
    expect(t.claimDeadlineMs).toBeLessThan(t.claimLockTtlMs);
    expect(t.claimCallMs).toBeLessThan(t.claimLockReserveMs);
    expect(t.claimDeadlineMs + t.claimLockReserveMs).toBeLessThanOrEqual(t.claimLockTtlMs);
  });

  test("a ticket of the inbox is one taker's for longer than its claim may take, and what follows", () => {
    expect(t.claimDeadlineMs + 2 * t.redisCommandMs).toBeLessThan(t.inboxLeaseMs);
    expect(t.deliveryWriteMs).toBeLessThan(2_000 * factor + 3);
  });

  test('the trust of a leader ends before its lease, with room for two renewals', () => {
    expect(t.leaseMarginMs).toBeGreaterThan(0);
    expect(2 * t.leaseRenewMs).toBeLessThan(t.leaseTtlMs - t.leaseMarginMs);
    expect(t.redisCommandMs).toBeLessThan(t.leaseMarginMs);
  });

  test('nobody is declared dead before live workers had the time to report, or cut-off ones to end', () => {
    expect(t.recoveryRepairMs).toBeGreaterThan(t.heartbeatTtlMs);
    expect(t.recoveryRepairMs).toBeGreaterThan(t.trustKillMs + leashCheckMs(t));
    expect(t.recoveryClaimsMs).toBeGreaterThan(t.heartbeatMs + t.redisCommandMs);
    expect(t.recoveryClaimsMs).toBeLessThan(t.recoveryStartsMs);
    expect(t.recoveryStartsMs).toBeGreaterThan(t.trustKillMs + leashCheckMs(t));
    expect(t.recoveryStartsMs).toBeLessThan(t.recoveryRepairMs);
  });

  test('a dead attempt is handed back at most 55 s after its death', () => {
    expect(t.heartbeatTtlMs + t.staleConfirmMs + t.staleScanMs).toBeLessThanOrEqual(55_000 * factor + 3);
  });

  test('a hung Redis is noticed well before trust ends', () => {
    expect(t.redisProbeMs + t.redisCommandMs).toBeLessThan(t.trustTermMs / 2);
    expect(t.redisSocketMs).toBeLessThan(t.trustTermMs);
  });

  test("BullMQ's stalled check comes at least once in the time of a lock", () => {
    expect(t.queueStalledMs).toBeLessThan(t.queueLockMs);
  });

  test('the reconciler does not judge a claim that may still be at work', () => {
    expect(t.reconcileGraceMs).toBeGreaterThan(t.claimCallMs);
  });
});

test('scaling changes every duration and keeps it a positive whole number', () => {
  const tiny = scaleTiming(DEFAULT_TIMING, 0.000_001);
  expect(Object.keys(tiny)).toEqual(Object.keys(DEFAULT_TIMING));
  for (const ms of Object.values(tiny)) expect(ms).toBeGreaterThanOrEqual(1);
  for (const ms of Object.values(scaleTiming(DEFAULT_TIMING, 0.033))) expect(Number.isInteger(ms)).toBe(true);
});

test('trust runs from the sending time of the last accepted beat, on whichever clock has gone furthest', () => {
  const moment = now();
  const ago = (ms: number) => ({ ...moment, monotonicMs: moment.monotonicMs - ms });
  const trust = createTrust({ ...DEFAULT_TIMING, startedAt: ago(15_000) });
  expect(trust.trusted()).toBe(true);
  expect(trust.leftMs()).toBeLessThanOrEqual(5_000);
  trust.renew(ago(10_000));
  expect(trust.leftMs()).toBeGreaterThan(5_000);
  expect(trust.leftMs()).toBeLessThanOrEqual(10_000);
  // Suspended, or its wall clock set forward: trust ends at once.
  trust.renew({ ...moment, wallMs: moment.wallMs - 20_000 });
  expect(trust.trusted()).toBe(false);
  expect(trust.leftMs()).toBe(0);
  trust.renew({ ...moment, uptimeMs: moment.uptimeMs - 20_000 });
  expect(trust.trusted()).toBe(false);
});
