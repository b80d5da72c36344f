/** PROTOCOL 5, the label table as a pure function: one test per row, and what holds for every record and every label. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judge } from '../../src/domain/eligibility.ts';
import { decideLabel, type LabelAction, MOST_DOUBTS } from '../../src/domain/label-table.ts';
import { LIFECYCLES, type Lifecycle, lifecycleLabel, lifecyclesOf } from '../../src/domain/lifecycle.ts';
import type { Project } from '../../src/domain/project.ts';
import { isTerminal, type LabelState, projectionOf, RUN_STATES, type Run } from '../../src/domain/run.ts';
import { runIn } from './runs.ts';

const PEOPLE = ['bug', 'agent-smith', 'agent-smith:mine'];

function decide(run: Run | undefined, shown: readonly Lifecycle[], locked = false): LabelAction {
  return decideLabel({ run, labels: [...PEOPLE, ...shown.map(lifecycleLabel)], locked });
}

const ENDED = RUN_STATES.filter(isTerminal);
const done = runIn('completed', 'confirmed');

describe('no record', () => {
  test('row none / pending: the rules of discovery and catchup', () => {
    expect(decide(undefined, [])).toEqual({ kind: 'claim', trigger: 'poll' });
    expect(decide(undefined, ['pending'])).toEqual({ kind: 'claim', trigger: 'poll' });
  });

  test('row enqueued: a new run, trigger reconcile', () => {
    expect(decide(undefined, ['enqueued'])).toEqual({ kind: 'claim', trigger: 'reconcile' });
    expect(decide(undefined, ['pending', 'enqueued'])).toEqual({ kind: 'claim', trigger: 'reconcile' });
  });

  test('row in-progress: back to pending', () => {
    expect(decide(undefined, ['in-progress'])).toEqual({ kind: 'write', lifecycle: 'pending' });
    expect(decide(undefined, ['enqueued', 'in-progress'])).toEqual({ kind: 'write', lifecycle: 'pending' });
  });

  test('row done or failed: nothing; what is there beside it is removed', () => {
    for (const ended of ['done', 'failed'] as const) {
      expect(decide(undefined, [ended])).toMatchObject({ kind: 'leave' });
      for (const surplus of ['pending', 'enqueued', 'in-progress'] as const) {
        expect(decide(undefined, [surplus, ended])).toEqual({ kind: 'write', lifecycle: ended });
      }
    }
    expect(decide(undefined, ['done', 'failed'])).toEqual({ kind: 'write', lifecycle: 'failed' });
  });
});

test('row received, lock held: nobody touches it', () => {
  for (const shown of LIFECYCLES) expect(decide(runIn('received'), [shown], true)).toMatchObject({ kind: 'leave' });
});

test('row received, lock gone: taken over', () => {
  for (const shown of LIFECYCLES) expect(decide(runIn('received'), [shown])).toEqual({ kind: 'take-over' });
});

test('row queued, running: anything but the projection is written again, also after confirmation', () => {
  for (const [state, projection] of [
    ['queued', 'enqueued'],
    ['running', 'in-progress'],
  ] as const) {
    for (const labelState of ['unconfirmed', 'confirmed'] as const) {
      const run = runIn(state, labelState);
      for (const other of LIFECYCLES.filter((lifecycle) => lifecycle !== projection)) {
        expect(decide(run, [other])).toEqual({ kind: 'write', lifecycle: projection });
        expect(decide(run, [projection, other])).toEqual({ kind: 'write', lifecycle: projection });
      }
      expect(decide(run, [])).toEqual({ kind: 'write', lifecycle: projection });
    }
    expect(decide(runIn(state), [projection])).toEqual({ kind: 'confirm' });
    expect(decide(runIn(state, 'confirmed'), [projection])).toMatchObject({ kind: 'leave' });
  }
});

test('row terminal, unconfirmed: written until read back, whatever is there', () => {
  for (const state of ENDED) {
    const projection = projectionOf(state) ?? 'failed';
    expect(decide(runIn(state), [projection])).toEqual({ kind: 'confirm' });
    expect(decide(runIn(state), [])).toEqual({ kind: 'write', lifecycle: projection });
    for (const other of LIFECYCLES.filter((lifecycle) => lifecycle !== projection)) {
      expect(decide(runIn(state), [other])).toEqual({ kind: 'write', lifecycle: projection });
    }
  }
});

test('row terminal, confirmed, with none, pending, or projection + pending: a person asks again', () => {
  const again = { kind: 'claim', trigger: 'poll' };
  for (const labelState of ['confirmed', 'unwritable'] as const) {
    for (const state of ENDED) {
      const run = runIn(state, labelState);
      const projection = projectionOf(state) ?? 'failed';
      expect(decide(run, [])).toEqual(again);
      expect(decide(run, ['pending'])).toEqual(again);
      expect(decide(run, ['pending', projection])).toEqual(again);
      expect(decide(run, [projection])).toMatchObject({ kind: 'leave' });
    }
  }
});

test('row terminal, confirmed, with enqueued or in-progress: the projection again, 3 times, then a finding', () => {
  for (const shown of [['enqueued'], ['in-progress'], ['done', 'enqueued'], ['pending', 'in-progress']] as const) {
    for (let doubts = 0; doubts < MOST_DOUBTS; doubts += 1) {
      expect(decide(runIn('completed', 'confirmed', doubts), shown)).toEqual({ kind: 'doubt' });
    }
    expect(decide(runIn('completed', 'confirmed', MOST_DOUBTS), shown)).toEqual({ kind: 'give-up' });
  }
  expect(MOST_DOUBTS).toBe(3);
});

test("row terminal, confirmed, with the other terminal label: a person's verdict, left alone", () => {
  for (const shown of [['failed'], ['done', 'failed'], ['pending', 'failed']] as const) {
    expect(decide(done, shown)).toMatchObject({ kind: 'leave', why: expect.stringContaining('verdict') });
  }
  expect(decide(runIn('cancelled', 'confirmed'), ['done'])).toMatchObject({ kind: 'leave' });
});

const anyRun = fc.option(
  fc
    .record({
      state: fc.constantFrom(...RUN_STATES),
      labelState: fc.constantFrom<LabelState>('unconfirmed', 'confirmed', 'unwritable'),
      doubts: fc.nat(5),
    })
    .map(({ state, labelState, doubts }) => runIn(state, labelState, doubts)),
  { nil: undefined },
);
const anyLifecycles = fc.subarray([...LIFECYCLES]);
const anyLabels = fc
  .tuple(anyLifecycles, fc.array(fc.oneof(fc.constantFrom(...PEOPLE), fc.string())), fc.boolean())
  .map(([lifecycles, people, shout]) => {
    const labels = lifecycles.map(lifecycleLabel);
    return [...people, ...(shout ? labels.map((label) => label.toUpperCase()) : labels)];
  });

describe('for every record and every set of labels', () => {
  test("the action is settled by the lifecycle labels alone and never names a people's label", () => {
    fc.assert(
      fc.property(anyRun, anyLabels, fc.boolean(), (run, labels, locked) => {
        const action = decideLabel({ run, labels, locked });
        const lifecycles = lifecyclesOf(labels).map(lifecycleLabel);
        expect(action).toEqual(decideLabel({ run, labels: lifecycles, locked }));
        if (action.kind === 'write') expect(LIFECYCLES).toContain(action.lifecycle);
      }),
    );
  });

  test('an ended run whose label is not confirmed never yields a claim', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ENDED), anyLabels, (state, labels) => {
        expect(decideLabel({ run: runIn(state), labels, locked: false }).kind).toMatch(/^(write|confirm)$/);
      }),
    );
  });

  test('a live run is only ever given its own projection', () => {
    fc.assert(
      fc.property(fc.constantFrom('queued', 'running'), anyLabels, (state, labels) => {
        const action = decideLabel({ run: runIn(state), labels, locked: false });
        expect(action.kind === 'confirm' ? projectionOf(state) : action.kind === 'write' && action.lifecycle).toBe(
          projectionOf(state),
        );
      }),
    );
  });

  test('doing what it says leads to rest: after a write nothing is written, and a doubt ends in the projection', () => {
    fc.assert(
      fc.property(anyRun, anyLabels, (run, labels) => {
        let current = { run, labels };
        let action = decideLabel({ ...current, locked: false });
        for (let steps = 0; action.kind === 'write' || action.kind === 'doubt'; steps += 1) {
          expect(steps).toBeLessThan(2);
          if (action.kind === 'write') {
            const people = current.labels.filter((label) => lifecyclesOf([label]).length === 0);
            current = { ...current, labels: [...people, lifecycleLabel(action.lifecycle)] };
          } else if (current.run !== undefined) {
            const { state, labelDoubts } = current.run;
            current = { ...current, run: runIn(state, 'unconfirmed', labelDoubts + 1) };
          }
          action = decideLabel({ ...current, locked: false });
        }
        expect(action.kind).toMatch(/^(leave|confirm|claim|take-over|give-up)$/);
        if (action.kind === 'confirm' && current.run !== undefined) {
          const confirmed = { ...current.run, labelState: 'confirmed' as const };
          expect(decideLabel({ run: confirmed, labels: current.labels, locked: false })).toMatchObject({
            kind: 'leave',
          });
        }
      }),
    );
  });

  test('of an ended, confirmed run: the table claims exactly what the claim finds eligible', () => {
    const project: Project = {
      name: 'api',
      source: { platform: 'github', host: 'github.com', container: 'org/api', apiUrl: '' },
      code: { type: 'GitHub', url: '' },
      routing: { pipelineFromLabel: new Map([['go', 'fix-bug']]) },
      triggers: new Set(['poll']),
    };
    const ticket = { key: 'ticket', id: '1', display: '', url: '', title: '', body: '', open: true };
    fc.assert(
      fc.property(fc.constantFrom(...ENDED), anyLabels, (state, labels) => {
        const previous = runIn(state, 'confirmed');
        const asked = [...labels, 'go'];
        const claims = decideLabel({ run: previous, labels: asked, locked: false }).kind === 'claim';
        const verdict = judge({ ticket: { ...ticket, labels: asked }, projects: [project], mode: 'fresh', previous });
        expect(verdict.eligible).toBe(claims);
      }),
    );
  });
});
