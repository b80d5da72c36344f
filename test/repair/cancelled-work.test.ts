import { describe, expect, test } from 'vitest';
import { RUN_STATES, type Run, type RunState } from '../../src/domain/run.ts';
import { createCancelledWork, type DetachedWork, isUnwanted } from '../../src/repair/cancelled-work.ts';
import type { RepairFacts } from '../../src/repair/repair.ts';
import { silentLog } from '../support/house.ts';
import { termOf } from './terms.ts';

test.each(RUN_STATES.map((state) => [state] as const))('what has begun for a run that is %s', (state) => {
  expect(isUnwanted({ state }, { endsItself: true })).toBe(state === 'cancelled');
});

test('what was never begun ends with its run, however that ended', () => {
  const ends = RUN_STATES.filter((state) => isUnwanted({ state }, { endsItself: false }));
  expect(ends).toEqual(['completed', 'failed', 'cancelled']);
});

function room(runs: Readonly<Record<string, RunState>>) {
  const ended: string[] = [];
  const repairs: RepairFacts[] = [];
  const workOf = (run: string, how: Partial<DetachedWork> = {}): DetachedWork => ({
    run,
    endsItself: true,
    end: async () => void ended.push(run),
    ...how,
  });
  const pass = (list: readonly DetachedWork[]) =>
    createCancelledWork({
      list: async () => list,
      runs: {
        get: async (id) =>
          runs[id] === undefined ? undefined : ({ id, state: runs[id], ticket: 't', project: 'p' } as Run),
      },
      log: silentLog,
      onRepair: async (facts) => void repairs.push(facts),
    });
  return { ended, repairs, workOf, pass };
}

describe('a pass', () => {
  test('ends the work of runs that were cancelled, and leaves alone what has no record', async () => {
    const { ended, repairs, workOf, pass } = room({ a: 'cancelled', b: 'running', c: 'queued' });
    await pass(['a', 'b', 'c', 'lost'].map((run) => workOf(run)))(termOf());
    expect(ended).toEqual(['a']);
    expect(repairs).toMatchObject([{ kind: 'cancelled-work', run: 'a', detail: 'the run is cancelled' }]);
  });

  test('that cannot end one goes on with the others', async () => {
    const { ended, repairs, workOf, pass } = room({ a: 'cancelled', b: 'cancelled' });
    const failing = workOf('a', { end: () => Promise.reject(new Error('it has changed')) });
    await pass([failing, workOf('b')])(termOf());
    expect([ended, repairs.length]).toEqual([['b'], 1]);
  });

  test('ends nothing once its term is over', async () => {
    const { ended, workOf, pass } = room({ a: 'cancelled' });
    const term = termOf();
    term.lose();
    await expect(pass([workOf('a')])(term)).rejects.toThrow('term');
    expect(ended).toEqual([]);
  });
});
