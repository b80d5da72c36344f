/**
 * PROTOCOL 1 to 5 once more, small enough to be read beside it: what Redis should know after each act, and what it should
 * answer. It is written from the protocol, not from the scripts; where the two differ, a sequence of steps shows it.
 *
 *   received --commit--> queued --start--> running --finish--> completed, failed, cancelled
 *      |                   ^ |                |
 *    abandon: gone         | +--endQueued--> (terminal)
 *                          +------ handBack --+
 *
 * One project, whose cap is one run: a second one that is queued waits in the backlog until the first has ended.
 *
 * Plain data, plain functions that change it. A number that only Redis can know (a fence, the time a state was entered)
 * is `told` by what Redis shows after the act, and judged here: a fence must be larger than every one before.
 */
import { isTerminal, type LabelState, type RunState } from '../../src/domain/run.ts';
import type { TerminalState } from '../../src/runs/run-end.ts';

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
  /** `none` before it is queued. */
  admission: 'none' | 'waiting' | 'admitted';
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
  /** Fair use: who waits, who is not tried again yet, who counts towards the cap, whose job nobody has taken, whose job comes later. */
  fairUse: Record<'backlog' | 'putOff' | 'admitted' | 'offered' | 'aside', string[]>;
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

export const refused = (text: string): Answer => ({ text, unchanged: true });
export const done = (text: string): Answer => ({ text, unchanged: false });

export const MOST_RUNS_PER_DAY = 2;

export const NO_RECORDS: Records = {
  tickets: {},
  runs: {},
  lists: { received: [], queued: [], running: [], completed: [], failed: [], cancelled: [], unconfirmed: [] },
  fairUse: { backlog: [], putOff: [], admitted: [], offered: [], aside: [] },
  locks: {},
  heartbeats: {},
};

/** Whether so many windows after a loss are over. */
export const passed = (model: Model, windows: number): boolean =>
  model.recovery !== 'unnoticed' && model.recovery >= windows;

/** Everything is gone; what was ever given out is not given out again. */
export function loseAll(model: Model): void {
  Object.assign(model, structuredClone(NO_RECORDS));
  model.recovery = 'unnoticed';
}

export function newRun(ticket: string, fence: number, since: number): RunEntry {
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
    admission: 'none',
    label: 'unconfirmed',
    doubts: 0,
    refused: false,
    cancel: false,
    since,
    expires: false,
  };
}

export function ticketOf(model: Model, name: string): TicketEntry {
  const none: TicketEntry = { fence: 0, starts: 0, failures: 0, backingOff: false, expires: false };
  return (model.tickets[name] ??= none);
}

export function giveFence(model: Model, ticket: string, told: Told): number {
  const fence = told.fence(ticket);
  const highest = model.highest[ticket] ?? 0;
  if (!(fence > highest)) throw new Error(`the fence of ticket ${ticket} is ${fence} after ${highest}`);
  model.highest[ticket] = fence;
  ticketOf(model, ticket).fence = fence;
  return fence;
}

export function enter(model: Model, name: string, state: RunState, told: Told): void {
  const run = model.runs[name];
  if (run === undefined) throw new Error(`no run ${name}`);
  run.state = state;
  run.since = told.since(name);
  run.expires = isTerminal(state);
  for (const list of Object.keys(model.lists) as (keyof Records['lists'])[]) delist(model, list, name);
  enlist(model, state, name);
  unsettled(model, name);
}

export function end(model: Model, name: string, state: TerminalState, told: Told): void {
  enter(model, name, state, told);
  countOut(model, name);
  const ticket = model.tickets[model.runs[name]?.ticket ?? ''];
  if (ticket !== undefined) ticket.expires = true;
}

export function unsettled(model: Model, name: string): void {
  const run = model.runs[name];
  if (run !== undefined) run.label = 'unconfirmed';
  enlist(model, 'unconfirmed', name);
}

export function settled(model: Model, name: string, label: LabelState): void {
  const run = model.runs[name];
  if (run !== undefined) run.label = label;
  delist(model, 'unconfirmed', name);
}

export function enlist(model: Model, list: keyof Records['lists'], name: string): void {
  model.lists[list] = withOne(model.lists[list], name);
}

export function delist(model: Model, list: keyof Records['lists'], name: string): void {
  model.lists[list] = model.lists[list].filter((other) => other !== name);
}

export function withOne(list: readonly string[], name: string): string[] {
  return [...new Set([...list, name])].toSorted();
}

/** Off all lists of fair use. */
export function countOut({ fairUse }: Model, name: string): void {
  for (const list of Object.keys(fairUse) as (keyof Records['fairUse'])[])
    fairUse[list] = fairUse[list].filter((other) => other !== name);
}

/** Towards the cap. */
export function countIn(model: Model, name: string): void {
  countOut(model, name);
  model.fairUse.admitted = withOne(model.fairUse.admitted, name);
}
