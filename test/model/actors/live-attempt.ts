/** A worker's attempt at work: beats, ends, and what it does when Redis has forgotten it; as `attempt.ts` of the product. */
import type { Run } from '../../../src/domain/run.ts';
import type { TerminalState } from '../../../src/runs/run-end.ts';
import * as protocol from '../attempt-model.ts';
import { remembered } from '../view.ts';
import { currentRun, type World } from '../world.ts';
import type { Worker, WorkerStep } from './worker.ts';

export interface LiveAttempt {
  /** As `start` made it. */
  readonly run: Run;
  readonly name: protocol.Attempt;
  runner: 'alive' | 'gone';
  trusted: boolean;
  /** A beat was accepted since Redis lost data last. */
  heard: boolean;
  /** Redis has said that it does not know it: it is to be written again. */
  forgotten: boolean;
  /** How it has ended, once that was told to Redis: nothing else is told then. */
  end: TerminalState | 'drain' | 'not-started' | undefined;
}

export interface EndedAttempt {
  readonly attempt: LiveAttempt;
  readonly state: TerminalState;
  /** Number of losses when it was said last. */
  saidAfter: number;
  /** Redis does not know of the attempt: it is to be written again with its end. */
  stage: 'told' | 'forgotten';
}

/** How an attempt ends by an act of its worker. */
const ENDS: Partial<Record<WorkerStep['act'], LiveAttempt['end']>> = {
  next: 'completed',
  fail: 'failed',
  drain: 'drain',
  'not-started': 'not-started',
};

/** False when there is no such step now. */
export async function worksOn(world: World, worker: Worker, attempt: LiveAttempt, step: WorkerStep): Promise<boolean> {
  if (step.act === 'beat') return await beats(world, worker, attempt, step);
  if (ENDS[step.act] === undefined) return false;
  attempt.end ??= ENDS[step.act];
  // The runner is gone before its end is told; what was not heard is told again.
  attempt.runner = 'gone';
  const { end = 'failed' } = attempt;
  return end === 'drain' || end === 'not-started'
    ? await handsBack(world, worker, attempt, end, step)
    : await finishes(world, worker, attempt, end, step);
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
  worker.ended = [...worker.ended, { attempt, state, saidAfter: world.losses, stage: 'told' }];
  return true;
}

function finish(world: World, attempt: LiveAttempt, state: TerminalState, who: number): Promise<string> {
  const end = { state, reason: 'exit code', output: 'tail', result: { links: [] }, onlyIfDead: false };
  return world.act(
    `worker ${who} finishes attempt ${attempt.name.attempt} of ${attempt.name.run}`,
    async () => {
      const reply = await world.attemptRecords.finish(realName(attempt), end);
      return typeof reply === 'string' ? reply : 'told';
    },
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

/** A beat; or, when the last one was answered by `unknown`, what follows it. Others may act between the two. */
async function beats(world: World, worker: Worker, attempt: LiveAttempt, { who, lost }: WorkerStep): Promise<boolean> {
  const again = attempt.forgotten;
  const reply = again ? await restore(world, attempt, who) : await beat(world, attempt, who);
  if (lost) return true;
  attempt.forgotten = reply === 'unknown' && mayRestore(attempt);
  attempt.heard ||= reply !== 'unknown' && reply !== 'superseded';
  if (reply === 'superseded' || (reply === 'unknown' && !attempt.forgotten)) worker.attempt = undefined;
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
 * Redis has forgotten the attempt. Its worker writes it again if it may still believe that nobody has replaced it, or to tell
 * its end, which starts nothing.
 */
function mayRestore({ trusted, end }: LiveAttempt): boolean {
  return trusted || end === 'completed' || end === 'failed';
}

function restore(world: World, attempt: LiveAttempt, who: number): Promise<string> {
  return world.act(
    `worker ${who} restores attempt ${attempt.name.attempt} of ${attempt.name.run}`,
    async () => ((await world.attemptRecords.restore(attempt.run)) ? 'restored' : 'superseded'),
    (told) => protocol.restore(world.model, attempt.name, remembered(attempt.run), told),
  );
}

function restoreEnded(world: World, { attempt, state }: EndedAttempt, who: number): Promise<string> {
  return world.act(
    `worker ${who} restores the end of attempt ${attempt.name.attempt} of ${attempt.name.run}`,
    async () =>
      (await world.attemptRecords.restore(attempt.run, { state, reason: 'exit code', result: { links: [] } }))
        ? 'restored'
        : 'superseded',
    (told) => protocol.restoreEnded(world.model, attempt.name, remembered(attempt.run), state, told),
  );
}

/** As `ended-attempts.ts`: what has ended is told again after each loss, until Redis knows it. */
export async function saysAgain(world: World, worker: Worker, who: number): Promise<boolean> {
  const ended = worker.ended.find(({ saidAfter, stage }) => stage === 'forgotten' || saidAfter < world.losses);
  if (ended === undefined || world.model.recovery === 'unnoticed') return false;
  const { attempt, state, stage } = ended;
  ended.saidAfter = world.losses;
  ended.stage = 'told';
  if (stage === 'forgotten') {
    await restoreEnded(world, ended, who);
    return true;
  }
  const reply = await finish(world, attempt, state, who);
  if (reply !== 'superseded') return true;
  if ((await beat(world, attempt, who)) === 'unknown') ended.stage = 'forgotten';
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
