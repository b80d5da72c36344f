/**
 * Runs that cannot start, because the platform refuses to show their tickets: with a queue, a worker of one slot and its feeder, in
 * this process. They hold up nobody, take nobody's place under a cap, and none of them is forgotten.
 */
import { expect, onTestFinished, test } from 'vitest';
import type { Project } from '../../src/domain/project.ts';
import { createRunConsumer } from '../../src/queue/run-queue.ts';
import type { AttemptRecords } from '../../src/runs/attempt-records.ts';
import { createQueueFeeder } from '../../src/worker/queue-feeder.ts';
import { commitRun } from '../runs/bulk-runs.ts';
import { FAST, type House, openHouse, plainProject, REPOSITORY, silentLog, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { EXITED_0, openWorkerRoom, runOf } from './worker-room.ts';

const redis = useRedis();
const OTHER = 'org/other';
/** What could not start is tried again many times while a test lasts. */
const IMPATIENT = { ...FAST, attemptRetryMs: 20, startProbeMs: 20 };
const READ_MANY = { method: 'GET', path: /\/org\/api\/issues\// } as const;

/** Two projects, of which the first has a platform that does as the test says. */
async function twoProjects(): Promise<House> {
  const hub = await startHub();
  const plain = plainProject(hub);
  const many: Project = { ...plain, name: 'many' };
  const few: Project = { ...plain, name: 'few', source: { ...plain.source, container: OTHER } };
  return await openHouse({ redisUrl: redis.url, hub, projects: () => [many, few], freeSlots: 0, timing: IMPATIENT });
}

/** A replica with one slot. @returns the runs whose turns it has taken, in their order */
function openReplica(
  house: House,
  records: Partial<AttemptRecords> = {},
  instance = 'pod-1',
): { readonly turns: readonly string[] } {
  const { platformOf, timing } = house;
  const { processor } = openWorkerRoom(house, { platformOf, records, ends: EXITED_0, worker: instance });
  const { admissions, queue } = house;
  const feeder = createQueueFeeder(
    { admissions, caps: () => house.catalog, queue, log: silentLog },
    { instance, slots: 1, admitMs: timing.admitMs },
  );
  const turns: string[] = [];
  const ending = new AbortController();
  const feeding = feeder.run(ending.signal);
  const consumer = createRunConsumer({
    redis: house.redis,
    log: silentLog,
    slots: 1,
    blockMs: 200,
    timing,
    onTurn: (turn) => {
      turns.push(turn.run);
      return feeder.during(() => processor.process(turn));
    },
  });
  onTestFinished(async () => {
    ending.abort();
    await consumer.close();
    await feeding;
  });
  return { turns };
}

/** As claims do it: with a job for what is admitted. */
async function commitMany(house: House, count: number, project = 'many'): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 1; n <= count; n += 1) {
    const { number } = house.hub.openIssue(project === 'many' ? REPOSITORY : OTHER, { labels: ['agent-smith'] });
    const run = { id: `${project}-${number}`, project, pipeline: 'fix-bug', ticketId: String(number) };
    const { id, admitted } = await commitRun(house, house.catalog, run);
    if (admitted) await house.queue.add({ run: id, turn: 1 });
    ids.push(id);
  }
  return ids;
}

test('a project whose platform refuses hundreds of its tickets delays the first run of another by one turn at most', async () => {
  const house = await twoProjects();
  house.hub.faults.inject(READ_MANY, { kind: 'answer', status: 502 });
  await commitMany(house, 150);
  const { turns } = openReplica(house);
  await until('many have been tried in vain, some of them again', () => turns.length > 40);

  const before = turns.length;
  const [first = ''] = await commitMany(house, 1, 'few');
  await until('the other project is at work', () => turns.includes(first));
  // The one that was at work, and the one that may have been on its way.
  expect(turns.indexOf(first) - before).toBeLessThanOrEqual(2);
  await until('its run has ended', async () => (await runOf(house, first)).state === 'completed');
});

test('a run that is put off by a replica which dies in that moment is not forgotten, nor does it keep a place', async () => {
  const house = await twoProjects();
  const fault = house.hub.faults.inject(READ_MANY, { kind: 'answer', status: 502 });
  const [first = '', second = ''] = await commitMany(house, 2);
  const dead = Promise.withResolvers<void>();
  const { turns } = openReplica(house, {
    // It has written, and does nothing more: its job stays where it is.
    postpone: async (...asked) => {
      const reply = await house.attemptRecords.postpone(...asked);
      await dead.promise;
      return reply;
    },
  });
  onTestFinished(() => dead.resolve());
  await until('it is put off', async () => (await runOf(house, first)).turn === 2);
  expect(turns).toEqual([first]);
  fault.remove();
  openReplica(house, {}, 'pod-2');
  for (const id of [first, second])
    await until('its run has ended', async () => (await runOf(house, id)).state === 'completed');
});
