/**
 * `durability: replicated` (PROTOCOL 7, docs/decisions/0019-replicated-is-a-wait.md): what the house promises on the
 * strength of a write is said only after a replica has that write too, or could not be heard in time. It is a wait with
 * an end and no veto: Redis cannot take a write back, and the recovery window covers what a failover loses.
 *
 * WAIT holds up everything that follows on its connection, so it has one of its own. There it asks about a small write
 * which it makes first: a replica that has that one has everything before it, whoever wrote it.
 */
import type { Redis } from 'ioredis';
import { messageOf } from '../foundation/errors.ts';
import type { Finding, Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import type { Reply } from './scripts.ts';

const REPLICAS = 1;
const WAIT_MS = 100;

/**
 * The scripts after which somebody acts on what was written, and the answers that say that something was. Of an end the label
 * tells, and the process that knows it may leave: lost, it would be run once more. Of a wish to cancel nobody else knows. Hand-backs and commits are not among
 * them: the start that follows has its own wait, and repair puts right what is lost before.
 */
const PROMISES: Readonly<Record<string, readonly string[]>> = {
  'begin-claim': ['begun', 'taken-over'],
  'start-attempt': ['started'],
  'accept-delivery': ['accepted'],
  'keep-told': ['kept'],
  finish: ['finished'],
  'end-queued': ['finished'],
  'abandon-claim': ['cancelled'],
  'request-cancel': ['requested'],
};

export function isPromise(script: string, reply: Reply): boolean {
  const [kind, made] = reply;
  // Who only looks is told of no run.
  return made !== '' && PROMISES[script]?.includes(String(kind)) === true;
}

export interface ReplicationOptions {
  /** Of the small write. */
  readonly key: string;
  readonly log: Log;
  /** Whether a replica has answered in time; called after each WAIT. */
  readonly onAnswer: (isConfirmed: boolean) => void;
}

/**
 * Answers a function that resolves when a replica has all that was written before the call, or did not say so in time:
 * after twice 100 ms at the latest, unless the server itself hangs. It never rejects.
 */
export function createReplicationWait(client: Redis, options: ReplicationOptions): () => Promise<void> {
  const ask = async (): Promise<void> => {
    let confirmed = 0;
    try {
      const [, replicas] = await Promise.all([client.incr(options.key), client.wait(REPLICAS, WAIT_MS)]);
      confirmed = replicas;
    } catch (error) {
      options.log.debug({ error: messageOf(error) }, 'replication not asked for');
    }
    options.onAnswer(confirmed >= REPLICAS);
  };
  /** The WAIT that is under way began before what is written now; all who write meanwhile share the next one. */
  let underWay: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= underWay.then(() => {
      next = undefined;
      underWay = ask();
      return underWay;
    });
    return next;
  };
}

const NOT_REPLICATED: Finding = {
  code: 'not-replicated',
  severity: 'warning',
  text: 'No replica of Redis confirmed the last claim, start, end or delivery in time: look at the replicas, or set redis.durability to local.',
};

/** Shows what became of the last one. */
export function reportReplication(findings: Findings, isConfirmed: boolean): void {
  if (isConfirmed) findings.clear(NOT_REPLICATED.code);
  else findings.raise(NOT_REPLICATED);
}
