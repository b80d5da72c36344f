/**
 * One replica leads a role, the others follow (PROTOCOL 9).
 *
 *   follower --acquire--> leader (a term: epoch, signal, trust)
 *      ^                    |  stopped              -> release, the next leader wakes
 *      |                    |  work ends or throws  -> release, back off
 *      +--------------------+  lost: lease taken by another, or no renewal accepted before trust ran out
 *
 * Invariants
 * - A term is trusted from the *sending* time of the last accepted renewal until TTL - margin, so the old leader has
 *   stopped trusting itself before Redis lets a new one in. `assertTrusted()` stands on the line before each side
 *   effect; the signal only wakes sleepers. When Redis has lost the lease, it gives out none until then.
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
import { type LeaseOptions, type Leases, trustMs } from './lease.ts';

/** The time that one holder has the lease. */
export interface Term {
  readonly role: string;
  /** Larger for every later term. */
  readonly epoch: number;
  /** Aborts when the term ends, for whatever reason. */
  readonly signal: AbortSignal;
  /** Whether this replica may lead, now and for so many ms to come: a write on the wire needs trust until its deadline. */
  trusted(forMs?: number): boolean;
  /** Throws `TermLost` where `trusted` says no. Cheap: compares clocks only. */
  assertTrusted(forMs?: number): void;
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
  /** Why the last term ended early or could not begin; undefined again once a term has lasted until its first renewal. */
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
  readonly timing: LeaseOptions & { readonly leaseRenewMs: number };
  readonly log: Log;
  /** The leader's work. Should last until `term.signal` aborts. */
  readonly work: (term: Term) => Promise<void>;
}

type TermEnd =
  | { readonly kind: 'stopped' }
  /** Not ours any more, or not trusted any more: no fault of the work. */
  | { readonly kind: 'lost'; readonly why: string }
  | { readonly kind: 'work-over'; readonly why: string };

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

  /** Terms in a row that ended early without ever being renewed. */
  let failures = 0;

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
        failures = 0;
        setStatus({ problem: undefined });
        pauseMs = timing.leaseRenewMs;
      } catch (error) {
        if (!term.trusted()) return { kind: 'lost', why: `no renewal was accepted: ${messageOf(error)}` };
        pauseMs = timing.leaseRenewMs / 10;
      }
    }
    return { kind: 'stopped' };
  };

  /** The work, as an end of the term. */
  const doWork = async (term: TrustedTerm): Promise<TermEnd> => {
    try {
      await options.work(term);
      return term.signal.aborted ? { kind: 'stopped' } : { kind: 'work-over', why: 'its work ended' };
    } catch (error) {
      // Work that stops because it is not trusted any more has done what it should.
      if (term.signal.aborted) return { kind: 'stopped' };
      return { kind: error instanceof TermLost ? 'lost' : 'work-over', why: messageOf(error) };
    }
  };

  const lead = async (value: string, epoch: number, acquiredAt: Moment, signal: AbortSignal): Promise<TermEnd> => {
    const over = new AbortController();
    signal.addEventListener('abort', () => over.abort(), { signal: over.signal });
    if (signal.aborted) over.abort();
    const term = createTerm(role, epoch, acquiredAt, trustMs(timing), over.signal);
    setStatus({ position: 'leader', holder: instance, epoch, ...(failures === 0 ? { problem: undefined } : {}) });
    log.info({ epoch }, 'leading');
    const work = doWork(term);
    const end = await Promise.race([work, keepRenewing(value, term)]);
    // The term is not trusted from here on, so the next leader need not wait for the work to notice.
    over.abort();
    setStatus({ position: 'follower', holder: undefined, epoch: undefined });
    // Also after a lost term: a renewal that came too late for our trust may have kept the lease alive.
    await leases.release(role, value).catch((error: unknown) => {
      log.info({ error: messageOf(error) }, 'lease not released, it will expire');
    });
    await work;
    return end;
  };

  /** One try for the lease and, if it is ours, the whole term. Milliseconds to wait before the next one. */
  const compete = async (signal: AbortSignal): Promise<number> => {
    const value = `${instance}:${randomUUID()}`;
    const sentAt = now();
    const reply = await leases.acquire(role, value);
    if (reply.kind !== 'acquired') {
      const holder = reply.kind === 'held' ? reply.holder : undefined;
      setStatus({ holder, ...(failures === 0 ? { problem: undefined } : {}) });
      return Math.min(Math.max(reply.leftMs, 0) + timing.leaseRenewMs / 50, timing.leaseRenewMs);
    }
    const end = await lead(value, reply.epoch, sentAt, signal);
    if (end.kind === 'stopped') return 0;
    setStatus({ problem: end.why });
    log.warn({ epoch: reply.epoch, why: end.why }, 'term ended');
    if (end.kind === 'lost') return 0;
    failures += 1;
    return Math.min((timing.leaseRenewMs / 10) * 2 ** (failures - 1), timing.leaseTtlMs);
  };

  return {
    status: () => status,
    async run(signal) {
      let wake = new AbortController();
      leases.onReleased(role, () => wake.abort(), signal);
      signal.addEventListener('abort', () => wake.abort(), { once: true });
      while (!signal.aborted) {
        wake = new AbortController();
        const failuresBefore = failures;
        const pauseMs = await compete(signal).catch((error: unknown) => {
          setStatus({ holder: undefined, problem: messageOf(error) });
          log.debug({ error: messageOf(error) }, 'lease not acquired');
          return timing.leaseRenewMs / 10;
        });
        // A back-off is for others to try meanwhile: their release is no reason to cut it short.
        await sleep(pauseMs, failures > failuresBefore ? signal : wake.signal);
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
  signal: AbortSignal,
): TrustedTerm {
  let trustedSince = acquiredAt;
  const trusted = (forMs = 0): boolean => !signal.aborted && elapsedMs(trustedSince) + forMs < trustMs;
  return {
    role,
    epoch,
    signal,
    trusted,
    assertTrusted(forMs) {
      if (!trusted(forMs)) throw new TermLost(role, epoch);
    },
    renewedAt(sentAt) {
      trustedSince = sentAt;
    },
    trustLeftMs: () => Math.max(0, trustMs - elapsedMs(trustedSince)),
  };
}
