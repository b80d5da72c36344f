/** A Redis lease: one key with a TTL, given to one holder at a time. A lease is not a fence: see `leader.ts`. */
import type { RedisConnection } from '../redis/connection.ts';

export type AcquireReply =
  | { readonly kind: 'acquired'; readonly epoch: number }
  | { readonly kind: 'held'; readonly holder: string; readonly leftMs: number }
  /** Redis lost its data: the leader that it has forgotten may still trust itself for so long. */
  | { readonly kind: 'recovering'; readonly leftMs: number };

/** All of these throw `OperationError` when Redis is away. `value` is `instance:token`, unique for each term. */
export interface Leases {
  acquire(role: string, value: string): Promise<AcquireReply>;
  /** False when the lease is not ours any more. */
  renew(role: string, value: string): Promise<boolean>;
  /** Gives it up at once and wakes the followers. */
  release(role: string, value: string): Promise<boolean>;
  /** The instance that holds the lease now. */
  holder(role: string): Promise<string | undefined>;
  /** Calls `wake` whenever some holder gives the lease up, until the signal aborts. */
  onReleased(role: string, wake: () => void, signal: AbortSignal): void;
}

export interface LeaseOptions {
  readonly leaseTtlMs: number;
  readonly leaseMarginMs: number;
}

export function createLeases(redis: RedisConnection, options: LeaseOptions): Leases {
  const { keys } = redis;
  return {
    async acquire(role, value) {
      const [kind, a = '', b] = await redis.script(
        'acquire-lease',
        [keys.leader(role), keys.leaderEpoch(role), keys.incarnation],
        [value, options.leaseTtlMs, trustMs(options)],
      );
      if (kind === 'acquired') return { kind, epoch: Number(a) };
      if (kind === 'recovering') return { kind, leftMs: Number(a) };
      return { kind: 'held', holder: holderOf(String(a)), leftMs: Number(b) };
    },
    async renew(role, value) {
      const [renewed] = await redis.script('renew-lease', [keys.leader(role)], [value, options.leaseTtlMs]);
      return renewed === '1';
    },
    async release(role, value) {
      const [released] = await redis.script('release-lease', [keys.leader(role)], [value, keys.leaderReleased(role)]);
      return released === '1';
    },
    async holder(role) {
      const value = await redis.read('read the lease', (client) => client.get(keys.leader(role)));
      return value === null ? undefined : holderOf(value);
    },
    onReleased: (role, wake, signal) => redis.subscribe(keys.leaderReleased(role), wake, signal),
  };
}

/** How long a leader trusts itself after sending a renewal that was accepted; always shorter than the lease. */
export function trustMs({ leaseTtlMs, leaseMarginMs }: LeaseOptions): number {
  return leaseTtlMs - leaseMarginMs;
}

/** The instance in `instance:token`: what an operator wants to see. */
function holderOf(value: string): string {
  return value.slice(0, value.lastIndexOf(':'));
}
