/** The acts of a claim (PROTOCOL 2) in the model. */
import { queueUp } from './admission-model.ts';
import {
  type Answer,
  delist,
  done,
  end,
  enlist,
  enter,
  giveFence,
  MOST_RUNS_PER_DAY,
  type Model,
  newRun,
  passed,
  type RunEntry,
  refused,
  settled,
  type Told,
  ticketOf,
} from './model.ts';

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
  return done(`committed, ${queueUp(model, hold.run)}${run.cancel ? ', cancel' : ''}`);
}

/** A cancelled run is not forgotten: it ends as that. */
export function abandon(model: Model, hold: Hold, how: { keep: boolean; backOff: boolean }, told: Told): Answer {
  const run = heldRun(model, hold);
  if (run === undefined) return refused('superseded');
  const ticket = ticketOf(model, hold.ticket);
  if (run.cancel && !how.keep) {
    delete ticket.previous;
    release(model, hold);
    end(model, hold.run, 'cancelled', told);
    return done('cancelled');
  }
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

function heldRun(model: Model, hold: Hold): RunEntry | undefined {
  const run = model.runs[hold.run];
  return run?.state === 'received' && run.fence === hold.fence ? run : undefined;
}

/** A run whose record is still there. */
function known(model: Model, run: string | undefined): string {
  return run !== undefined && model.runs[run] !== undefined ? run : 'none';
}

function forgetRun(model: Model, name: string): void {
  delete model.runs[name];
  delist(model, 'received', name);
}
