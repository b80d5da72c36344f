/** Who may go into the queue, and when: the scripts of fair use on a real Redis. */
import { beforeEach, expect, test } from 'vitest';
import type { Pipeline, Project } from '../../src/domain/project.ts';
import type { Postponement } from '../../src/runs/turn-records.ts';
import { catalogOf, FAST, type House, openHouse, SLOTS_ELSEWHERE } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { attemptOf, runOf } from '../worker/worker-room.ts';
import { commitRun, pipelineNamed, projectNamed } from './bulk-runs.ts';

const redis = useRedis();
let house: House;
let count = 0;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url, freeSlots: 0 });
  count = 0;
});

const VAIN = { keepsPlaces: false, isVain: true } as const;

/** A configuration, and what is done under it. */
function under(projects: readonly Project[], pipelines: readonly Pipeline[] = [pipelineNamed('fix')]) {
  const caps = catalogOf(projects, pipelines);
  const { admissions, attemptRecords } = house;
  const commit = async (project: string, pipeline = 'fix'): Promise<string> => {
    const { id, admitted } = await commitRun(house, caps, { id: `${project}-${(count += 1)}`, project, pipeline });
    // Those of one millisecond would stand in the order of their ids, a-10 before a-9.
    const at = await house.redis.timeMs();
    while ((await house.redis.timeMs()) < at + 1);
    return `${id} ${admitted ? 'admitted' : 'waits'}`;
  };
  return {
    caps,
    commit,
    /** That many at once: ids in their order. */
    async commitAll(project: string, many: number, pipeline = 'fix'): Promise<void> {
      for (let i = 0; i < many; i += 1) await commit(project, pipeline);
    },
    /** One replica has so many slots free. */
    admit: async (free: number, instance = 'pod-1') =>
      (await admissions.admit({ instance, free }, caps)).map(({ run }) => run),
    async start(id: string): Promise<void> {
      await attemptRecords.take(id, (await runOf(house, id)).turn);
      const reply = await attemptRecords.start(await runOf(house, id), 'worker-1');
      if (reply.kind !== 'started') throw new Error(`${id}: ${reply.kind}`);
    },
    /** Takes its job, and cannot start. */
    async postpone(id: string, how: Postponement = VAIN): Promise<void> {
      const { turn } = await runOf(house, id);
      expect(await attemptRecords.take(id, turn)).toMatchObject({ kind: 'taken' });
      expect(await attemptRecords.postpone(await runOf(house, id), how)).not.toEqual({ kind: 'dropped' });
    },
    async finish(id: string): Promise<void> {
      const end = { state: 'completed', reason: '', output: '', onlyIfDead: false } as const;
      expect(await attemptRecords.finish(attemptOf(await runOf(house, id)), end)).toBe('finished');
    },
    waitsFor: async (id: string) => (await admissions.whyWaiting(await runOf(house, id), caps))?.for,
  };
}

test('the first run of a project is admitted with its commit, whether or not a slot is free; the next waits for one', async () => {
  const { commit, admit, waitsFor } = under([projectNamed('a'), projectNamed('b')]);
  expect(await commit('a')).toBe('a-1 admitted');
  expect(await commit('a')).toBe('a-2 waits');
  expect(await commit('b')).toBe('b-3 admitted');
  expect(await waitsFor('a-2')).toBe('slots');
  expect(await runOf(house, 'a-2')).toMatchObject({ state: 'queued', admittedAtMs: 0 });
  // Two of them are for the runs that are on their way.
  expect(await admit(2)).toEqual([]);
  expect(await admit(3)).toEqual(['a-2']);
  expect((await runOf(house, 'a-2')).admittedAtMs).toBeGreaterThan(0);
  expect(await waitsFor('a-2')).toBeUndefined();
});

test('a free slot admits a run with its commit, one that is taken does not: what every replica told last counts together', async () => {
  const { commit, start } = under([projectNamed('a')]);
  await house.admissions.tell({ instance: 'pod-1', free: 1 });
  await house.admissions.tell({ instance: 'pod-2', free: 1 });
  expect(await commit('a')).toBe('a-1 admitted');
  expect(await commit('a')).toBe('a-2 admitted');
  expect(await commit('a')).toBe('a-3 waits');
  // Its slot is taken, and told to be.
  await house.admissions.tell({ instance: 'pod-1', free: 0 });
  await start('a-1');
  expect(await under([projectNamed('a')]).admit(0, 'pod-1')).toEqual([]);
});

test('nobody goes past the backlog of its own project', async () => {
  const { commit } = under([projectNamed('a')]);
  await commit('a');
  await commit('a');
  await house.admissions.tell(SLOTS_ELSEWHERE);
  expect(await commit('a')).toBe('a-3 waits');
});

test('the project with the fewest at work comes first, and of a project the oldest', async () => {
  const { commitAll, admit, start } = under([projectNamed('a'), projectNamed('b'), projectNamed('c')]);
  await commitAll('a', 5);
  await commitAll('b', 3);
  await start('a-1');
  await start('b-6');
  expect(await admit(3)).toEqual(['a-2', 'b-7', 'a-3']);
  await commitAll('c', 2);
  expect(await admit(5)).toEqual(['c-10']);
});

test('caps of a project and of a pipeline hold for all replicas; a place is free when its run has ended', async () => {
  const projects = [projectNamed('a', 2), projectNamed('b')];
  const { commit, admit, start, finish, waitsFor } = under(projects, [pipelineNamed('fix'), pipelineNamed('scan', 1)]);
  await house.admissions.tell(SLOTS_ELSEWHERE);
  expect(await commit('a')).toBe('a-1 admitted');
  expect(await commit('a', 'scan')).toBe('a-2 admitted');
  expect(await commit('a')).toBe('a-3 waits');
  expect(await commit('b', 'scan')).toBe('b-4 waits');
  expect(await commit('b')).toBe('b-5 waits');
  expect([await waitsFor('a-3'), await waitsFor('b-4'), await waitsFor('b-5')]).toEqual([
    'project-cap',
    'pipeline-cap',
    'slots',
  ]);
  // A run that waits for its pipeline holds up nobody behind it.
  expect(await admit(9)).toEqual(['b-5']);
  await start('a-2');
  await finish('a-2');
  expect((await admit(9)).toSorted()).toEqual(['a-3', 'b-4']);
});

test('a cap that is lowered stops nothing and admits nothing more; one that is raised admits at the next question', async () => {
  const two = under([projectNamed('a', 2)]);
  await house.admissions.tell(SLOTS_ELSEWHERE);
  await two.commitAll('a', 5);
  await two.start('a-1');
  await two.start('a-2');
  const one = under([projectNamed('a', 1)]);
  expect(await one.admit(9)).toEqual([]);
  await two.finish('a-1');
  expect(await one.admit(9)).toEqual([]);
  expect((await runOf(house, 'a-2')).state).toBe('running');
  expect(await under([projectNamed('a', 4)]).admit(9)).toEqual(['a-3', 'a-4', 'a-5']);
});

test('who does not know a project admits nothing of it', async () => {
  const { commitAll, admit } = under([projectNamed('a')]);
  await commitAll('a', 2);
  const other = under([projectNamed('b')]);
  expect(await other.admit(9)).toEqual([]);
  expect(await other.waitsFor('a-2')).toBe('project-unknown');
  expect(await admit(9)).toEqual(['a-2']);
});

test('a run that is set aside keeps its places under the caps, and does not hold up its project', async () => {
  const { commitAll, admit, start, postpone, caps } = under([projectNamed('a', 3), projectNamed('b')]);
  await commitAll('a', 4);
  await start('a-1');
  const how = { onlyIfDead: false, interrupted: true, reason: 'drained' };
  await house.attemptRecords.handBack(attemptOf(await runOf(house, 'a-1')), how);
  expect(await admit(0)).toEqual(['a-2']);
  // Its earlier attempt may be at work.
  await postpone('a-2', { keepsPlaces: true, isVain: true });
  expect(await admit(0)).toEqual(['a-3']);
  expect((await house.admissions.backlogs(['a', 'b'])).get('a')).toEqual({
    waiting: 1,
    putOff: 0,
    admitted: 3,
  });
  // It is at its cap, with two of the three set aside.
  expect(await admit(9)).toEqual([]);
  // Taken again it counts as at work, and starts although others wait.
  await start('a-1');
  expect((await house.admissions.whyWaiting(await runOf(house, 'a-4'), caps))?.text).toBe(
    'number 1 of 1 that wait in project a: 3 of the project are admitted, its max_parallel_jobs is 3',
  );
});

/** Everything that is put off may be tried again. */
const makeDue = async (project: string): Promise<void> => {
  const list = house.redis.keys.putOff(project);
  for (const id of await redis.client.zrange(list, '0', '-1')) await redis.client.zadd(list, 1, id);
};

test('a run that cannot start gives its places up: the next ones have them, and it comes back below the caps alone', async () => {
  const { commitAll, admit, start, finish, postpone, waitsFor } = under([projectNamed('a', 1)]);
  await commitAll('a', 3);
  await postpone('a-1');
  expect(await waitsFor('a-1')).toBe('put-off');
  expect((await house.admissions.backlogs(['a'])).get('a')).toEqual({ waiting: 3, putOff: 1, admitted: 0 });
  // Its job, should it come again, is that of a turn that is over.
  expect(await house.attemptRecords.take('a-1', 1)).toEqual({ kind: 'dropped', state: 'queued' });
  expect(await admit(9)).toEqual(['a-2']);
  await start('a-2');
  await makeDue('a');
  expect(await admit(9)).toEqual([]);
  expect(await waitsFor('a-1')).toBe('project-cap');
  await finish('a-2');
  // It is the oldest again.
  expect(await admit(9)).toEqual(['a-1']);
  await start('a-1');
  expect(await admit(9)).toEqual([]);
});

test('a run that is put off is not admitted before its time, also if everything is free', async () => {
  const { commit, admit, postpone } = under([projectNamed('a')]);
  await commit('a');
  await postpone('a-1');
  expect(await admit(9)).toEqual([]);
  // Nor does it hold up a newer one.
  expect(await commit('a')).toBe('a-2 admitted');
  await makeDue('a');
  expect(await admit(9)).toEqual(['a-1']);
});

test('a run that was put off more than three times stands at the end of the line of its project', async () => {
  const { commitAll, admit, postpone } = under([projectNamed('a', 1)]);
  await commitAll('a', 2);
  for (let i = 0; i < 3; i += 1) {
    await postpone('a-1');
    await makeDue('a');
    expect(await admit(9)).toEqual(['a-1']);
  }
  await postpone('a-1');
  await makeDue('a');
  expect(await admit(9)).toEqual(['a-2']);
});

test('a worker that leaves puts a run off for no time at all, and it stays the oldest', async () => {
  const { commitAll, admit, postpone } = under([projectNamed('a', 1)]);
  await commitAll('a', 2);
  for (let i = 0; i < 12; i += 1) {
    await postpone('a-1', { keepsPlaces: false, isVain: false });
    expect(await admit(9)).toEqual(['a-1']);
  }
});

test('a project that had ten turns in a row that could not start is tried now and then, until one starts', async () => {
  house = await openHouse({
    redisUrl: redis.url,
    freeSlots: 0,
    timing: { ...FAST, startProbeMs: 3_600_000, attemptRetryMs: 60_000 },
  });
  const { commit, commitAll, admit, start, postpone, waitsFor } = under([projectNamed('a'), projectNamed('b')]);
  // Ids of one length: what is committed in one millisecond stands in the order of its ids.
  count = 10;
  await commitAll('a', 16);
  expect(await admit(11)).toHaveLength(10);
  for (let n = 11; n <= 19; n += 1) await postpone(`a-${n}`);
  expect(await admit(3)).toEqual(['a-22']);
  await postpone('a-20');
  expect(await waitsFor('a-23')).toBe('project-cannot-start');
  // One to try it with, and no other before its time.
  expect(await admit(9)).toEqual(['a-23']);
  expect(await admit(9)).toEqual([]);
  expect(await commit('b')).toBe('b-27 admitted');
  await start('a-23');
  expect(await admit(9)).toEqual(['a-24', 'a-25', 'a-26']);
});

test('a project whose turns cannot start admits nothing with a commit', async () => {
  const { commit, admit, postpone } = under([projectNamed('a')]);
  await house.admissions.tell(SLOTS_ELSEWHERE);
  for (let n = 1; n <= 10; n += 1) {
    expect(await commit('a')).toBe(`a-${n} admitted`);
    await postpone(`a-${n}`);
  }
  expect(await commit('a')).toBe('a-11 waits');
  expect(await admit(9)).toEqual(['a-11']);
});

test('a run that waits cannot start, whatever job it has', async () => {
  const { commitAll } = under([projectNamed('a', 1)]);
  await commitAll('a', 2);
  const waiting = await runOf(house, 'a-2');
  expect(await house.attemptRecords.start(waiting, 'worker-1')).toEqual({ kind: 'dropped', state: 'waiting' });
  // Nor does its job come back: it would stand in the way of the one that follows its admission.
  expect(await house.attemptRecords.postpone(waiting, VAIN)).toEqual({ kind: 'dropped' });
});

test('a run of a version that admitted every run at once starts, and counts towards the caps', async () => {
  const { commitAll, admit, start, caps } = under([projectNamed('a', 1)]);
  await commitAll('a', 2);
  // As it would have been queued: no word on admission, and on no list.
  await redis.client.hdel(house.redis.keys.run('a-1'), 'admittedAtMs');
  await redis.client.del(house.redis.keys.admitted('project', 'a'), house.redis.keys.offered);
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 0, on: 1 });
  expect(await admit(9)).toEqual([]);
  await start('a-1');
});

test('a run that is cancelled while it waits, or before it starts, leaves backlog and caps', async () => {
  const { commitAll, admit } = under([projectNamed('a', 1)]);
  await commitAll('a', 3);
  const end = async (id: string) =>
    expect(await house.attemptRecords.endQueued(await runOf(house, id), 'cancelled', 'closed')).toBeDefined();
  await end('a-2');
  await end('a-1');
  expect(await admit(9)).toEqual(['a-3']);
  await end('a-3');
  const lists = await redis.client.keys('agentsmith:{backlog,admitted}:*');
  expect(lists).toEqual([]);
  expect(await redis.client.scard(house.redis.keys.offered)).toBe(0);
});

test('a clock of Redis that goes back lets nobody believe the word of a dead replica for longer', async () => {
  const { keys } = house.redis;
  const hourAheadMs = (await house.redis.timeMs()) + 2 * 3_600_000;
  await redis.client.hset(keys.freeSlots, 'gone', `9 ${hourAheadMs}`);
  const { commitAll, admit } = under([projectNamed('a')]);
  expect(await admit(1)).toEqual([]);
  expect(Object.keys(await redis.client.hgetall(keys.freeSlots)).toSorted()).toEqual(['elsewhere', 'pod-1']);
  await commitAll('a', 3);
  expect(await admit(1)).toEqual([]);
});

test('a clock of Redis that goes back keeps nothing put off for longer than a pause, and no project slowed down', async () => {
  const { keys } = house.redis;
  const { commit, admit, postpone } = under([projectNamed('a')]);
  await commit('a');
  await postpone('a-1');
  const hourAheadMs = (await house.redis.timeMs()) + 3_600_000;
  await redis.client.zadd(keys.putOff('a'), hourAheadMs, 'a-1');
  await redis.client.hset(keys.vainTurns('a'), { times: 10, nextMs: hourAheadMs });
  expect(await admit(1)).toEqual(['a-1']);
});

test('the word of a replica that is gone is believed for seconds; one that leaves takes its slots with it', async () => {
  const { keys } = house.redis;
  await house.admissions.tell({ instance: 'gone', free: 9 });
  await redis.client.hset(keys.freeSlots, 'gone', `9 ${await house.redis.timeMs()}`);
  const { commitAll, admit } = under([projectNamed('a')]);
  await commitAll('a', 3);
  expect(await admit(0)).toEqual([]);
  expect(Object.keys(await redis.client.hgetall(keys.freeSlots)).toSorted()).toEqual(['elsewhere', 'pod-1']);
  await house.admissions.tell({ instance: 'pod-2', free: 2 });
  await house.admissions.leave('pod-2');
  expect(await admit(0)).toEqual([]);
  expect(await admit(2)).toEqual(['a-2']);
});

test('a run that can never start, because its ticket has a newer one, counts towards no cap', async () => {
  const { commitAll, admit, caps } = under([projectNamed('a', 1)]);
  await commitAll('a', 3);
  // As a failover leaves it that brings earlier runs back.
  for (const id of ['a-1', 'a-2']) {
    await redis.client.hset(house.redis.keys.ticket((await runOf(house, id)).ticket), 'run', 'newer');
  }
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 4, on: 0 });
  expect(await admit(9)).toEqual(['a-3']);
});

test('recovery: nothing is admitted before live workers have reported, not with a commit either', async () => {
  const { commit, admit, waitsFor } = under([projectNamed('a', 1)]);
  await house.admissions.tell(SLOTS_ELSEWHERE);
  const { keys } = house.redis;
  const sinceMs = (await house.redis.timeMs()) - house.timing.recoveryClaimsMs;
  await redis.client.hset(keys.incarnation, 'since', sinceMs);
  expect(await commit('a')).toBe('a-1 waits');
  expect(await admit(9)).toEqual([]);
  await redis.client.hset(keys.incarnation, 'since', sinceMs - house.timing.recoveryStartsMs);
  expect(await waitsFor('a-1')).toBe('slots');
  expect(await admit(9)).toEqual(['a-1']);
});

test('recovery: an attempt that its worker writes again counts towards the caps, and is not in the backlog', async () => {
  const { commitAll, start, admit } = under([projectNamed('a', 1)]);
  await commitAll('a', 2);
  await start('a-1');
  const running = await runOf(house, 'a-1');
  const { keys } = house.redis;
  await redis.client.del(keys.run('a-1'), keys.ticket(running.ticket), keys.admitted('project', 'a'));
  await redis.client.zadd(keys.backlog('a'), 1, 'a-1');
  expect(await house.attemptRecords.restore(running)).toBe(true);
  expect(await admit(9)).toEqual([]);
  expect(await redis.client.smembers(keys.admitted('project', 'a'))).toEqual(['a-1']);
  expect(await redis.client.zrange(keys.backlog('a'), '0', '-1')).toEqual(['a-2']);
});

test('lists that were lost or are wrong are put right by the records', async () => {
  const { commitAll, start, caps } = under([projectNamed('a', 2)], [pipelineNamed('fix', 5)]);
  await house.admissions.tell(SLOTS_ELSEWHERE);
  await commitAll('a', 4);
  await start('a-1');
  const { keys } = house.redis;
  const lists = [keys.backlog('a'), keys.admitted('project', 'a'), keys.admitted('pipeline', 'fix')];
  const dump = async () => [
    await redis.client.zrange(keys.backlog('a'), '0', '-1', 'WITHSCORES'),
    ...(await Promise.all(lists.slice(1).map(async (list) => (await redis.client.smembers(list)).toSorted()))),
  ];
  const before = await dump();
  await redis.client.del(lists);
  await redis.client.sadd(keys.admitted('project', 'a'), 'unknown', 'a-4');
  await redis.client.sadd(keys.offered, 'unknown', 'a-1');
  await redis.client.zadd(keys.backlog('a'), 1, 'a-1');
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 5, on: 6 });
  expect(await dump()).toEqual(before);
  expect(await redis.client.smembers(keys.offered)).toEqual(['a-2']);
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 0, on: 0 });
});

test('what is put off stays so when the lists are put right; without its list it may be tried at once', async () => {
  const { commit, admit, postpone, caps } = under([projectNamed('a')]);
  await commit('a');
  await postpone('a-1');
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 0, on: 0 });
  expect(await admit(9)).toEqual([]);
  await redis.client.del(house.redis.keys.putOff('a'));
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 0, on: 1 });
  expect(await admit(9)).toEqual(['a-1']);
  // As an older version leaves it that knows of no such list.
  await redis.client.zadd(house.redis.keys.putOff('a'), 1, 'a-1');
  expect(await house.admissions.tidy(caps, { next: undefined })).toEqual({ off: 1, on: 0 });
});

test('a project that has moved to another source is asked for once, and the cap of today holds', async () => {
  // The name is there twice: as it is, and as it was before the reload.
  const { commitAll, admit } = under([projectNamed('a', 1), projectNamed('a')]);
  await commitAll('a', 3);
  expect(await admit(9)).toEqual([]);
});

test('a job of a run that waits is no vain take: replicas of an older version add one again and again', async () => {
  const { commitAll, admit } = under([projectNamed('a', 1)]);
  await commitAll('a', 2);
  for (let i = 0; i < 12; i += 1) {
    expect(await house.attemptRecords.take('a-2', 1)).toEqual({ kind: 'dropped', state: 'waiting' });
  }
  await house.attemptRecords.endQueued(await runOf(house, 'a-1'), 'cancelled', 'closed');
  expect(await admit(9)).toEqual(['a-2']);
  expect(await house.attemptRecords.take('a-2', 1)).toMatchObject({ kind: 'taken', run: { takes: 1 } });
});

test('a long backlog behind a full pipeline holds up its own project at most', async () => {
  const projects = [projectNamed('a'), projectNamed('b')];
  const { commitAll, admit } = under(projects, [pipelineNamed('fix'), pipelineNamed('scan', 1)]);
  await commitAll('a', 1_002, 'scan');
  await commitAll('b', 1, 'scan');
  await commitAll('b', 1);
  expect(await admit(9)).toEqual([`b-${count}`]);
});
