/**
 * A worker with one slot: takes a job, starts, beats, ends; as `turn-processor.ts` and `attempt.ts` do it. Any job that
 * ever existed may be delivered, as often as it likes: the job is a pointer, the record decides.
 *
 * Its runner works as long as the worker is trusted with the attempt. Trust ends before the heartbeat does, and the runner
 * with it, so a heartbeat that expires (`time.ts`) leaves neither behind.
 */
import type { Run } from '../../../src/domain/run.ts';
import type { TerminalState } from '../../../src/runs/attempt-records.ts';
import * as protocol from '../model.ts';
import type { Step } from '../steps.ts';
import { remembered } from '../view.ts';
import { currentRun, type World } from '../world.ts';

export interface Worker {
  taken: Run | undefined;
  attempt: LiveAttempt | undefined;
  /** Attempts that it has brought to their end; after a loss of data it says so again. */
  ended: readonly EndedAttempt[];
}

interface EndedAttempt {
  readonly attempt: LiveAttempt;
  readonly state: TerminalState;
  /** Number of losses when it was said last. */
  saidAfter: number;
  /** Written again, and its end is to follow. */
  restored: boolean;
}

export interface LiveAttempt {
  /** As `start` made it. */
  readonly run: Run;
  readonly name: protocol.Attempt;
  runner: 'alive' | 'gone';
  trusted: boolean;
  /** A beat was accepted since Redis lost data last. */
  heard: boolean;
  /** How it has ended, once that was told to Redis: nothing else is told then. */
  end: TerminalState | 'drain' | 'not-started' | undefined;
}

type WorkerStep = Extract<Step, { by: 'worker' }>;

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

async function worksOn(world: World, worker: Worker, attempt: LiveAttempt, step: WorkerStep): Promise<boolean> {
  switch (step.act) {
    case 'beat':
      return await beats(world, worker, attempt, step);
    case 'next':
      attempt.end ??= 'completed';
      break;
    case 'fail':
      attempt.end ??= 'failed';
      break;
    case 'drain':
    case 'not-started':
      attempt.end ??= step.act;
      break;
    default:
      return false;
  }
  // The runner is gone before its end is told; what was not heard is told again.
  attempt.runner = 'gone';
  return attempt.end === 'drain' || attempt.end === 'not-started'
    ? await handsBack(world, worker, attempt, attempt.end, step)
    : await finishes(world, worker, attempt, attempt.end, step);
}

async function begins(world: World, worker: Worker, taken: Run, step: WorkerStep): Promise<boolean> {
  switch (step.act) {
    case 'next':
      return await starts(world, worker, taken, step);
    case 'postpone':
      return await postpones(world, worker, taken, step);
    case 'cancel-queued':
      return await cancels(world, worker, taken, step);
    default:
      return false;
  }
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
      if (!lost) worker.attempt = { run, name, runner: 'alive', trusted: true, heard: true, end: undefined };
      return `started ${run.attempt}`;
    },
    (told) => protocol.start(world.model, taken.id, taken.turn, told),
  );
  return true;
}

async function postpones(world: World, worker: Worker, taken: Run, { who }: WorkerStep): Promise<boolean> {
  worker.taken = undefined;
  await world.act(
    `worker ${who} postpones ${taken.id}-${taken.turn}`,
    async () => {
      const times = await world.attemptRecords.postpone(taken);
      return times === undefined ? 'dropped' : `postponed ${times}`;
    },
    () => protocol.postpone(world.model, taken.id, taken.turn),
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

async function finishes(
  world: World,
  worker: Worker,
  attempt: LiveAttempt,
  state: TerminalState,
  { who, lost }: WorkerStep,
): Promise<boolean> {
  const reply = await finish(world, attempt, state, who);
  if (reply !== 'finished' || lost) return true;
  worker.attempt = undefined;
  worker.ended = [...worker.ended, { attempt, state, saidAfter: world.losses, restored: false }];
  return true;
}

function finish(world: World, attempt: LiveAttempt, state: TerminalState, who: number): Promise<string> {
  const end = { state, reason: 'exit code', output: 'tail', onlyIfDead: false };
  return world.act(
    `worker ${who} finishes attempt ${attempt.name.attempt} of ${attempt.name.run}`,
    async () => await world.attemptRecords.finish(realName(attempt), end),
    (told) => protocol.finish(world.model, attempt.name, state, false, told),
  );
}

async function handsBack(
  world: World,
  worker: Worker,
  attempt: LiveAttempt,
  reason: 'drain' | 'not-started',
  { who, lost }: WorkerStep,
): Promise<boolean> {
  const how = { onlyIfDead: false, interrupted: reason === 'drain', reason };
  const reply = await world.act(
    `worker ${who} hands back attempt ${attempt.name.attempt} of ${attempt.name.run} (${reason})`,
    async () => {
      const said = await world.attemptRecords.handBack(realName(attempt), how);
      return said.kind === 'handed-back' ? `handed back ${said.turn}` : said.kind;
    },
    (told) => protocol.handBack(world.model, attempt.name, how, told),
  );
  if (reply.startsWith('handed back') && !lost) worker.attempt = undefined;
  // Perhaps it was taken: then the attempt is not this worker's any more.
  if (lost) attempt.trusted = false;
  return true;
}

async function beats(world: World, worker: Worker, attempt: LiveAttempt, { who, lost }: WorkerStep): Promise<boolean> {
  const reply = await beat(world, attempt, who);
  if (lost) return true;
  const mine = reply === 'unknown' ? await restores(world, attempt, who) : reply !== 'superseded';
  if (mine) attempt.heard = true;
  else worker.attempt = undefined;
  return true;
}

function beat(world: World, attempt: LiveAttempt, who: number): Promise<string> {
  return world.act(
    `worker ${who} beats for attempt ${attempt.name.attempt} of ${attempt.name.run}`,
    async () => {
      const said = await world.attemptRecords.beat(realName(attempt));
      return said.kind === 'ok' && said.cancelRequested !== undefined ? 'ok, cancel' : said.kind;
    },
    () => protocol.beat(world.model, attempt.name),
  );
}

/**
 * Redis has forgotten the attempt, and its worker writes it again: if it may still believe that nobody has replaced it, or
 * to tell its end, which starts nothing. False when it is not its own any more.
 */
async function restores(world: World, attempt: LiveAttempt, who: number): Promise<boolean> {
  const tellsEnd = attempt.end === 'completed' || attempt.end === 'failed';
  if (!attempt.trusted && !tellsEnd) return false;
  const reply = await world.act(
    `worker ${who} restores attempt ${attempt.name.attempt} of ${attempt.name.run}`,
    async () => ((await world.attemptRecords.restore(attempt.run)) ? 'restored' : 'superseded'),
    (told) => protocol.restore(world.model, attempt.name, remembered(attempt.run), told),
  );
  return reply === 'restored';
}

/** As `ended-attempts.ts`: what has ended is told again after each loss, until Redis knows it. */
async function saysAgain(world: World, worker: Worker, who: number): Promise<boolean> {
  const ended = worker.ended.find(({ saidAfter, restored }) => restored || saidAfter < world.losses);
  if (ended === undefined || world.model.recovery === 'unnoticed') return false;
  const { attempt, state } = ended;
  ended.saidAfter = world.losses;
  const reply = await finish(world, attempt, state, who);
  if (reply !== 'superseded' || ended.restored) {
    ended.restored = false;
    return true;
  }
  ended.restored = (await beat(world, attempt, who)) === 'unknown' && (await restores(world, attempt, who));
  return true;
}

const realName = ({ name, run }: LiveAttempt): protocol.Attempt => ({ ...name, ticket: run.ticket });

/** The attempt in which a run is at work, as the stale-job detector sees it. */
export function attemptAtWork(world: World, ticket: string): protocol.Attempt | undefined {
  const id = currentRun(world, ticket);
  const run = id === undefined ? undefined : world.view.records.runs[id];
  if (id === undefined || run?.state !== 'running') return undefined;
  return { run: id, ticket, attempt: run.attempt, fence: run.attemptFence };
}
