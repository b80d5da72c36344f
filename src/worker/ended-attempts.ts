/**
 * What this worker has brought to its end of late. Redis may lose just that: all it had, or the last writes before a failover
 * (PROTOCOL 7). Then no record says that the run is over, its label may still say `in-progress`, and the ticket would be worked
 * on once more. So after each loss every end is said again, as live attempts report again by their heartbeats; an attempt that
 * is not the run's any more is refused as ever, and one whose ticket has been given a further run says nothing any more: it
 * would take the place of that run, of which Redis may have lost every trace.
 *
 * Not covered: a worker that dies after its command has ended and before Redis is back. Why no longer than this: what is over
 * and shown on the ticket needs no record to be left alone.
 */
import { LRUCache } from 'lru-cache';
import type { Run } from '../domain/run.ts';
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import type { AttemptName, AttemptRecords } from '../runs/attempt-records.ts';
import type { RememberedEnd } from '../runs/run-end.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { AttemptEnd } from './attempt.ts';

export interface EndedAttempts {
  /** `run` as it was while the attempt was at work. What has not ended the run is nothing to remember. */
  remember(run: Run, end: AttemptEnd): void;
  /** Says again what was lost, until the signal aborts. Never rejects. */
  keep(signal: AbortSignal): Promise<void>;
}

export interface EndedAttemptsDeps {
  readonly records: Pick<AttemptRecords, 'beat' | 'restore' | 'finish'>;
  readonly runs: Pick<RunReader, 'get' | 'idOfTicket'>;
  /** Changes whenever Redis has lost its data or was replaced. */
  readonly incarnation: () => string | undefined;
  readonly log: Log;
}

export interface EndedAttemptsOptions {
  readonly heartbeatMs: number;
  /** An end is remembered for at least so long: a failover loses no more than that. */
  readonly confirmedDoubtMs: number;
}

const MOST_REMEMBERED = 1_000;

interface Ended {
  readonly run: Run;
  readonly end: RememberedEnd;
  readonly at: Moment;
  /** The data in which it is known to be. */
  readonly saidIn: string | undefined;
}

export function createEndedAttempts(deps: EndedAttemptsDeps, options: EndedAttemptsOptions): EndedAttempts {
  const { records, log } = deps;
  const ended = new LRUCache<string, Ended>({ max: MOST_REMEMBERED });

  /** False when the run is not this attempt's any more. */
  const sayAgain = async ({ run, end }: Ended): Promise<boolean> => {
    const name: AttemptName = { run: run.id, ticket: run.ticket, attempt: run.attempt, fence: run.attemptFence };
    if ((await records.finish(name, { ...end, output: '', onlyIfDead: false })) !== 'superseded') return true;
    // Refused: another attempt has the run, or nothing is known of this one, and then it is written as one that has ended.
    if ((await records.beat(name)).kind !== 'unknown') return false;
    const facts = { ticket: run.ticket, run: run.id, outcome: end.state };
    log.warn(facts, 'redis forgot the end of this attempt, writing it again');
    return await records.restore(run, end);
  };

  /** A ticket of which nothing is known has been lost together with its end, and nobody has noticed yet. */
  const hasFurtherRun = async ({ id, ticket }: Run): Promise<boolean> =>
    ((await deps.runs.idOfTicket(ticket)) ?? id) !== id;

  const look = async (entry: Ended): Promise<void> => {
    const { id } = entry.run;
    const seen = deps.incarnation();
    const isOld = elapsedMs(entry.at) >= options.confirmedDoubtMs;
    if (seen === entry.saidIn) {
      const isOver = await hasFurtherRun(entry.run);
      if (isOver) ended.delete(id);
      if (isOver || !isOld) return;
    }
    const labelState = seen === entry.saidIn ? (await deps.runs.get(id))?.labelState : undefined;
    if (labelState === 'unconfirmed') return;
    // Gone without a loss that was noticed yet: a record outlives this memory by far.
    if (labelState === undefined && (await sayAgain(entry))) ended.set(id, { ...entry, saidIn: seen });
    else ended.delete(id);
  };

  return {
    remember(run, end) {
      // One that ended while it waited in the queue had no attempt.
      if (run.state !== 'running' || end.kind !== 'finished') return;
      const { state, reason, result } = end;
      ended.set(run.id, { run, end: { state, reason, result }, at: now(), saidIn: deps.incarnation() });
    },
    keep: (signal) =>
      every(
        {
          intervalMs: options.heartbeatMs,
          signal,
          onError: (error) => log.debug({ error: messageOf(error) }, 'ends of attempts not said again yet'),
        },
        async () => {
          const remembered = [...ended.values()];
          for (const entry of remembered) await look(entry);
        },
      ),
  };
}
