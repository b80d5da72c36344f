/**
 * BullMQ lives here and nowhere else. A job is a pointer to one turn of a run; the run record decides what it is worth.
 *
 * Job ids are `<run>-<turn>` and jobs are removed when they end: BullMQ silently ignores an id that it still retains,
 * so a turn can never be queued twice, and a later turn is never swallowed by an earlier one.
 */
import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import { TimeoutStrategy, timeout } from 'cockatiel';
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RedisConnection } from '../redis/connection.ts';

const QUEUE = 'runs';

/** One turn of a run. */
export interface Turn {
  readonly run: string;
  readonly turn: number;
}

/** What became of a taken job: over, or to be offered again later. */
export type TurnOutcome = { readonly kind: 'over' } | { readonly kind: 'later'; readonly delayMs: number };

export interface RunQueue {
  /** Adds the job of a turn; adding it again while it is queued or active changes nothing. Throws `OperationError`. */
  add(turn: Turn, options?: { readonly delayMs?: number }): Promise<void>;
  /** Whether the turn has a job that will still be worked on. */
  isQueued(turn: Turn): Promise<boolean>;
  /** Adds the job of a turn that has none, removing a dead one that blocks its id. */
  repair(turn: Turn): Promise<void>;
  depth(): Promise<number>;
  close(): Promise<void>;
}

export interface RunConsumer {
  /** Works on no further job; resolves at once. Jobs at work go on. */
  pause(): Promise<void>;
  /** Resolves when the jobs at work are over; at once while Redis is away, for then their ends cannot be told. */
  close(): Promise<void>;
  /** Jobs being worked on here. */
  active(): number;
  running(): boolean;
}

export interface RunQueueOptions {
  readonly redis: RedisConnection;
  readonly log: Log;
}

const jobId = (turn: Turn): string => `${turn.run}-${turn.turn}`;
const LIVE_STATES = new Set(['waiting', 'prioritized', 'delayed', 'active', 'paused', 'waiting-children']);

export function createRunQueue({ redis, log }: RunQueueOptions): RunQueue {
  const client = redis.queueClient('fail');
  // BullMQ waits for its client to come up without an end: what a command is given must do for the whole act.
  const bounded = timeout(client.options.commandTimeout ?? Number.POSITIVE_INFINITY, {
    strategy: TimeoutStrategy.Aggressive,
    abortOnReturn: false,
  });
  const open = (): Queue<Turn> => {
    const opened = new Queue<Turn>(QUEUE, {
      connection: client,
      prefix: redis.keys.queuePrefix,
      skipMetasUpdate: true,
      defaultJobOptions: { attempts: 1, removeOnComplete: true, removeOnFail: true },
    });
    return opened.on('error', (error) => log.debug({ error: messageOf(error) }, 'queue client error'));
  };
  let queue = open();
  /** BullMQ asks the server for its version once; if that has failed, so does every later act of the same queue. */
  const ready = async (): Promise<Queue<Turn>> => {
    const current = queue;
    try {
      await current.waitUntilReady();
      return current;
    } catch (error) {
      if (queue === current) queue = open();
      // The client is not its own, so that one stays open.
      await current.close();
      throw error;
    }
  };
  const guarded = async <T>(operation: string, act: (jobs: Queue<Turn>) => Promise<T>): Promise<T> => {
    if (redis.status().state !== 'up') throw new OperationError(operation, new Error('redis is unreachable'));
    try {
      return await bounded.execute(async () => await act(await ready()));
    } catch (error) {
      throw new OperationError(operation, error);
    }
  };
  const add = (turn: Turn, options: { readonly delayMs?: number } = {}): Promise<void> =>
    guarded('add job', async (jobs) => {
      await jobs.add('turn', turn, { jobId: jobId(turn), delay: options.delayMs ?? 0 });
    });
  return {
    add,
    isQueued: (turn) => guarded('look for job', async (jobs) => LIVE_STATES.has(await jobs.getJobState(jobId(turn)))),
    async repair(turn) {
      await guarded('remove dead job', async (jobs) => {
        const job = await jobs.getJob(jobId(turn));
        if (job !== undefined && !LIVE_STATES.has(await job.getState())) await job.remove();
      });
      await add(turn);
    },
    depth: () =>
      guarded('count jobs', async (jobs) => {
        const counts = await jobs.getJobCounts('waiting', 'prioritized', 'delayed');
        return Object.values(counts).reduce((sum, count) => sum + count, 0);
      }),
    close: () => queue.close(),
  };
}

export interface RunConsumerOptions extends RunQueueOptions {
  /** Jobs worked on at once: a slot is free before a job is taken. */
  readonly slots: number;
  readonly blockMs: number;
  readonly timing: { readonly queueLockMs: number; readonly queueStalledMs: number; readonly redisProbeMs: number };
  readonly onTurn: (turn: Turn) => Promise<TurnOutcome>;
}

/** Stalled redelivery only helps a job whose worker died before the attempt started; the record stops anything else. */
const MOST_STALLS = 3;

const AT_ONCE: TurnOutcome = { kind: 'later', delayMs: 0 };

export function createRunConsumer(options: RunConsumerOptions): RunConsumer {
  const { redis, log } = options;
  let active = 0;
  let paused = false;
  const worker = new Worker<Turn>(
    QUEUE,
    async (job: Job<Turn>, token?: string) => {
      active += 1;
      try {
        // BullMQ may take one more job after the pause: it belongs to whoever is at work.
        const outcome = paused
          ? AT_ONCE
          : await options.onTurn(job.data).catch((error: unknown) => {
              log.error({ run: job.data.run, error: messageOf(error) }, 'turn failed');
              throw error;
            });
        if (outcome.kind === 'over') return;
        await job.moveToDelayed(Date.now() + outcome.delayMs, token);
      } finally {
        active -= 1;
      }
      throw new DelayedError();
    },
    {
      connection: redis.queueClient('wait'),
      prefix: redis.keys.queuePrefix,
      concurrency: options.slots,
      lockDuration: options.timing.queueLockMs,
      stalledInterval: options.timing.queueStalledMs,
      maxStalledCount: MOST_STALLS,
      drainDelay: options.blockMs / 1000,
      runRetryDelay: options.timing.redisProbeMs,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
    },
  );
  // Among them those of ending a job whose lock is gone: normal after a redelivery, and the record has the truth.
  worker.on('error', (error) => log.debug({ error: messageOf(error) }, 'queue consumer error'));
  return {
    active: () => active,
    running: () => worker.isRunning() && !worker.isPaused(),
    async pause() {
      paused = true;
      await worker.pause(true);
    },
    // In order it waits for Redis, however long that is away.
    close: () => worker.close(redis.status().state !== 'up'),
  };
}
