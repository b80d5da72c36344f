/**
 * Fair use over any course of events: whatever is committed, admitted, started, handed back, cancelled, lost and put right,
 * in whatever order, no cap is ever exceeded, the lists say what the records say, and in the end everything has run.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isTerminal, isWaiting, type Run } from '../../src/domain/run.ts';
import { unreachable } from '../../src/foundation/errors.ts';
import { catalogOf, type House, openHouse } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf } from '../worker/worker-room.ts';
import { commitRun, pipelineNamed, projectNamed } from './bulk-runs.ts';

const redis = useRedis();

const PROJECTS = [projectNamed('two', 2), projectNamed('one', 1), projectNamed('any')];
const PIPELINES = [pipelineNamed('fix'), pipelineNamed('scan', 2)];
const CAPS = catalogOf(PROJECTS, PIPELINES);

const project = fc.constantFrom(...PROJECTS.map(({ name }) => name));
const pipeline = fc.constantFrom(...PIPELINES.map(({ name }) => name));
/** Which of the runs that an act is possible for. */
const which = fc.nat(20);

const postponement = fc.record({ keepsPlaces: fc.boolean(), isVain: fc.boolean() });

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ act: fc.constant('commit'), project, pipeline }) },
  { weight: 5, arbitrary: fc.record({ act: fc.constant('admit'), free: fc.nat(4) }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('take'), which }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constant('start'), which }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('postpone'), which, how: postponement }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('time-passes') }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('finish'), which }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('hand-back'), which }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('cancel'), which }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('lose-list'), which }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** One course of events on an empty Redis. */
function course(house: House) {
  const { admissions, attemptRecords, runs, redis: connection } = house;
  const { keys } = connection;
  const ids: string[] = [];
  const all = async (): Promise<Run[]> =>
    (await Promise.all(ids.map((id) => runs.get(id)))).filter((run) => run !== undefined);
  const pick = async (index: number, fits: (run: Run) => boolean): Promise<Run | undefined> => {
    const fitting = (await all()).filter(fits);
    return fitting[index % Math.max(1, fitting.length)];
  };
  const mayStart = (run: Run): boolean => run.state === 'queued' && !isWaiting(run);
  const lists = [
    ...PROJECTS.flatMap(({ name }) => [keys.backlog(name), keys.putOff(name), keys.admitted('project', name)]),
    ...PIPELINES.map(({ name }) => keys.admitted('pipeline', name)),
    keys.offered,
    keys.setAside,
  ];

  const make = async (one: Step): Promise<void> => {
    switch (one.act) {
      case 'commit': {
        const id = `run-${String(ids.length).padStart(3, '0')}`;
        ids.push(id);
        await commitRun(house, CAPS, { id, project: one.project, pipeline: one.pipeline });
        return;
      }
      case 'admit':
        await admissions.admit({ instance: 'pod-1', free: one.free }, CAPS);
        return expectNobodyForgotten();
      case 'take': {
        const run = await pick(one.which, mayStart);
        if (run !== undefined) await attemptRecords.take(run.id, run.turn);
        return;
      }
      case 'start': {
        // Of any run, as if it had a job: who waits is refused.
        const run = await pick(one.which, ({ state }) => state === 'queued');
        if (run === undefined) return;
        const { kind } = await attemptRecords.start(run, 'worker-1');
        expect(kind).toBe(isWaiting(run) ? 'dropped' : 'started');
        return;
      }
      case 'postpone': {
        const run = await pick(one.which, mayStart);
        if (run !== undefined) await attemptRecords.postpone(run, one.how);
        return;
      }
      case 'finish': {
        const run = await pick(one.which, ({ state }) => state === 'running');
        if (run !== undefined) await finish(run);
        return;
      }
      case 'hand-back': {
        const run = await pick(one.which, ({ state }) => state === 'running');
        const how = { onlyIfDead: false, interrupted: true, reason: 'drained' };
        if (run !== undefined) await attemptRecords.handBack(attemptOf(run), how);
        return;
      }
      case 'cancel': {
        const run = await pick(one.which, ({ state }) => state === 'queued');
        if (run !== undefined) await attemptRecords.endQueued(run, 'cancelled', 'closed');
        return;
      }
      case 'time-passes':
        return await everythingIsDue();
      case 'lose-list':
        await redis.client.del(lists[one.which % lists.length] ?? '');
        await admissions.tidy(CAPS, { next: undefined });
        return;
      default:
        unreachable(one);
    }
  };

  /** What is put off may be tried again, of every project. */
  const everythingIsDue = async (): Promise<void> => {
    for (const { name } of PROJECTS) {
      for (const id of await redis.client.zrange(keys.putOff(name), '0', '-1'))
        await redis.client.zadd(keys.putOff(name), 0, id);
      await redis.client.del(keys.vainTurns(name));
    }
  };

  const finish = (run: Run): Promise<unknown> =>
    attemptRecords.finish(attemptOf(run), { state: 'completed', reason: '', output: '', onlyIfDead: false });

  /** After each question a project that has nothing at work has something on its way, unless a cap forbids it. */
  const expectNobodyForgotten = async (): Promise<void> => {
    const live = (await all()).filter(({ state }) => !isTerminal(state));
    const aside = new Set(await redis.client.smembers(keys.setAside));
    const putOff = new Set(
      (await Promise.all(PROJECTS.map(({ name }) => redis.client.zrange(keys.putOff(name), '0', '-1')))).flat(),
    );
    const full = (cap: number | undefined, fits: (run: Run) => boolean): boolean =>
      cap !== undefined && live.filter((run) => fits(run) && !isWaiting(run)).length >= cap;
    for (const { name, maxParallelJobs } of PROJECTS) {
      const own = live.filter((run) => run.project === name);
      const isBusy = own.some((run) => !isWaiting(run) && !aside.has(run.id));
      // One whose turns could not start, too many of them, is tried now and then.
      if ((await redis.client.hexists(keys.vainTurns(name), 'nextMs')) === 1) continue;
      if (isBusy || full(maxParallelJobs, (run) => run.project === name)) continue;
      const admissible = own.filter(
        (run) =>
          isWaiting(run) &&
          !putOff.has(run.id) &&
          !full(CAPS.pipelines.get(run.pipeline ?? '')?.maxParallelJobs, (other) => other.pipeline === run.pipeline),
      );
      expect(admissible.map(({ id }) => id)).toEqual([]);
    }
  };

  const check = async (): Promise<void> => {
    const live = (await all()).filter(({ state }) => state === 'queued' || state === 'running');
    const idsOf = (fits: (run: Run) => boolean): string[] => live.filter(fits).map(({ id }) => id);
    for (const { name, maxParallelJobs = Number.POSITIVE_INFINITY } of PROJECTS) {
      const waiting = [keys.backlog(name), keys.putOff(name)].map((list) => redis.client.zrange(list, '0', '-1'));
      expect((await Promise.all(waiting)).flat().toSorted()).toEqual(
        idsOf((run) => run.project === name && isWaiting(run)),
      );
      const admitted = await redis.client.smembers(keys.admitted('project', name));
      expect(admitted.toSorted()).toEqual(idsOf((run) => run.project === name && !isWaiting(run)));
      expect(admitted.length).toBeLessThanOrEqual(maxParallelJobs);
    }
    for (const { name, maxParallelJobs = Number.POSITIVE_INFINITY } of PIPELINES) {
      const admitted = await redis.client.smembers(keys.admitted('pipeline', name));
      expect(admitted.toSorted()).toEqual(idsOf((run) => run.pipeline === name && !isWaiting(run)));
      expect(admitted.length).toBeLessThanOrEqual(maxParallelJobs);
    }
    const onTheirWay = [
      ...(await redis.client.smembers(keys.offered)),
      ...(await redis.client.smembers(keys.setAside)),
    ];
    const queued = new Set(idsOf(mayStart));
    expect(onTheirWay.filter((id) => !queued.has(id) && live.every((run) => run.id !== id))).toEqual([]);
  };

  return {
    make,
    check,
    /** One slot, and every job comes in the end. */
    async playToTheEnd(): Promise<void> {
      for (let round = 0; round < 3 * ids.length + 3; round += 1) {
        for (const run of await all()) {
          if (run.state === 'running') await finish(run);
          else if (mayStart(run)) {
            await attemptRecords.take(run.id, run.turn);
            await attemptRecords.start(run, 'worker-1');
          }
        }
        await everythingIsDue();
        await admissions.admit({ instance: 'pod-1', free: 1 }, CAPS);
      }
      expect((await all()).filter(({ state }) => !isTerminal(state))).toEqual([]);
      expect(await redis.client.exists(...lists)).toBe(0);
    },
  };
}

test('no cap is exceeded, the lists are those of the records, and everything runs in the end', {
  timeout: 90_000,
}, async () => {
  const house = await openHouse({ redisUrl: redis.url, freeSlots: 0 });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      // Everything but the note of whose data it is: nothing was lost.
      const old = (await redis.client.keys('*')).filter((key) => key !== house.redis.keys.incarnation);
      if (old.length > 0) await redis.client.del(old);
      const { make, check, playToTheEnd } = course(house);
      for (const one of steps) {
        await make(one);
        await check();
      }
      await playToTheEnd();
    }),
    { numRuns: 25, endOnFailure: true },
  );
});
