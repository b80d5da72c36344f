/**
 * What services tell of runs by callbacks: kept here until an attempt makes it the run's end, since a call may arrive at any
 * replica, and while nobody is at work on the run. Of the tokens only hashes are kept. All throw `OperationError` when Redis is
 * away.
 */
import { createHash } from 'node:crypto';
import { isSameSecret } from '../foundation/same-secret.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { AttemptName } from './attempt-records.ts';

export type OpenReply =
  | {
      readonly kind: 'open';
      readonly told: string | undefined;
      /** The data in which the token is known: when that changes, what was told may be lost. */
      readonly incarnation: string | undefined;
    }
  /** The record names another attempt, or has forgotten this one. */
  | { readonly kind: 'superseded' };

export interface CallbackRecords {
  /** Makes the token of an attempt known, for its timeout and a week more. Safe to say again. */
  open(name: AttemptName, callback: { readonly token: string; readonly timeoutMs: number }): Promise<OpenReply>;
  /** Whether this is the token of that attempt, as far as Redis knows. Any text will do for the names. */
  proves(run: string, attempt: string, token: string): Promise<boolean>;
  /** Redis has lost data a short time ago: live attempts have yet to make their tokens known again. */
  recovering(): boolean;
  /** `kept` also for the same text said twice. The first word of all counts; after the end of the run none does. */
  keep(run: string, told: string): Promise<'kept' | 'ended' | 'contradicted'>;
  /** Calls back whenever some run was told of, until the signal aborts. Messages may be lost: it is a hint to look. */
  onTold(listener: () => void, signal: AbortSignal): void;
}

export interface CallbackRecordsOptions {
  readonly outputTtlMs: number;
  readonly recoveryRepairMs: number;
}

export function createCallbackRecords(redis: RedisConnection, options: CallbackRecordsOptions): CallbackRecords {
  const { keys } = redis;
  const listeners = new Set<() => void>();
  let listening = new AbortController();
  return {
    async open({ run, attempt, fence }, { token, timeoutMs }) {
      const incarnation = redis.incarnation();
      const [kind, told] = await redis.script(
        'open-callback',
        [keys.run(run), keys.callback(run)],
        [attempt, fence, hashOfToken(token), timeoutMs + options.outputTtlMs],
      );
      if (kind !== 'open') return { kind: 'superseded' };
      return { kind, told: told === '' ? undefined : String(told), incarnation };
    },
    async proves(run, attempt, token) {
      const known = await redis.read('look for a callback', (client) =>
        client.hget(keys.callback(run), `token:${attempt}`),
      );
      return isSameSecret(hashOfToken(token), known ?? '');
    },
    recovering: () => redis.recoveringMs(options.recoveryRepairMs) > 0,
    async keep(run, told) {
      const [kind] = await redis.script(
        'keep-told',
        [keys.run(run), keys.callback(run)],
        [told, options.outputTtlMs, keys.callbackTold],
      );
      return kind as 'kept' | 'ended' | 'contradicted';
    },
    onTold(listener, signal) {
      if (signal.aborted) return;
      // One connection for all who listen, and none while nobody does.
      if (listeners.size === 0) {
        listening = new AbortController();
        redis.subscribe(keys.callbackTold, () => listeners.forEach((tell) => tell()), listening.signal);
      }
      listeners.add(listener);
      const leave = (): void => {
        listeners.delete(listener);
        if (listeners.size === 0) listening.abort();
      };
      signal.addEventListener('abort', leave, { once: true });
    },
  };
}

function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
