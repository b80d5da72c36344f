/** The repair loops of one term: side by side, outside the recovery window, until the term ends. */
import { expect, test } from 'vitest';
import { createHousekeeping, isTurn } from '../../src/repair/housekeeping.ts';
import type { PlatformPass } from '../../src/repair/orphaned-labels.ts';
import type { Pass } from '../../src/repair/repair.ts';
import { silentLog } from '../support/house.ts';
import { until } from '../support/until.ts';
import { termOf } from './terms.ts';

const INTERVALS = {
  staleScanMs: 5,
  reconcileScanMs: 5,
  projectionScanMs: 5,
  platformPassMs: 60_000,
  retentionScanMs: 60_000,
};

const ALL = ['github', 'jira'];

interface LoopOptions {
  readonly recoveringMs?: () => number;
  readonly incarnation?: () => string;
  readonly failing?: string;
  /** Sources that the platform pass cannot look through. */
  readonly unfinished?: () => readonly string[];
  readonly intervals?: Partial<typeof INTERVALS>;
}

function loops(options: LoopOptions = {}) {
  const passes = { staleJobs: 0, enqueued: 0, deadClaims: 0, projection: 0, orphanedLabels: 0, retention: 0 };
  const counted = (name: keyof typeof passes): Pass => {
    return async () => {
      passes[name] += 1;
      if (options.failing === name) throw new Error('this one fails');
    };
  };
  /** The sources of each platform pass, in order. */
  const visited: string[][] = [];
  const orphanedLabels: PlatformPass = async (term, only) => {
    visited.push([...(only ?? ALL)]);
    await counted('orphanedLabels')(term);
    return new Set(options.unfinished?.());
  };
  const housekeeping = createHousekeeping(
    {
      staleJobs: counted('staleJobs'),
      enqueued: counted('enqueued'),
      deadClaims: counted('deadClaims'),
      projection: counted('projection'),
      orphanedLabels,
      retention: counted('retention'),
      recoveringMs: options.recoveringMs ?? (() => 0),
      incarnation: options.incarnation ?? (() => 'first'),
      log: silentLog,
    },
    { ...INTERVALS, ...options.intervals },
  );
  return { passes, visited, housekeeping };
}

test('every loop runs at the start of the term and again, and all end with the term', async () => {
  const { passes, housekeeping } = loops();
  const term = termOf();
  const over = housekeeping(term);
  await until(
    'each has passed',
    () => Math.min(passes.staleJobs, passes.enqueued, passes.deadClaims, passes.projection) > 2,
  );
  expect(passes).toMatchObject({ orphanedLabels: 1, retention: 1 });
  term.lose();
  await over;
});

test('during recovery only labels are written: nobody is declared dead, nothing is adopted', async () => {
  let recovering = 6_000;
  const { passes, housekeeping } = loops({ recoveringMs: () => recovering });
  const term = termOf();
  const over = housekeeping(term);
  await until('labels were looked at', () => passes.projection > 3);
  expect(passes).toMatchObject({ staleJobs: 0, enqueued: 0, deadClaims: 0, orphanedLabels: 0, retention: 0 });
  recovering = 0;
  // The platform pass as well, and not a whole interval later.
  await until('all go on', () => passes.staleJobs > 0 && passes.enqueued > 0 && passes.orphanedLabels > 0);
  term.lose();
  await over;
});

test('a loss of data within a term: labels are laid beside the records again when the recovery is over', async () => {
  let recovering = 0;
  let incarnation = 'first';
  const { passes, housekeeping } = loops({ recoveringMs: () => recovering, incarnation: () => incarnation });
  const term = termOf();
  const over = housekeeping(term);
  await until('the term has begun', () => passes.orphanedLabels === 1);
  [recovering, incarnation] = [6_000, 'second'];
  const before = passes.projection;
  await until('labels were looked at', () => passes.projection > before + 3);
  expect(passes).toMatchObject({ orphanedLabels: 1, retention: 1 });
  recovering = 0;
  await until('the platform pass has come again', () => passes.orphanedLabels === 2);
  const after = passes.staleJobs;
  await until('time has passed', () => passes.staleJobs > after + 3);
  expect(passes.orphanedLabels).toBe(2);
  term.lose();
  await over;
});

test('a source that could not be looked through comes again soon, alone, until it could', async () => {
  let unfinished = ['jira'];
  const { passes, visited, housekeeping } = loops({
    unfinished: () => unfinished,
    intervals: { platformPassMs: 3_000 },
  });
  const term = termOf();
  const over = housekeeping(term);
  await until('it has come twice more', () => visited.length === 3);
  unfinished = [];
  await until('it was looked through', () => visited.length === 4);
  const before = passes.staleJobs;
  await until('time has passed', () => passes.staleJobs > before + 10);
  expect(visited).toEqual([ALL, ['jira'], ['jira'], ['jira']]);
  term.lose();
  await over;
});

test('all sources are looked through in a new term, after a loss of data, and when the interval is over', () => {
  const at = (ms: number) => ({ monotonicMs: ms, uptimeMs: ms, wallMs: ms });
  const last = { at: at(0), incarnation: 'first' };
  expect(isTurn(undefined, last, 600_000)).toBe(true);
  expect(isTurn(last, { at: at(599_999), incarnation: 'first' }, 600_000)).toBe(false);
  expect(isTurn(last, { at: at(600_000), incarnation: 'first' }, 600_000)).toBe(true);
  expect(isTurn(last, { at: at(1), incarnation: 'second' }, 600_000)).toBe(true);
});

test('a pass that fails is tried again and holds up no other', async () => {
  const { passes, housekeeping } = loops({ failing: 'staleJobs' });
  const term = termOf();
  const over = housekeeping(term);
  await until('it was tried again', () => passes.staleJobs > 2 && passes.enqueued > 2);
  term.lose();
  await over;
});
