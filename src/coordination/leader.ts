/**
 * One replica leads a role, the others follow (PROTOCOL 9).
 *
 *   follower --acquire--> leader (a term: epoch, signal, trust)
 *      ^                    |  work ends or throws  -> release, back off
 *      |                    |  lease lost           -> nothing to release
 *      +--------------------+  no renewal accepted  -> trust ends before the lease does
 *
 * Invariants
 * - A term is trusted from the *sending* time of the last accepted renewal until TTL - margin, so the old leader has
 *   stopped trusting itself before Redis lets a new one in. `assertTrusted()` stands on the line before each side
 *   effect; the signal only wakes sleepers.
 * - The work is raced against the renewals: a leader whose work is over gives the lease up. It never looks alive and
 *   does nothing.
 * - What a crash leaves behind: a lease that expires. A graceful stop releases it and wakes the followers.
 * - Trust is not a fence: a write that is already on the wire still lands. So everything a leader does is safe twice.
 */
import { randomUUID } from 'node:crypto';
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { sleep } from '../foundation/loop.ts';
import type { Leases } from './lease.ts';

/** The time that one holder has the lease. */
export interface Term {
  readonly role: string;
  /** Larger for every later term. */
  readonly epoch: number;
  /** Aborts when the term ends, for whatever reason. */
  readonly signal: AbortSignal;
  trusted(): boolean;
  /** Throws `TermLost` when this replica may not lead any more. Cheap: compares clocks only. */
  assertTrusted(): void;
}

export class TermLost extends Error {
  constructor(role: string, epoch: number) {
    super(`the ${role} term ${epoch} is over`);
    this.name = 'TermLost';
  }
}

export interface LeaderStatus {
  readonly role: string;
  readonly position: 'leader' | 'follower';
  /** Instance that holds the lease, as far as this replica knows. */
  readonly holder: string | undefined;
  readonly epoch: number | undefined;
  /** Why the last term ended or could not begin; undefined while all is well. */
  readonly problem: string | undefined;
  /** Wall-clock ms of the last change of position. */
  readonly sinceMs: number;
}

export interface Leader {
  /** Competes and leads until the signal aborts; resolves when the work is over and the lease released. Never rejects. */
  run(signal: AbortSignal): Promise<void>;
  status(): LeaderStatus;
}

export interface LeaderOptions {
  readonly role: string;
  readonly instance: string;
  readonly timing: { readonly leaseTtlMs: number; readonly leaseRenewMs: number; readonly leaseMarginMs: number };
  readonly log: Log;
  /** The leader's work. Should last until `term.signal` aborts. */
  readonly work: (term: Term) => Promise<void>;
}

type TermEnd = { readonly kind: 'stopped' } | { readonly kind: 'lost'; readonly why: string } | WorkOver;
interface WorkOver {
  readonly kind: 'work-over';
  readonly why: string;
}

export function createLeader(leases: Leases, options: LeaderOptions): Leader {
  const { role, timing, instance } = options;
  const log = options.log.child({ role });
  let status: LeaderStatus = {
    role,
    position: 'follower',
    holder: undefined,
    epoch: undefined,
    problem: undefined,
    sinceMs: Date.now(),
  };
  const setStatus = (change: Partial<LeaderStatus>): void => {
    const moved = change.position !== undefined && change.position !== status.position;
    status = { ...status, ...change, sinceMs: moved ? Date.now() : status.sinceMs };
  };

  /** Renews until the term ends; says why it did. */
  const keepRenewing = async (value: string, term: TrustedTerm): Promise<TermEnd> => {
    let pauseMs = timing.leaseRenewMs;
    while (await sleep(Math.min(pauseMs, term.trustLeftMs()), term.signal)) {
      const sentAt = now();
      try {
        if (!(await leases.renew(role, value))) return { kind: 'lost', why: 'another replica holds the lease' };
        // After a pause the renewal may have come too late for our own trust, though Redis still took it.
        if (!term.trusted()) return { kind: 'lost', why: 'this replica was paused longer than its trust' };
        term.renewedAt(sentAt);
        pauseMs = timing.leaseRenewMs;
      } catch (error) {
        if (!term.trusted()) return { kind: 'lost', why: `no renewal was accepted: ${messageOf(error)}` };
        pauseMs = timing.leaseRenewMs / 10;
      }
    }
    return { kind: 'stopped' };
  };

  const lead = async (value: string, epoch: number, acquiredAt: Moment, signal: AbortSignal): Promise<TermEnd> => {
    const over = new AbortController();
    const term = createTerm(role, epoch, acquiredAt, timing.leaseTtlMs - timing.leaseMarginMs, [signal, over.signal]);
    setStatus({ position: 'leader', holder: instance, epoch });
    log.info({ epoch }, 'leading');
    const work = options.work(term).then(
      (): TermEnd => (term.signal.aborted ? { kind: 'stopped' } : { kind: 'work-over', why: 'its work ended' }),
      (error: unknown): TermEnd => ({ kind: 'work-over', why: messageOf(error) }),
    );
    const end = await Promise.race([work, keepRenewing(value, term)]);
    // The term is not trusted from here on, so the next leader need not wait for the work to notice.
    over.abort();
    setStatus({ position: 'follower', holder: undefined, epoch: undefined });
    if (end.kind !== 'lost') {
      await leases.release(role, value).catch((error: unknown) => {
        log.warn({ error: messageOf(error) }, 'lease not released, it will expire');
      });
    }
    const workEnd = await work;
    // Work that fails because the term is over is no failure of its own.
    return signal.aborted ? { kind: 'stopped' } : end.kind === 'stopped' ? workEnd : end;
  };

  return {
    status: () => status,
    async run(signal) {
      let wake = new AbortController();
      leases.onReleased(role, () => wake.abort(), signal);
      let failures = 0;
      while (!signal.aborted) {
        wake = new AbortController();
        let pauseMs = timing.leaseRenewMs;
        const value = `${instance}:${randomUUID()}`;
        const sentAt = now();
        try {
          const reply = await leases.acquire(role, value);
          if (reply.kind === 'acquired') {
            const end = await lead(value, reply.epoch, sentAt, signal);
            failures = end.kind === 'work-over' ? failures + 1 : 0;
            if (end.kind !== 'stopped') {
              setStatus({ problem: end.why });
              log.warn({ epoch: reply.epoch, why: end.why }, 'term ended');
            }
            // The lease is given up before the back-off, so another replica may try meanwhile.
            if (end.kind === 'work-over') {
              await sleep(Math.min(timing.leaseRenewMs * 2 ** (failures - 1), timing.leaseTtlMs * 10) / 10, signal);
            }
            continue;
          }
          setStatus({ holder: reply.holder, ...(failures === 0 ? { problem: undefined } : {}) });
          pauseMs = Math.min(Math.max(reply.leftMs, 0) + timing.leaseRenewMs / 50, timing.leaseRenewMs);
        } catch (error) {
          setStatus({ holder: undefined, problem: messageOf(error) });
          pauseMs = timing.leaseRenewMs / 10;
        }
        await sleep(pauseMs, AbortSignal.any([signal, wake.signal]));
      }
    },
  };
}

interface TrustedTerm extends Term {
  renewedAt(sentAt: Moment): void;
  trustLeftMs(): number;
}

function createTerm(
  role: string,
  epoch: number,
  acquiredAt: Moment,
  trustMs: number,
  signals: readonly AbortSignal[],
): TrustedTerm {
  let trustedSince = acquiredAt;
  const signal = AbortSignal.any([...signals]);
  const trusted = (): boolean => !signal.aborted && elapsedMs(trustedSince) < trustMs;
  return {
    role,
    epoch,
    signal,
    trusted,
    assertTrusted() {
      if (!trusted()) throw new TermLost(role, epoch);
    },
    renewedAt(sentAt) {
      trustedSince = sentAt;
    },
    trustLeftMs: () => Math.max(0, trustMs - elapsedMs(trustedSince)),
  };
}
