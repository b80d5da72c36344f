/** What becomes of labels (PROTOCOL 5), in the model. */
import { isTerminal, type RunState } from '../../src/domain/run.ts';
import type { Settlement } from '../../src/runs/label-records.ts';
import { type Answer, delist, done, type Model, refused, settled, unsettled } from './model.ts';

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
