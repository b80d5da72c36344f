/**
 * PROTOCOL 5 once more, written down as it stands there, and laid beside `decideLabel` for every record and every set of
 * lifecycle labels: 32 sets, with and without a record in each state, confirmed or not, locked or not.
 */
import { expect, test } from 'vitest';
import { contradicts, decideLabel, MOST_DOUBTS } from '../../src/domain/label-table.ts';
import { LIFECYCLES, type Lifecycle, lifecycleLabel } from '../../src/domain/lifecycle.ts';
import { type LabelState, RUN_STATES, type RunState } from '../../src/domain/run.ts';
import { runIn } from './runs.ts';

const SETS: readonly (readonly Lifecycle[])[] = Array.from({ length: 2 ** LIFECYCLES.length }, (_, bits) =>
  LIFECYCLES.filter((_lifecycle, i) => (bits & (1 << i)) !== 0),
);
const PROJECTION: Readonly<Partial<Record<RunState, Lifecycle>>> = {
  queued: 'enqueued',
  running: 'in-progress',
  completed: 'done',
  failed: 'failed',
  cancelled: 'failed',
};

interface Row {
  readonly state: RunState | 'none';
  readonly labelState: LabelState;
  readonly doubts: number;
  readonly locked: boolean;
}

/** The table of PROTOCOL 5, row by row; several labels together mean the furthest. */
function asInTheProtocol({ state, labelState, doubts, locked }: Row, shown: readonly Lifecycle[]): string {
  const shows = (...some: Lifecycle[]): boolean => some.some((lifecycle) => shown.includes(lifecycle));
  const only = (lifecycle: Lifecycle): boolean => shown.length === 1 && shown[0] === lifecycle;
  if (state === 'none') {
    if (shows('done', 'failed')) return shown.length === 1 ? 'leave' : `write ${shows('failed') ? 'failed' : 'done'}`;
    if (shows('in-progress')) return 'write pending';
    return shows('enqueued') ? 'claim reconcile' : 'claim poll';
  }
  if (state === 'received') return locked ? 'leave' : 'take-over';
  const projection = PROJECTION[state] ?? 'failed';
  if (state === 'queued' || state === 'running') {
    if (!only(projection)) return `write ${projection}`;
    return labelState === 'confirmed' ? 'leave' : 'confirm';
  }
  if (labelState === 'unconfirmed') return only(projection) ? 'confirm' : `write ${projection}`;
  if (only(projection)) return 'leave';
  if (shows('enqueued', 'in-progress')) return doubts >= MOST_DOUBTS ? 'give-up' : 'doubt';
  const other = projection === 'done' ? 'failed' : 'done';
  return shows(other) ? 'leave' : 'claim poll';
}

const ROWS: readonly Row[] = (['none', ...RUN_STATES] as const).flatMap((state) =>
  (['unconfirmed', 'confirmed', 'unwritable'] as const).flatMap((labelState) =>
    [0, MOST_DOUBTS].flatMap((doubts) => [true, false].map((locked) => ({ state, labelState, doubts, locked }))),
  ),
);

test('every record and every set of lifecycle labels: what the table of PROTOCOL 5 says', () => {
  expect(SETS).toHaveLength(32);
  for (const row of ROWS) {
    const run = row.state === 'none' ? undefined : runIn(row.state, row.labelState, row.doubts);
    for (const shown of SETS) {
      const action = decideLabel({ run, labels: ['bug', ...shown.map(lifecycleLabel)], locked: row.locked });
      const said =
        action.kind === 'write'
          ? `write ${action.lifecycle}`
          : action.kind === 'claim'
            ? `claim ${action.trigger}`
            : action.kind;
      expect([row, shown, said]).toEqual([row, shown, asInTheProtocol(row, shown)]);
    }
  }
});

test("somebody else's lifecycle label: it contradicts one that was read back, and is neither a wish nor a verdict", () => {
  for (const { state, labelState, doubts } of ROWS) {
    if (state === 'none') continue;
    const projection = PROJECTION[state];
    for (const shown of SETS) {
      const labels = ['bug', ...shown.map(lifecycleLabel)];
      const strange = shown.filter((lifecycle) => lifecycle !== projection && lifecycle !== 'pending');
      const ended = state !== 'queued' && state !== 'running' && state !== 'received';
      const expected = ended
        ? // Given up: it was left as it is, so it is no change.
          doubts < MOST_DOUBTS && shown.some((lifecycle) => lifecycle === 'enqueued' || lifecycle === 'in-progress')
        : state !== 'received' && strange.length > 0;
      const row = [state, labelState, doubts, shown];
      expect([row, contradicts({ run: runIn(state, labelState, doubts), labels })]).toEqual([
        row,
        labelState === 'confirmed' && expected,
      ]);
    }
  }
});
