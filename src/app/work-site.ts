/** The worker of a replica: takes turns from the queue and has their runners do the work. */
import type { Run } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import { sleep, within } from '../foundation/loop.ts';
import { createLabelWriter, type LabelWriter } from '../labels/label-writer.ts';
import { createRunConsumer } from '../queue/run-queue.ts';
import { createEndedAttempts } from '../worker/ended-attempts.ts';
import { createGuard } from '../worker/guard/guard.ts';
import { createQueueFeeder } from '../worker/queue-feeder.ts';
import { lazyCluster } from '../worker/runners/kubernetes/client-cluster.ts';
import { createTurnProcessor, type OpenedRunner } from '../worker/turn-processor.ts';
import type { AppOptions, Shared } from './options.ts';
import { openRunners } from './runners.ts';
import type { Stores } from './stores.ts';

export interface WorkSite {
  readonly labels: LabelWriter;
  /** How many attempts may be at work at once; settled at the start. */
  readonly slots: number;
  /** Attempts at work. */
  active(): number;
  /** Whether it takes jobs. */
  running(): boolean;
  /** Takes no further job; those at work go on. */
  pause(): Promise<void>;
  /**
   * Hands back at once what goes on without this worker, waits for the other attempts at work for at most the grace, then stops
   * and hands back the rest.
   */
  drain(graceMs: number): Promise<void>;
  /** Stops waiting for a Redis that does not take the ends of attempts. */
  giveUp(): void;
  /** Frees what it holds; the queue gets `patienceMs`, because BullMQ may wait for a Redis that never comes back. */
  close(patienceMs: number): Promise<void>;
}

export function openWorkSite(
  options: AppOptions,
  shared: Shared,
  stores: Stores,
  onContradicted: (run: Run) => void,
): WorkSite {
  const { timing, log } = options;
  const { config, projects, findings, metrics, trace } = shared;
  const { agent } = config();
  const known = { catalog: projects.withRemoved, platformOf: projects.platformOf };

  const labels = createLabelWriter(
    {
      ...known,
      runs: stores.runs,
      records: stores.labelRecords,
      decisions: stores.decisions,
      findings,
      log,
      onConfirmed: (run) => metrics.labelConfirmed({ state: run.state, lagMs: Date.now() - run.sinceMs }),
      onContradicted,
      trace,
    },
    timing,
  );
  const guard = createGuard({ timing, log });
  const { hostEnv, redactor } = options;
  const cluster = lazyCluster(hostEnv);
  const callbacks = stores.callbackRecords;
  const runners = openRunners({ guard, callbacks, log, redactor, hostEnv, cluster, timing });
  const openRunner = (policy: string): OpenedRunner => {
    const opened = config().openPipeline(policy);
    if (!opened.ok) return opened;
    const { timeoutMs, maxAttempts, work } = opened.spec;
    return {
      ok: true,
      timeoutMs,
      maxAttempts,
      leashed: runners.isLeashed(work),
      blockedBy: (question) => runners.blockedBy(question, work),
      start: (request) => runners.start(request, work),
    };
  };
  const ended = createEndedAttempts(
    { records: stores.attemptRecords, runs: stores.runs, incarnation: stores.redis.incarnation, log },
    timing,
  );
  const closing = new AbortController();
  const keepingEnds = ended.keep(closing.signal);
  const processor = createTurnProcessor(
    {
      ...known,
      openRunner,
      records: stores.attemptRecords,
      queue: stores.queue,
      labels,
      decisions: stores.decisions,
      redis: {
        refused: () => stores.redis.status().refused,
        recovering: () => stores.redis.recoveringMs(timing.recoveryStartsMs) > 0,
      },
      log,
      trace,
      onStarted: ({ platform, attempt, deliveredAtMs, startedAtMs }) => {
        if (attempt !== 1 || deliveredAtMs === undefined || startedAtMs === undefined) return;
        metrics.deliveryStarted({ platform, latencyMs: startedAtMs - deliveredAtMs });
      },
      onEnded: (run, end) => {
        ended.remember(run, end);
        if (end.kind !== 'finished') return;
        metrics.runEnded({
          project: run.project,
          pipeline: run.pipeline ?? '',
          state: end.state,
          durationMs: run.startedAtMs === undefined ? undefined : Date.now() - run.startedAtMs,
        });
      },
    },
    { ...timing, worker: options.instance },
  );
  stores.cancellations.onRequested(() => processor.lookAtOnce(), closing.signal);
  const feeder = createQueueFeeder(
    { admissions: stores.admissions, caps: projects.withRemoved, queue: stores.queue, log },
    { instance: options.instance, slots: agent.maxParallelJobs, admitMs: timing.admitMs },
  );
  const taking = new AbortController();
  const feeding = feeder.run(taking.signal);
  const consumer = createRunConsumer({
    redis: stores.redis,
    log,
    slots: agent.maxParallelJobs,
    blockMs: agent.consumeBlockSeconds * 1000,
    timing,
    onTurn: (turn) => feeder.during(() => processor.process(turn)),
  });

  return {
    labels,
    slots: agent.maxParallelJobs,
    active: () => processor.active(),
    running: () => consumer.running(),
    async pause() {
      taking.abort();
      await consumer.pause();
    },
    async drain(graceMs) {
      processor.letGo();
      await within(graceMs, async (signal) => {
        while (processor.active() > 0 && (await sleep(Math.min(50, graceMs), signal)));
      });
      await processor.drain();
    },
    giveUp: () => processor.giveUp(),
    async close(patienceMs) {
      taking.abort();
      closing.abort();
      await Promise.all([keepingEnds, feeding]);
      await guard.close();
      await within(patienceMs, async () => {
        await Promise.all([consumer.close(), stores.queue.close()]).catch((error: unknown) => {
          log.debug({ error: messageOf(error) }, 'queue not closed in order');
        });
      });
    },
  };
}
