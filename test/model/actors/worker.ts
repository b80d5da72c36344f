/**
 * A worker with one slot: takes a job, starts, beats, ends; as `turn-processor.ts` and `attempt.ts` do it. Any job that
 * ever existed may be delivered, as often as it likes: the job is a pointer, the record decides.
 *
 * Its runner works as long as the worker is trusted with the attempt. Trust ends before the heartbeat does, and the runner
 * with it, so a heartbeat that expires (`time.ts`) leaves neither behind.
 */
import type { Run } from '../../../src/domain/run.ts';
import * as protocol from '../attempt-model.ts';
import type { Step } from '../steps.ts';
import type { World } from '../world.ts';
import { type EndedAttempt, type LiveAttempt, saysAgain, worksOn } from './live-attempt.ts';

export interface Worker {
  taken: Run | undefined;
  attempt: LiveAttempt | undefined;
  /** Attempts that it has brought to their end; after a loss of data it says so again. */
  ended: readonly EndedAttempt[];
}

export type WorkerStep = Extract<Step, { by: 'worker' }>;

/** False when there is no such step now. */
export async function workerActs(world: World, step: WorkerStep): Promise<boolean> {
  const worker = world.workers[step.who];
  if (worker === undefined) return false;
  const { attempt, taken } = worker;
  if (step.act === 'die') {
    // Its guard ends the runner.
    worker.attempt = undefined;
    worker.taken = undefined;
    worker.ended = [];
    return attempt !== undefined || taken !== undefined;
  }
  if (step.act === 'say-again') return await saysAgain(world, worker, step.who);
  if (attempt !== undefined) return await worksOn(world, worker, attempt, step);
  if (taken !== undefined) return await begins(world, worker, taken, step);
  const job = jobFor(world, step);
  if (job === undefined) return false;
  await takes(world, worker, job, step);
  if (step.act === 'job' && worker.taken !== undefined) await starts(world, worker, worker.taken, step);
  return true;
}

/** What is done with a turn that was taken. */
async function begins(world: World, worker: Worker, taken: Run, step: WorkerStep): Promise<boolean> {
  if (step.act === 'next' || step.act === 'job') return await starts(world, worker, taken, step);
  if (step.act === 'postpone' || step.act === 'leave') return await postpones(world, worker, taken, step);
  return step.act === 'cancel-queued' && (await cancels(world, worker, taken, step));
}

interface Job {
  readonly run: string;
  readonly turn: number;
}

/** A queued run of the ticket has a job, whoever added it; older ones may come again. */
function jobFor({ view, model, runIds }: World, { act, ticket }: WorkerStep): Job | undefined {
  const runs = runIds.filter((id) => model.runs[id]?.ticket === ticket);
  const newest = runs.findLast((id) => view.records.runs[id]?.state === 'queued') ?? runs.at(-1);
  const run = act === 'old-job' ? runs[0] : newest;
  const turn = run === undefined ? 0 : (view.records.runs[run]?.turn ?? 0);
  // A run that was never queued never had a job.
  if (run === undefined || turn === 0) return undefined;
  if (act === 'next' || act === 'job' || act === 'old-job') return { run, turn };
  return act === 'old-turn' && turn > 1 ? { run, turn: turn - 1 } : undefined;
}

async function takes(world: World, worker: Worker, job: Job, { who, lost }: WorkerStep): Promise<boolean> {
  await world.act(
    `worker ${who} takes ${job.run}-${job.turn}`,
    async () => {
      const reply = await world.attemptRecords.take(job.run, job.turn);
      if (reply.kind === 'dropped') return `dropped ${reply.state}`;
      if (!lost) worker.taken = reply.run;
      return 'taken';
    },
    () => protocol.take(world.model, job.run, job.turn),
  );
  return true;
}

async function starts(world: World, worker: Worker, taken: Run, { who, lost }: WorkerStep): Promise<boolean> {
  const ticket = taken.ticketId;
  await world.act(
    `worker ${who} starts ${taken.id}-${taken.turn}`,
    async () => {
      const reply = await world.attemptRecords.start(taken, `w${who}`);
      if (reply.kind === 'recovering') return 'recovering';
      if (reply.kind === 'cancel-requested') return 'cancel requested';
      worker.taken = undefined;
      if (reply.kind === 'dropped') return `dropped ${reply.state}`;
      const { run } = reply;
      const name = { run: run.id, ticket, attempt: run.attempt, fence: run.attemptFence };
      // Whoever does not hear that it has started starts no runner.
      if (!lost)
        worker.attempt = { run, name, runner: 'alive', trusted: true, heard: true, forgotten: false, end: undefined };
      return `started ${run.attempt}`;
    },
    (told) => protocol.start(world.model, taken.id, taken.turn, told),
  );
  return true;
}

/** The runner of the first ticket is adoptable: what it began may be at work without a worker. */
async function postpones(world: World, worker: Worker, taken: Run, { who, act, ticket }: WorkerStep): Promise<boolean> {
  worker.taken = undefined;
  const how = { keepsPlaces: taken.attempt > 0 && ticket === '1', isVain: act === 'postpone' };
  await world.act(
    `worker ${who} postpones ${taken.id}-${taken.turn}`,
    async () => {
      const { kind } = await world.attemptRecords.postpone(taken, how);
      // Not of this model.
      await world.redis.read('forget vain turns', (client) => client.del(world.redis.keys.vainTurns(taken.project)));
      return kind;
    },
    () => protocol.postpone(world.model, taken.id, taken.turn, how),
  );
  return true;
}

async function cancels(world: World, worker: Worker, taken: Run, { who, lost }: WorkerStep): Promise<boolean> {
  if (!lost) worker.taken = undefined;
  await world.act(
    `worker ${who} cancels ${taken.id}-${taken.turn}`,
    async () => ((await world.attemptRecords.endQueued(taken, 'cancelled', 'closed')) ? 'finished' : 'superseded'),
    (told) => protocol.endQueued(world.model, taken.id, taken.turn, 'cancelled', told),
  );
  return true;
}
