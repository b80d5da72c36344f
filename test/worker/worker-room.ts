/** The worker room on a house, with a runner that ends when and how the test says. */
import type { Run } from '../../src/domain/run.ts';
import type { Trace } from '../../src/foundation/trace.ts';
import type { AttemptRecords } from '../../src/runs/attempt-records.ts';
import type { RedisWitness } from '../../src/worker/attempt.ts';
import type { RunnerEnd, RunnerHandle, RunnerRequest } from '../../src/worker/runners/runner.ts';
import { createTurnProcessor, type OpenedRunner, type TurnProcessor } from '../../src/worker/turn-processor.ts';
import { type House, REPOSITORY, SLOTS_ELSEWHERE, silentLog } from '../support/house.ts';

/** A runner that was started. It obeys a stop at once, unless the test made it stubborn. */
export interface ScriptedRunner {
  readonly handle: RunnerHandle;
  /** Reasons of the stops so far. */
  readonly stops: readonly string[];
  /** How often it was spared so far. */
  readonly spares: () => number;
  /** Accepted heartbeats so far. */
  readonly beats: () => number;
  end(end: RunnerEnd): void;
  /** Breaks its word: it never says how it ended. */
  fail(error: Error): void;
  stubborn: boolean;
}

/** Neither refuses connections nor recovers from a loss. */
export const QUIET_REDIS: RedisWitness = { refused: () => false, recovering: () => false };

export const EXITED_0: RunnerEnd = { kind: 'exited', code: 0, outputTail: 'all well' };

export function scriptedRunner(): ScriptedRunner {
  const { promise: ended, resolve, reject } = Promise.withResolvers<RunnerEnd>();
  const stops: string[] = [];
  let beats = 0;
  let spares = 0;
  const runner: ScriptedRunner = {
    stops,
    beats: () => beats,
    spares: () => spares,
    end: resolve,
    fail: reject,
    stubborn: false,
    handle: {
      ended,
      beat: () => {
        beats += 1;
      },
      spare: () => {
        spares += 1;
      },
      stop(reason) {
        stops.push(reason);
        if (!runner.stubborn) resolve({ kind: 'stopped', reason, outputTail: '' });
      },
    },
  };
  return runner;
}

export interface WorkerRoom {
  readonly processor: TurnProcessor;
  /** In the order of their starts. */
  readonly runners: readonly (ScriptedRunner & { readonly request: RunnerRequest })[];
}

export interface WorkerRoomOptions {
  readonly records?: Partial<AttemptRecords>;
  readonly runner?: Partial<Extract<OpenedRunner, { ok: true }>>;
  readonly worker?: string;
  /** Default: of every project that of the house's own. */
  readonly platformOf?: House['platformOf'];
  /** How every runner ends at once; without it the test ends them. */
  readonly ends?: RunnerEnd;
  /** Default: nobody collects. */
  readonly trace?: Trace;
}

export function openWorkerRoom(house: House, options: WorkerRoomOptions = {}): WorkerRoom {
  const runners: (ScriptedRunner & { readonly request: RunnerRequest })[] = [];
  const processor = createTurnProcessor(
    {
      catalog: () => house.catalog,
      platformOf: options.platformOf ?? (() => house.platform),
      records: { ...house.attemptRecords, ...options.records },
      queue: house.queue,
      labels: house.labels,
      decisions: house.decisions,
      redis: QUIET_REDIS,
      log: silentLog,
      ...(options.trace !== undefined && { trace: options.trace }),
      openRunner: () => ({
        ok: true,
        maxAttempts: 3,
        timeoutMs: 60_000,
        leashed: true,
        start: (request) => {
          const runner = Object.assign(scriptedRunner(), { request });
          runners.push(runner);
          if (options.ends !== undefined) runner.end(options.ends);
          return runner.handle;
        },
        ...options.runner,
      }),
    },
    { ...house.timing, worker: options.worker ?? 'worker-1' },
  );
  return { processor, runners };
}

/** Opens a ticket of `REPOSITORY` and claims it: a queued run with its job, as the claim leaves it. */
export async function queuedRun(house: House, labels: readonly string[] = ['agent-smith']): Promise<Run> {
  const { number } = house.hub.openIssue(REPOSITORY, { labels: [...labels] });
  const outcome = await house.claims.claim(
    { project: 'api', ticketId: String(number), trigger: 'poll' },
    new AbortController().signal,
  );
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(outcome)}`);
  return await runOf(house, outcome.run);
}

/** The record as it is now. */
export async function runOf(house: House, id: string): Promise<Run> {
  const run = await house.runs.get(id);
  if (run === undefined) throw new Error(`no run ${id}`);
  return run;
}

/** A run that was put off, as if its time had come: admitted again, with its new turn. */
export async function admittedAgain(house: House, id: string): Promise<Run> {
  const { keys, read } = house.redis;
  const { project } = await runOf(house, id);
  await read('time passes', (client) => client.zadd(keys.putOff(project), 'XX', 0, id));
  await read('its project is not slowed down', (client) => client.del(keys.vainTurns(project)));
  const turns = await house.admissions.admit(SLOTS_ELSEWHERE, house.catalog);
  if (!turns.some(({ run }) => run === id)) throw new Error(`${id} is not admitted again`);
  return await runOf(house, id);
}

/** A claimed run with its first attempt at work, as `start-attempt` leaves it. */
export async function runningRun(house: House, worker = 'worker-1'): Promise<Run> {
  const run = await queuedRun(house);
  const reply = await house.attemptRecords.start(run, worker);
  if (reply.kind !== 'started') throw new Error(`not started: ${reply.kind}`);
  return reply.run;
}

/** What names the latest attempt of a run. */
export function attemptOf(run: Run): { run: string; ticket: string; attempt: number; fence: number } {
  return { run: run.id, ticket: run.ticket, attempt: run.attempt, fence: run.attemptFence };
}
