import { describe, expect, test } from 'vitest';
import { isTerminal, RUN_STATES, type Run, type RunState } from '../../src/domain/run.ts';
import { createLeftoverWork, type DetachedWork } from '../../src/repair/leftover-work.ts';
import type { RepairFacts } from '../../src/repair/repair.ts';
import { silentLog } from '../support/house.ts';
import { termOf } from './terms.ts';

test.each(RUN_STATES)('the work of a run that is %s: ended if the run is over, however it ended', async (state) => {
  const { ended, workOf, pass } = room({ a: state });
  await pass([workOf('a')])(termOf());
  expect(ended).toEqual(isTerminal(state) ? ['a'] : []);
});

function room(runs: Readonly<Record<string, RunState>>) {
  const ended: string[] = [];
  const repairs: RepairFacts[] = [];
  const refused: (readonly string[])[] = [];
  const workOf = (run: string, how: Partial<DetachedWork> = {}): DetachedWork => ({
    run,
    name: `agents/${run}`,
    async end() {
      ended.push(run);
      return { kind: 'ended' };
    },
    ...how,
  });
  const pass = (list: readonly DetachedWork[]) =>
    createLeftoverWork({
      list: async () => list,
      runs: {
        get: async (id) =>
          runs[id] === undefined ? undefined : ({ id, state: runs[id], ticket: 't', project: 'p' } as Run),
      },
      log: silentLog,
      onRepair: async (facts) => void repairs.push(facts),
      onRefused: (names) => void refused.push(names),
    });
  return { ended, repairs, refused, workOf, pass };
}

describe('a pass', () => {
  test('ends the work of runs that are over, and leaves alone what has no record', async () => {
    const { ended, repairs, workOf, pass } = room({ a: 'cancelled', b: 'running', c: 'queued', d: 'failed' });
    await pass(['a', 'b', 'c', 'd', 'lost'].map((run) => workOf(run)))(termOf());
    expect(ended).toEqual(['a', 'd']);
    expect(repairs).toMatchObject([
      { kind: 'leftover-work', run: 'a', detail: 'the run is cancelled' },
      { kind: 'leftover-work', run: 'd', detail: 'the run is failed' },
    ]);
  });

  test('that cannot end one goes on with the others', async () => {
    const { ended, repairs, workOf, pass } = room({ a: 'cancelled', b: 'cancelled' });
    const failing = workOf('a', { end: () => Promise.reject(new Error('it has changed')) });
    await pass([failing, workOf('b')])(termOf());
    expect([ended, repairs.length]).toEqual([['b'], 1]);
  });

  test('tells of what it may not end, until it may', async () => {
    const { repairs, refused, workOf, pass } = room({ a: 'failed', b: 'failed' });
    const locked = workOf('a', { end: async () => ({ kind: 'refused', why: 'jobs.batch is forbidden' }) });
    await pass([locked, workOf('b')])(termOf());
    await pass([workOf('a')])(termOf());
    expect(refused).toEqual([['agents/a'], []]);
    expect(repairs.map(({ run }) => run)).toEqual(['b', 'a']);
  });

  test('ends nothing once its term is over', async () => {
    const { ended, workOf, pass } = room({ a: 'cancelled' });
    const term = termOf();
    term.lose();
    await expect(pass([workOf('a')])(term)).rejects.toThrow('term');
    expect(ended).toEqual([]);
  });
});
