/** The repair loops of one term: side by side, outside the recovery window, until the term ends. */
import { expect, test } from 'vitest';
import type { Project } from '../../src/domain/project.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import { createHousekeeping } from '../../src/repair/housekeeping.ts';
import { createPlatformPass } from '../../src/repair/platform-pass.ts';
import type { Pass } from '../../src/repair/repair.ts';
import { turnOf } from '../../src/repair/source-turns.ts';
import { catalogOf, silentLog } from '../support/house.ts';
import { until } from '../support/until.ts';
import { termOf } from './terms.ts';

const INTERVALS = {
  staleScanMs: 5,
  reconcileScanMs: 5,
  projectionScanMs: 5,
  platformPassMs: 60_000,
  retentionScanMs: 60_000,
};

const ALL = ['github', 'jira'] as const;

const watching = (platform: Project['source']['platform']): Project => ({
  name: platform,
  source: { platform, host: `${platform}.test`, container: 'org/api', apiUrl: `https://${platform}.test` },
  code: { type: 'GitHub', url: 'https://github.test/org/api' },
  routing: { pipelineFromLabel: new Map(), defaultPipeline: 'fix-bug' },
  triggers: new Set(['reconcile']),
});
/** Nobody asks it anything. */
const PLATFORM = {} as TicketPlatform;

interface LoopOptions {
  readonly recoveringMs?: () => number;
  readonly incarnation?: () => string;
  readonly failing?: string;
  /** What the pass of dead claims waits for. */
  readonly claiming?: Promise<void>;
  /** The look through a source; answers whether it has seen all. Default: it has, at once. */
  readonly lookThrough?: (source: string) => Promise<boolean>;
  readonly intervals?: Partial<typeof INTERVALS>;
}

function loops(options: LoopOptions = {}) {
  const passes = {
    staleJobs: 0,
    admissionLists: 0,
    enqueued: 0,
    deadClaims: 0,
    projection: 0,
    retention: 0,
    leftoverJobs: 0,
    unheardServices: 0,
  };
  const counted = (name: keyof typeof passes): Pass => {
    return async () => {
      passes[name] += 1;
      if (options.failing === name) throw new Error('this one fails');
    };
  };
  /** The sources that the platform pass has begun to look through, in order. */
  const visited: string[] = [];
  const intervals = { ...INTERVALS, ...options.intervals };
  const platformPass = createPlatformPass(
    {
      catalog: () => catalogOf(ALL.map(watching), []),
      platformOf: () => PLATFORM,
      runs: { inState: async () => [] },
      lookThrough: async ({ project }) => {
        visited.push(project.name);
        return (await options.lookThrough?.(project.name)) ?? true;
      },
      incarnation: options.incarnation ?? (() => 'first'),
    },
    intervals,
  );
  const housekeeping = createHousekeeping(
    {
      staleJobs: counted('staleJobs'),
      admissionLists: counted('admissionLists'),
      enqueued: counted('enqueued'),
      deadClaims: async (term) => {
        await counted('deadClaims')(term);
        await options.claiming;
      },
      projection: counted('projection'),
      platformPass,
      retention: counted('retention'),
      leftoverJobs: counted('leftoverJobs'),
      unheardServices: counted('unheardServices'),
      recoveringMs: options.recoveringMs ?? (() => 0),
      log: silentLog,
    },
    intervals,
  );
  return { passes, visited, intervals, housekeeping };
}

test('every loop runs at the start of the term and again, and all end with the term', async () => {
  const { passes, visited, housekeeping } = loops();
  const term = termOf();
  const over = housekeeping(term);
  await until(
    'each has passed',
    () => Math.min(passes.staleJobs, passes.admissionLists, passes.enqueued, passes.deadClaims, passes.projection) > 2,
  );
  expect(passes.retention).toBe(1);
  expect(visited).toEqual(ALL);
  term.lose();
  await over;
});

test('during recovery only labels are written: nobody is declared dead, nothing is adopted', async () => {
  let recovering = 6_000;
  const { passes, visited, housekeeping } = loops({ recoveringMs: () => recovering });
  const term = termOf();
  const over = housekeeping(term);
  await until('labels were looked at', () => passes.projection > 3);
  expect(passes).toMatchObject({ staleJobs: 0, admissionLists: 0, enqueued: 0, deadClaims: 0, retention: 0 });
  expect(visited).toEqual([]);
  recovering = 0;
  // The platform pass as well, and not a whole interval later.
  await until('all go on', () => passes.staleJobs > 0 && passes.enqueued > 0 && visited.length > 0);
  term.lose();
  await over;
});

test('a loss of data within a term: labels are laid beside the records again when the recovery is over', async () => {
  let recovering = 0;
  let incarnation = 'first';
  const { passes, visited, housekeeping } = loops({ recoveringMs: () => recovering, incarnation: () => incarnation });
  const term = termOf();
  const over = housekeeping(term);
  await until('the term has begun', () => visited.length === 2);
  [recovering, incarnation] = [6_000, 'second'];
  const before = passes.projection;
  await until('labels were looked at', () => passes.projection > before + 3);
  expect(visited).toHaveLength(2);
  expect(passes.retention).toBe(1);
  recovering = 0;
  await until('the platform pass has come again', () => visited.length === 4);
  const after = passes.staleJobs;
  await until('time has passed', () => passes.staleJobs > after + 3);
  expect(visited).toEqual([...ALL, ...ALL]);
  term.lose();
  await over;
});

test('a source that could not be looked through comes again soon, alone, until it could', async () => {
  let unfinished = ['jira'];
  const { passes, visited, housekeeping } = loops({
    lookThrough: async (source) => !unfinished.includes(source),
    intervals: { platformPassMs: 3_000 },
  });
  const term = termOf();
  const over = housekeeping(term);
  await until('it has come twice more', () => visited.length === 4);
  unfinished = [];
  await until('it was looked through', () => visited.length === 5);
  const before = passes.staleJobs;
  await until('time has passed', () => passes.staleJobs > before + 10);
  expect(visited).toEqual([...ALL, 'jira', 'jira', 'jira']);
  term.lose();
  await over;
});

test('a source that takes long keeps no other from its turn: not what was left, not a regular one, not one after a loss of data', async () => {
  const { promise: hanging, resolve: release } = Promise.withResolvers<true>();
  let [isDone, incarnation] = [false, 'first'];
  const { visited, intervals, housekeeping } = loops({
    lookThrough: async (source) => (source === 'jira' ? await hanging : isDone),
    incarnation: () => incarnation,
    intervals: { platformPassMs: 100 },
  });
  const term = termOf();
  const over = housekeeping(term);
  await until('what was left has had its turn', () => visited.length === 3);
  isDone = true;
  await until('the regular turns go on', () => visited.length === 6);
  intervals.platformPassMs = 60_000;
  const before = visited.length;
  incarnation = 'second';
  await until('the turn after the loss has come', () => visited.length > before);
  expect(visited.filter((source) => source === 'jira')).toEqual(['jira']);
  release(true);
  await until('the one that took long has its turn after the loss too', () => visited.at(-1) === 'jira');
  term.lose();
  await over;
});

test('a term is over when its looks through the sources are, and the next one begins them all anew', async () => {
  const { promise: hanging, resolve: release } = Promise.withResolvers<true>();
  let looked = 0;
  const { visited, housekeeping } = loops({
    lookThrough: async () => {
      await hanging;
      looked += 1;
      return true;
    },
  });
  const first = termOf();
  const over = housekeeping(first);
  await until('both have begun', () => visited.length === 2);
  first.lose();
  setTimeout(() => release(true), 20);
  await over;
  expect(looked).toBe(2);
  const second = termOf(2);
  const overAgain = housekeeping(second);
  await until('both have begun again', () => looked === 4);
  second.lose();
  await overAgain;
  expect(visited).toEqual([...ALL, ...ALL]);
});

const at = (ms: number) => ({ monotonicMs: ms, uptimeMs: ms, wallMs: ms });
const present = (ms: number, incarnation = 'first') => ({ at: at(ms), incarnation });

test('all sources are looked through in a new term, after a loss of data, and when the interval is over', () => {
  const seen = { fromStart: present(0), leftAt: undefined };
  expect(turnOf({ fromStart: undefined, leftAt: undefined }, present(0), 600_000)).toBe('anew');
  expect(turnOf(seen, present(599_999), 600_000)).toBe('wait');
  expect(turnOf(seen, present(600_000), 600_000)).toBe('anew');
  expect(turnOf(seen, present(1, 'second'), 600_000)).toBe('anew');
});

test('what a look has left comes after a tenth of the interval and goes on, unless data was lost; then its first page is due', () => {
  const left = { fromStart: present(0), leftAt: at(590_000) };
  expect(turnOf(left, present(649_999), 600_000)).toBe('wait');
  expect(turnOf(left, present(650_000), 600_000)).toBe('rest');
  expect(turnOf(left, present(590_001, 'second'), 600_000)).toBe('anew');
  expect(turnOf({ ...left, leftAt: undefined }, present(650_000), 600_000)).toBe('anew');
});

test('a pass that fails is tried again and holds up no other', async () => {
  const { passes, housekeeping } = loops({ failing: 'staleJobs' });
  const term = termOf();
  const over = housekeeping(term);
  await until('it was tried again', () => passes.staleJobs > 2 && passes.enqueued > 2);
  term.lose();
  await over;
});

test('claims that hang put off neither the next pass for dead claims nor another loop, and the term waits for their end', async () => {
  const { promise: claiming, resolve: release } = Promise.withResolvers<void>();
  let isClaimed = false;
  const { passes, housekeeping } = loops({ claiming });
  const term = termOf();
  const over = housekeeping(term);
  await until('the passes go on', () => passes.deadClaims > 2 && passes.enqueued > 2);
  term.lose();
  setTimeout(() => {
    isClaimed = true;
    release();
  }, 20);
  await over;
  expect(isClaimed).toBe(true);
});
