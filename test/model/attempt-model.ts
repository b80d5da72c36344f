/** The acts of an attempt, from its job to its end (PROTOCOL 3 and 4), in the model. */
import { isTerminal } from '../../src/domain/run.ts';
import type { TerminalState } from '../../src/runs/run-end.ts';
import { jobTaken, putOff, setAside } from './admission-model.ts';
import {
  type Answer,
  countIn,
  done,
  end,
  enter,
  giveFence,
  type Model,
  newRun,
  passed,
  type RunEntry,
  refused,
  type Told,
  ticketOf,
} from './model.ts';

export interface Attempt {
  readonly run: string;
  readonly ticket: string;
  readonly attempt: number;
  readonly fence: number;
}

export function take(model: Model, name: string, turn: number): Answer {
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn) return refused(`dropped ${run?.state ?? ''}`);
  if (run.admission === 'waiting') return refused('dropped waiting');
  run.takes += 1;
  jobTaken(model, name);
  return done('taken');
}

/** `keepsPlaces`: its earlier attempt may be at work without a worker. `isVain`: something is wrong with it, not with its worker. */
export function postpone(
  model: Model,
  name: string,
  turn: number,
  { keepsPlaces, isVain }: { readonly keepsPlaces: boolean; readonly isVain: boolean },
): Answer {
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn || run.admission === 'waiting') return refused('dropped');
  run.takes -= 1;
  run.postponed += 1;
  if (keepsPlaces) setAside(model, name);
  else putOff(model, name, isVain);
  return done(keepsPlaces ? 'set-aside' : 'put-off');
}

export function start(model: Model, name: string, turn: number, told: Told): Answer {
  if (!passed(model, 2)) return refused('recovering');
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn) return refused(`dropped ${run?.state ?? ''}`);
  if (model.tickets[run.ticket]?.run !== name) return refused('dropped superseded');
  if (run.cancel) return refused('cancel requested');
  if (run.admission === 'waiting') return refused('dropped waiting');
  run.attempt += 1;
  run.attemptFence = giveFence(model, run.ticket, told);
  run.takes = 0;
  run.postponed = 0;
  enter(model, name, 'running', told);
  beats(model, run.ticket, { run: name, attempt: run.attempt, fence: run.attemptFence });
  return done(`started ${run.attempt}`);
}

export function endQueued(model: Model, name: string, turn: number, state: TerminalState, told: Told): Answer {
  if (!passed(model, 2)) return refused('superseded');
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn) return refused('superseded');
  end(model, name, state, told);
  return done('finished');
}

/** Compared with the record, not with the heartbeat: an expired one says nothing about who owns the ticket. */
export function beat(model: Model, attempt: Attempt): Answer {
  const run = model.runs[attempt.run];
  const ticket = model.tickets[attempt.ticket];
  if (run !== undefined && isTerminal(run.state)) return refused('superseded');
  if (run?.state === 'running' && run.attemptFence === attempt.fence && ticket?.run === attempt.run) {
    beats(model, attempt.ticket, attempt);
    return done(run.cancel ? 'ok, cancel' : 'ok');
  }
  return refused((ticket?.fence ?? 0) > attempt.fence ? 'superseded' : 'unknown');
}

/** `remembered`: what the worker knows of the run since the attempt started. */
export function restore(model: Model, attempt: Attempt, remembered: Partial<RunEntry>, told: Told): Answer {
  if (!takesBack(model, attempt, remembered)) return refused('superseded');
  enter(model, attempt.run, 'running', told);
  countIn(model, attempt.run);
  beats(model, attempt.ticket, attempt);
  return done('restored');
}

/** The same of an attempt that has ended, in one step. */
export function restoreEnded(
  model: Model,
  attempt: Attempt,
  remembered: Partial<RunEntry>,
  state: TerminalState,
  told: Told,
): Answer {
  if (!takesBack(model, attempt, remembered)) return refused('superseded');
  stopsBeating(model, attempt);
  end(model, attempt.run, state, told);
  return done('restored');
}

function takesBack(model: Model, attempt: Attempt, remembered: Partial<RunEntry>): boolean {
  if ((model.tickets[attempt.ticket]?.fence ?? 0) > attempt.fence) return false;
  const older = model.runs[attempt.run] ?? newRun(attempt.ticket, 0, 0);
  if (isTerminal(older.state)) return false;
  const ticket = ticketOf(model, attempt.ticket);
  model.runs[attempt.run] = { ...older, ...remembered };
  ticket.run = attempt.run;
  ticket.fence = attempt.fence;
  ticket.expires = true;
  return true;
}

export function finish(model: Model, attempt: Attempt, state: TerminalState, onlyIfDead: boolean, told: Told): Answer {
  const run = model.runs[attempt.run];
  // The answer to the first time was lost.
  if (run?.state === state && run.attemptFence === attempt.fence) return refused('finished');
  if (run?.state !== 'running' || run.attemptFence !== attempt.fence) return refused('superseded');
  if (onlyIfDead && model.heartbeats[attempt.ticket] !== undefined) return refused('alive');
  stopsBeating(model, attempt);
  end(model, attempt.run, state, told);
  return done('finished');
}

export function handBack(
  model: Model,
  attempt: Attempt,
  how: { readonly onlyIfDead: boolean; readonly interrupted: boolean },
  told: Told,
): Answer {
  const run = model.runs[attempt.run];
  if (run?.state !== 'running' || run.attemptFence !== attempt.fence) return refused('superseded');
  if (how.onlyIfDead && model.heartbeats[attempt.ticket] !== undefined) return refused('alive');
  if (run.cancel) return refused('cancel-requested');
  stopsBeating(model, attempt);
  run.turn += 1;
  run.takes = 0;
  if (how.interrupted) run.interrupted += 1;
  run.attemptFence = giveFence(model, attempt.ticket, told);
  enter(model, attempt.run, 'queued', told);
  setAside(model, attempt.run);
  return done(`handed back ${run.turn}`);
}

function beats(model: Model, ticket: string, attempt: Omit<Attempt, 'ticket'>): void {
  model.heartbeats[ticket] = heartbeatOf(attempt);
}

/** Another run of the ticket may be at work by now, after a fail-over. */
function stopsBeating(model: Model, attempt: Attempt): void {
  if (model.heartbeats[attempt.ticket] === heartbeatOf(attempt)) delete model.heartbeats[attempt.ticket];
}

/** What the heartbeat of an attempt says. */
export function heartbeatOf({ run, attempt, fence }: Omit<Attempt, 'ticket'>): string {
  return `${run}:${attempt}:${fence}`;
}
