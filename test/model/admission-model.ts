/**
 * Who may go into the queue (PROTOCOL 3), in the model: one project, one run at a time, oldest first. How a project whose turns
 * cannot start is slowed down is left out.
 */
import { type Answer, countIn, countOut, done, type Model, passed, withOne } from './model.ts';

const CAP = 1;

/** A run has just been queued. Without a backlog it is admitted at once if it may be. */
export function queueUp(model: Model, name: string): 'admitted' | 'waiting' {
  const run = model.runs[name];
  if (run === undefined) throw new Error(`no run ${name}`);
  const { fairUse } = model;
  if (fairUse.backlog.length === 0 && mayAdmit(model)) {
    admitOne(model, name);
    return 'admitted';
  }
  run.admission = 'waiting';
  fairUse.backlog = withOne(fairUse.backlog, name);
  return 'waiting';
}

/** A replica asks who may go. */
export function admit(model: Model): Answer {
  const admitted: string[] = [];
  const age = (name: string): number => model.runs[name]?.since ?? 0;
  // In the order of their names when they are of the same age.
  const oldest = model.fairUse.backlog.toSorted((a, b) => age(a) - age(b));
  for (const name of oldest) {
    if (!mayAdmit(model)) break;
    admitOne(model, name);
    admitted.push(name);
  }
  return done(`admitted ${admitted.join(' ')}`);
}

/** Somebody has taken its job: it is on its way no more. */
export function jobTaken({ fairUse }: Model, name: string): void {
  fairUse.offered = fairUse.offered.filter((other) => other !== name);
  fairUse.aside = fairUse.aside.filter((other) => other !== name);
}

/** Its job comes later. */
export function setAside({ fairUse }: Model, name: string): void {
  fairUse.aside = withOne(fairUse.aside, name);
}

/** It cannot start, and gives its place up. Nothing else of what its job says is heard: it has another turn. */
export function putOff(model: Model, name: string, isVain: boolean): void {
  const run = model.runs[name];
  if (run === undefined) throw new Error(`no run ${name}`);
  countOut(model, name);
  run.admission = 'waiting';
  run.turn += 1;
  const list = isVain ? 'putOff' : 'backlog';
  model.fairUse[list] = withOne(model.fairUse[list], name);
}

/** It may be tried again, as old as it is. */
export function backInLine({ fairUse }: Model, name: string): void {
  fairUse.putOff = fairUse.putOff.filter((other) => other !== name);
  fairUse.backlog = withOne(fairUse.backlog, name);
}

/** No attempt starts before the second window is over: by then none is missing from what counts. */
const mayAdmit = (model: Model): boolean => passed(model, 2) && model.fairUse.admitted.length < CAP;

function admitOne(model: Model, name: string): void {
  countIn(model, name);
  model.fairUse.offered = withOne(model.fairUse.offered, name);
  const run = model.runs[name];
  if (run !== undefined) run.admission = 'admitted';
}
