/**
 * Looks for what a service tells of one attempt by a callback: at every heartbeat, and whenever some replica has kept a result.
 * Each look also makes the token known again, so a Redis that has lost its data is put right by the next one.
 */
import { randomBytes } from 'node:crypto';
import { type Told, toldInText } from '../../../domain/told.ts';
import { messageOf } from '../../../foundation/errors.ts';
import type { Log } from '../../../foundation/log.ts';
import { every } from '../../../foundation/loop.ts';
import type { AttemptName } from '../../../runs/attempt-records.ts';
import type { CallbackRecords } from '../../../runs/callback-records.ts';

export interface Mailbox {
  readonly token: string;
  /** Resolves when the token is known, false when the signal aborts first. */
  opened(): Promise<boolean>;
  /** Resolves with the first result that is found, also one that was told of an earlier attempt; never without. */
  readonly told: Promise<Told>;
  /** Resolves when Redis has lost data since the last call of it or since it was opened: a result may be lost with them. */
  lost(): Promise<void>;
  /** Looks once more; undefined also when nobody can tell. */
  look(): Promise<Told | undefined>;
}

export interface MailboxDeps {
  readonly records: Pick<CallbackRecords, 'open' | 'onTold'>;
  readonly log: Log;
}

export interface MailboxOptions {
  readonly name: AttemptName;
  readonly timeoutMs: number;
  readonly lookMs: number;
  readonly signal: AbortSignal;
}

export function openMailbox({ records, log }: MailboxDeps, options: MailboxOptions): Mailbox {
  const { name, timeoutMs, lookMs, signal } = options;
  const token = randomBytes(32).toString('base64url');
  const opened = Promise.withResolvers<boolean>();
  const told = Promise.withResolvers<Told>();
  let lost = Promise.withResolvers<void>();
  let incarnation: string | undefined;

  const look = async (): Promise<Told | undefined> => {
    const reply = await records.open(name, { token, timeoutMs });
    // The supervisor of the attempt learns the same by its beats, and decides.
    if (reply.kind === 'superseded') return undefined;
    if (incarnation !== undefined && reply.incarnation !== incarnation) lost.resolve();
    ({ incarnation } = reply);
    opened.resolve(true);
    const found = reply.told === undefined ? undefined : toldInText(reply.told);
    if (found !== undefined) told.resolve(found);
    return found;
  };
  const tryToLook = (): Promise<Told | undefined> =>
    look().catch((error: unknown) => {
      log.debug({ run: name.run, attempt: name.attempt, error: messageOf(error) }, 'callback not looked for');
      return undefined;
    });

  records.onTold(() => void tryToLook(), signal);
  void every({ intervalMs: lookMs, signal, onError: () => undefined }, async () => void (await tryToLook()));
  signal.addEventListener('abort', () => opened.resolve(false), { once: true });
  return {
    token,
    opened: () => opened.promise,
    told: told.promise,
    async lost() {
      await lost.promise;
      lost = Promise.withResolvers();
    },
    look: tryToLook,
  };
}
