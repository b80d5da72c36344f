/** What the repair loops decide, apart from all I/O: one row a case. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Lifecycle, lifecycleLabel } from '../../src/domain/lifecycle.ts';
import { MOST_INTERRUPTED, RUN_STATES, type RunState } from '../../src/domain/run.ts';
import { decideJob } from '../../src/repair/enqueued-reconciler.ts';
import { isWorthALook } from '../../src/repair/orphaned-labels.ts';
import { chooseLabels, type DueLabel } from '../../src/repair/projection.ts';
import { repairsOf } from '../../src/repair/retention.ts';
import { judgeDead } from '../../src/repair/stale-job-detector.ts';

test.each([
  { interrupted: 0, cancelRequested: undefined, verdict: 'hand-back' },
  { interrupted: MOST_INTERRUPTED - 2, cancelRequested: undefined, verdict: 'hand-back' },
  { interrupted: MOST_INTERRUPTED - 1, cancelRequested: undefined, verdict: 'fail' },
  { interrupted: MOST_INTERRUPTED + 5, cancelRequested: undefined, verdict: 'fail' },
  { interrupted: 0, cancelRequested: 'alice', verdict: 'cancel' },
  { interrupted: MOST_INTERRUPTED, cancelRequested: 'alice', verdict: 'cancel' },
])('a dead attempt after $interrupted interruptions, cancel asked by $cancelRequested: $verdict', (row) => {
  const { verdict, cancelRequested, interrupted } = row;
  const asked = cancelRequested === undefined ? {} : { cancelRequested };
  expect(judgeDead({ interrupted, ...asked })).toBe(verdict);
});

test('a job is added for a queued run without a live one, and for no other', () => {
  for (const state of RUN_STATES) {
    expect(decideJob({ state }, true)).toBe('leave');
    expect(decideJob({ state }, false)).toBe(state === 'queued' ? 'add' : 'leave');
  }
});

interface Look {
  readonly shown: readonly Lifecycle[];
  readonly run: RunState | undefined;
  readonly look: boolean;
  /** Where only deliveries tell of tickets that wait; default: the same. */
  readonly webhookOnly?: boolean;
}

test.each<Look>([
  // At work, and showing it: no request.
  { shown: ['enqueued'], run: 'queued', look: false },
  { shown: ['in-progress'], run: 'running', look: false },
  // Live, and showing anything else, or not listed at all.
  { shown: ['in-progress'], run: 'queued', look: true },
  { shown: ['enqueued'], run: 'running', look: true },
  { shown: ['pending'], run: 'running', look: true },
  { shown: ['pending'], run: 'queued', look: true },
  { shown: ['pending', 'in-progress'], run: 'running', look: true },
  { shown: [], run: 'running', look: true },
  { shown: ['enqueued'], run: 'received', look: true },
  { shown: ['pending'], run: 'received', look: true },
  // Without a record.
  { shown: ['enqueued'], run: undefined, look: true },
  { shown: ['in-progress'], run: undefined, look: true },
  { shown: ['pending', 'done'], run: undefined, look: true },
  { shown: ['pending', 'failed'], run: undefined, look: true },
  // That it waits is the ingress' business, unless only deliveries tell of it and its own has been told.
  { shown: ['pending'], run: undefined, look: false, webhookOnly: true },
  { shown: ['pending'], run: 'completed', look: false, webhookOnly: true },
  { shown: ['pending'], run: 'failed', look: false, webhookOnly: true },
  { shown: ['pending'], run: 'cancelled', look: false, webhookOnly: true },
  // Ended, and contradicted.
  { shown: ['enqueued'], run: 'completed', look: true },
  { shown: ['in-progress'], run: 'failed', look: true },
  { shown: ['pending', 'done'], run: 'completed', look: true },
])(
  'a ticket that shows $shown with a run that is $run is looked at: $look',
  ({ shown, run: state, look, webhookOnly = look }) => {
    const ticket = { labels: ['bug', 'agent-smith', ...shown.map(lifecycleLabel)], open: true };
    const run = state === undefined ? undefined : { state };
    expect(isWorthALook(ticket, run, false)).toBe(look);
    expect(isWorthALook(ticket, run, true)).toBe(webhookOnly);
  },
);

test("a closed ticket that only waits is nobody's business here", () => {
  const closed = { labels: [lifecycleLabel('pending')], open: false };
  for (const webhookOnly of [true, false])
    for (const run of [undefined, { state: 'completed' }] as const)
      expect(isWorthALook(closed, run, webhookOnly)).toBe(false);
});

const anyLabels = fc.uniqueArray(
  fc.record({ run: fc.nat(400).map(String), credential: fc.constantFrom('one', 'two', 'three') }),
  { selector: ({ run }) => run, maxLength: 400 },
);

test('labels are chosen in their order, none twice, and for each credential only a line that it can work off', () => {
  fc.assert(
    fc.property(anyLabels, anyLabels, (due, atWork) => {
      const chosen = chooseLabels(due, atWork);
      expect(chosen).toEqual(due.filter((label) => chosen.includes(label)));
      const busy = new Set(atWork.map(({ run }) => run));
      expect(chosen.filter(({ run }) => busy.has(run))).toEqual([]);
      for (const credential of ['one', 'two', 'three']) {
        const of = (labels: readonly DueLabel[]): number =>
          labels.filter((label) => label.credential === credential).length;
        expect(of(chosen)).toBeLessThanOrEqual(Math.max(0, 64 - of(atWork)));
        // Nobody waits for another one's line.
        const free = due.filter((label) => label.credential === credential && !busy.has(label.run)).length;
        expect(of(chosen)).toBe(Math.min(free, Math.max(0, 64 - of(atWork))));
      }
    }),
  );
});

test('what was put right in a list is told run by run', () => {
  expect(repairsOf({ restored: ['a'], superseded: ['b', 'c'] })).toEqual([
    { run: 'a', kind: 'lost-ticket', outcome: 'ticket given back' },
    { run: 'b', kind: 'superseded-run', outcome: 'ended' },
    { run: 'c', kind: 'superseded-run', outcome: 'ended' },
  ]);
  expect(repairsOf({ restored: [], superseded: [] })).toEqual([]);
});
