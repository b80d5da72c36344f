/**
 * PROTOCOL 1 to 5 once more, small enough to be read beside it: what Redis should know after each act, and what it should
 * answer. It is written from the protocol, not from the scripts; where the two differ, a sequence of steps shows it.
 *
 *   received --commit--> queued --start--> running --finish--> completed, failed, cancelled
 *      |                   ^ |                |
 *    abandon: gone         | +--endQueued--> (terminal)
 *                          +------ handBack --+
 *
 * Plain data, plain functions that change it. A number that only Redis can know (a fence, the time a state was entered)
 * is `told` by what Redis shows after the act, and judged here: a fence must be larger than every one before.
 */
import { isTerminal, type LabelState, type RunState } from '../../src/domain/run.ts';
import type { TerminalState } from '../../src/runs/attempt-records.ts';
import type { Settlement } from '../../src/runs/label-records.ts';

export interface TicketEntry {
  run?: string;
  /** The run before a claim that is still `received`. */
  previous?: string;
  fence: number;
  /** Runs of the last 24 h. */
  starts: number;
  failures: number;
  backingOff: boolean;
  /** Whether the key has a time to live. */
  expires: boolean;
}

export interface RunEntry {
  ticket: string;
  state: RunState;
  fence: number;
  turn: number;
  attempt: number;
  attemptFence: number;
  interrupted: number;
  takes: number;
  postponed: number;
  label: LabelState;
  doubts: number;
  /** The platform has refused the label of this state. */
  refused: boolean;
  cancel: boolean;
  since: number;
  expires: boolean;
}

/** What Redis knows. Runs and tickets by their names, lists in the order of the alphabet. */
export interface Records {
  tickets: Record<string, TicketEntry>;
  runs: Record<string, RunEntry>;
  /** Run ids in each list: one for each state, and `unconfirmed`. */
  lists: Record<RunState | 'unconfirmed', string[]>;
  /** Who holds the lock of a ticket. */
  locks: Record<string, string>;
  /** `run:attempt:fence` */
  heartbeats: Record<string, string>;
}

/** Parts of the time after Redis lost data: not noticed yet; and how many of its three windows have passed. */
export type Recovery = 'unnoticed' | 0 | 1 | 2 | 3;

export interface Model extends Records {
  recovery: Recovery;
  /** The largest fence that was ever given out for each ticket; a loss of data does not touch it. */
  highest: Record<string, number>;
}

/** What Redis shows after the act. */
export interface Told {
  fence(ticket: string): number;
  since(run: string): number;
}

/** What an act answers; `unchanged`: it must not have written anything at all. */
export interface Answer {
  readonly text: string;
  readonly unchanged: boolean;
}

const refused = (text: string): Answer => ({ text, unchanged: true });
const done = (text: string): Answer => ({ text, unchanged: false });

export const MOST_RUNS_PER_DAY = 3;

export const NO_RECORDS: Records = {
  tickets: {},
  runs: {},
  lists: { received: [], queued: [], running: [], completed: [], failed: [], cancelled: [], unconfirmed: [] },
  locks: {},
  heartbeats: {},
};

const passed = (model: Model, windows: number): boolean =>
  model.recovery !== 'unnoticed' && model.recovery >= windows;

// ---- The claim (PROTOCOL 2)

export interface Ask {
  readonly ticket: string;
  readonly newRun: string;
  readonly token: string;
  readonly insist: boolean;
}

/** What stands in the way of a claim, or the run that it takes over, or nothing. */
function gate(model: Model, { ticket: name, insist }: Ask): { refusal?: string; takesOver?: string } {
  const ticket = model.tickets[name];
  const current = ticket?.run === undefined ? undefined : model.runs[ticket.run];
  if (current?.state === 'queued' || current?.state === 'running') return { refusal: `already ${current.state}` };
  const takesOver = current?.state === 'received' ? ticket?.run : undefined;
  if (current !== undefined && takesOver === undefined && current.label === 'unconfirmed') {
    return { refusal: 'already unconfirmed' };
  }
  if (!insist && ticket?.backingOff === true) return { refusal: 'backing off' };
  if (!insist && takesOver === undefined && (ticket?.starts ?? 0) >= MOST_RUNS_PER_DAY) {
    return { refusal: 'too many runs' };
  }
  if (model.locks[name] !== undefined) return { refusal: 'contended' };
  return takesOver === undefined ? {} : { takesOver };
}

/** Asks and changes nothing. Before the first contact a look sees what would come next. */
export function look(model: Model, ask: Ask): Answer {
  if (model.recovery === 0) return refused('recovering');
  const { refusal, takesOver } = gate(model, ask);
  return refused(refusal ?? (takesOver === undefined ? 'begun' : 'taken over'));
}

export function begin(model: Model, ask: Ask, told: Told): Answer {
  if (!passed(model, 1)) return refused('recovering');
  const { refusal, takesOver } = gate(model, ask);
  if (refusal !== undefined) return refused(refusal);
  const ticket = ticketOf(model, ask.ticket);
  const fence = giveFence(model, ask.ticket, told);
  ticket.expires = true;
  model.locks[ask.ticket] = ask.token;
  const taken = takesOver === undefined ? undefined : model.runs[takesOver];
  if (taken !== undefined) {
    taken.fence = fence;
    return done(`taken over ${takesOver} before ${known(model, ticket.previous)}`);
  }
  if (ticket.run !== undefined) ticket.previous = ticket.run;
  ticket.run = ask.newRun;
  model.runs[ask.newRun] = newRun(ask.ticket, fence, told.since(ask.newRun));
  enlist(model, 'received', ask.newRun);
  return done(`begun ${ask.newRun} before ${known(model, ticket.previous)}`);
}

export interface Hold {
  readonly run: string;
  readonly ticket: string;
  readonly fence: number;
  readonly token: string;
}

/** `shown`: the platform showed `enqueued` as the only lifecycle label. */
export function commit(model: Model, hold: Hold, shown: boolean, told: Told): Answer {
  const run = heldRun(model, hold);
  if (run === undefined) return refused('superseded');
  const ticket = ticketOf(model, hold.ticket);
  run.turn = 1;
  enter(model, hold.run, 'queued', told);
  if (shown) settled(model, hold.run, 'confirmed');
  ticket.starts += 1;
  ticket.failures = 0;
  ticket.backingOff = false;
  delete ticket.previous;
  release(model, hold);
  return done('committed');
}

export function abandon(model: Model, hold: Hold, how: { keep: boolean; backOff: boolean }): Answer {
  if (heldRun(model, hold) === undefined) return refused('superseded');
  const ticket = ticketOf(model, hold.ticket);
  if (!how.keep) {
    forgetRun(model, hold.run);
    if (ticket.previous === undefined) delete ticket.run;
    else ticket.run = ticket.previous;
    delete ticket.previous;
  }
  if (how.backOff) {
    ticket.failures += 1;
    ticket.backingOff = true;
  }
  release(model, hold);
  return done('abandoned');
}

/** A lock is released by its holder alone. */
export function release(model: Model, hold: Hold): Answer {
  if (model.locks[hold.ticket] !== hold.token) return refused('released');
  delete model.locks[hold.ticket];
  return done('released');
}

// ---- The attempt (PROTOCOL 4)

export interface Attempt {
  readonly run: string;
  readonly ticket: string;
  readonly attempt: number;
  readonly fence: number;
}

export function take(model: Model, name: string, turn: number): Answer {
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn) return refused(`dropped ${run?.state ?? ''}`);
  run.takes += 1;
  return done('taken');
}

export function postpone(model: Model, name: string, turn: number): Answer {
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn) return refused('dropped');
  run.takes -= 1;
  run.postponed += 1;
  return done(`postponed ${run.postponed}`);
}

export function start(model: Model, name: string, turn: number, told: Told): Answer {
  if (!passed(model, 2)) return refused('recovering');
  const run = model.runs[name];
  if (run?.state !== 'queued' || run.turn !== turn) return refused(`dropped ${run?.state ?? ''}`);
  if (model.tickets[run.ticket]?.run !== name) return refused('dropped superseded');
  if (run.cancel) return refused('cancel requested');
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
  if ((model.tickets[attempt.ticket]?.fence ?? 0) > attempt.fence) return refused('superseded');
  const older = model.runs[attempt.run] ?? newRun(attempt.ticket, 0, 0);
  if (isTerminal(older.state)) return refused('superseded');
  const ticket = ticketOf(model, attempt.ticket);
  model.runs[attempt.run] = { ...older, ...remembered };
  ticket.run = attempt.run;
  ticket.fence = attempt.fence;
  ticket.expires = true;
  enter(model, attempt.run, 'running', told);
  beats(model, attempt.ticket, attempt);
  return done('restored');
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
  stopsBeating(model, attempt);
  run.turn += 1;
  run.takes = 0;
  if (how.interrupted) run.interrupted += 1;
  run.attemptFence = giveFence(model, attempt.ticket, told);
  enter(model, attempt.run, 'queued', told);
  return done(`handed back ${run.turn}`);
}

// ---- The label (PROTOCOL 5)

/** The run as whoever looked at its ticket knew it. `givenUp`: the platform has refused for longer than we wait. */
export function settle(
  model: Model,
  seen: { readonly run: string; readonly ticket: string; readonly state: RunState; readonly since: number },
  kind: Settlement['kind'],
  givenUp: boolean,
): Answer {
  const current = model.tickets[seen.ticket]?.run;
  if (current !== undefined && current !== seen.run) {
    // What was written for the earlier run may have overwritten the label of this one.
    const state = model.runs[current]?.state;
    if (state === undefined || state === 'received') return refused('moved on');
    unsettled(model, current);
    return done('moved on');
  }
  const run = model.runs[seen.run];
  if (run === undefined || run.state !== seen.state || run.since !== seen.since) return refused('moved on');
  if (kind === 'refused' && !(givenUp && isTerminal(run.state))) {
    unsettled(model, seen.run);
    run.refused = true;
    return done(`unconfirmed ${run.doubts}`);
  }
  run.refused = kind === 'refused';
  if (kind === 'doubt') {
    if (run.label !== 'unconfirmed') run.doubts += 1;
    unsettled(model, seen.run);
  } else {
    settled(model, seen.run, kind === 'confirmed' ? 'confirmed' : 'unwritable');
  }
  return done(`${run.label} ${run.doubts}`);
}

/** The run is not its ticket's, so its label is nobody's business; unless the ticket is its again by now. */
export function forget(model: Model, name: string): Answer {
  const run = model.runs[name];
  if (run?.label === 'unconfirmed' && model.tickets[run.ticket]?.run === name) return refused('forgotten');
  delist(model, 'unconfirmed', name);
  return done('forgotten');
}

// ---- Redis and time

/** Everything is gone; what was ever given out is not given out again. */
export function loseAll(model: Model): void {
  Object.assign(model, structuredClone(NO_RECORDS));
  model.recovery = 'unnoticed';
}

// ---- Pieces

/** A run whose record is still there. */
function known(model: Model, run: string | undefined): string {
  return run !== undefined && model.runs[run] !== undefined ? run : 'none';
}

function newRun(ticket: string, fence: number, since: number): RunEntry {
  return {
    ticket,
    state: 'received',
    fence,
    turn: 0,
    attempt: 0,
    attemptFence: 0,
    interrupted: 0,
    takes: 0,
    postponed: 0,
    label: 'unconfirmed',
    doubts: 0,
    refused: false,
    cancel: false,
    since,
    expires: false,
  };
}

function ticketOf(model: Model, name: string): TicketEntry {
  const none: TicketEntry = { fence: 0, starts: 0, failures: 0, backingOff: false, expires: false };
  return (model.tickets[name] ??= none);
}

function heldRun(model: Model, hold: Hold): RunEntry | undefined {
  const run = model.runs[hold.run];
  return run?.state === 'received' && run.fence === hold.fence ? run : undefined;
}

function giveFence(model: Model, ticket: string, told: Told): number {
  const fence = told.fence(ticket);
  const highest = model.highest[ticket] ?? 0;
  if (!(fence > highest)) throw new Error(`the fence of ticket ${ticket} is ${fence} after ${highest}`);
  model.highest[ticket] = fence;
  ticketOf(model, ticket).fence = fence;
  return fence;
}

function enter(model: Model, name: string, state: RunState, told: Told): void {
  const run = model.runs[name];
  if (run === undefined) throw new Error(`no run ${name}`);
  run.state = state;
  run.since = told.since(name);
  run.expires = isTerminal(state);
  for (const list of Object.keys(model.lists) as (keyof Records['lists'])[]) delist(model, list, name);
  enlist(model, state, name);
  unsettled(model, name);
}

function end(model: Model, name: string, state: TerminalState, told: Told): void {
  enter(model, name, state, told);
  const ticket = model.tickets[model.runs[name]?.ticket ?? ''];
  if (ticket !== undefined) ticket.expires = true;
}

function unsettled(model: Model, name: string): void {
  const run = model.runs[name];
  if (run !== undefined) run.label = 'unconfirmed';
  enlist(model, 'unconfirmed', name);
}

function settled(model: Model, name: string, label: LabelState): void {
  const run = model.runs[name];
  if (run !== undefined) run.label = label;
  delist(model, 'unconfirmed', name);
}

function forgetRun(model: Model, name: string): void {
  delete model.runs[name];
  delist(model, 'received', name);
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

function enlist(model: Model, list: keyof Records['lists'], name: string): void {
  model.lists[list] = [...new Set([...model.lists[list], name])].toSorted();
}

function delist(model: Model, list: keyof Records['lists'], name: string): void {
  model.lists[list] = model.lists[list].filter((other) => other !== name);
}
