/** A run ends while its Job is out of sight: the Job is ended too, and the next run of the ticket waits for that. */
import { expect, test } from 'vitest';
import { listDetachedJobs } from '../../../../src/app/detached-jobs.ts';
import { createStuckJobs } from '../../../../src/app/stuck-jobs.ts';
import { MOST_INTERRUPTED, type Run } from '../../../../src/domain/run.ts';
import { MAY_ALL } from '../../../../src/emulators/kubernetes/access.ts';
import { createLeftoverWork } from '../../../../src/repair/leftover-work.ts';
import type { Pass } from '../../../../src/repair/repair.ts';
import type { RunnerHandle } from '../../../../src/worker/runners/runner.ts';
import { load } from '../../../config/load-text.ts';
import { repairs, termOf } from '../../../repair/terms.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../../../support/house.ts';
import { useRedis } from '../../../support/redis.ts';
import { until } from '../../../support/until.ts';
import { admittedAgain, openWorkerRoom, queuedRun, runOf, type WorkerRoom } from '../../worker-room.ts';
import { type ClusterRoom, jobRequest, openClusterRoom } from './cluster-room.ts';

const redis = useRedis();
const { job } = jobRequest();

interface JobHouse {
  readonly house: House;
  readonly room: ClusterRoom;
  readonly processor: WorkerRoom['processor'];
  /** Of the attempts, in the order of their starts. */
  readonly handles: readonly RunnerHandle[];
  /** What the leader does about Jobs. */
  readonly tidy: Pass;
}

async function openJobHouse(options: Parameters<typeof openClusterRoom>[0] = {}): Promise<JobHouse> {
  const [house, room] = await Promise.all([openHouse({ redisUrl: redis.url }), openClusterRoom(options)]);
  const handles: RunnerHandle[] = [];
  const { processor } = openWorkerRoom(house, {
    runner: {
      blockedBy: async (question) => await room.runner.blockedBy?.({ ...question, job }),
      start(request) {
        const handle = room.start({ ...request, job });
        handles.push(handle);
        return handle;
      },
    },
  });
  const config = await load('projects: {}\npipelines: { p: { kubernetes_job: { image: x } } }');
  const stuck = createStuckJobs(house.findings);
  const list = listDetachedJobs(
    { config: () => config, cluster: room.door.cluster, log: silentLog, onRefused: stuck.tellNamespaces },
    { clusterCallMs: 2_000 },
  );
  const { onRepair } = repairs();
  const tidy = createLeftoverWork({ list, runs: house.runs, log: silentLog, onRepair, onRefused: stuck.tellJobs });
  return { house, room, processor, handles, tidy };
}

/** A run that is given up while its Job is at work, and then the next one that somebody asks for. */
async function givenUp({ house, room, processor, handles }: JobHouse) {
  const first = await queuedRun(house);
  await redis.client.hset(house.redis.keys.run(first.id), 'interrupted', MOST_INTERRUPTED - 1);
  const working = processor.process({ run: first.id, turn: 1 });
  await room.running();
  handles[0]?.stop('trust-lost');
  await working;
  expect(await runOf(house, first.id)).toMatchObject({
    state: 'failed',
    reason: expect.stringMatching(/^interrupted 20 times/),
  });
  await house.labels.project(first.id, { mayWrite: () => true, signal: new AbortController().signal });
  house.hub.removeLabel(`${REPOSITORY}#${first.ticketId}`, 'agent-smith:failed');
  const again = await house.claims.claim(
    { project: 'api', ticketId: first.ticketId, trigger: 'manual' },
    new AbortController().signal,
  );
  if (again.kind !== 'claimed') throw new Error(`not claimed: ${JSON.stringify(again)}`);
  return { first: first.id, second: again.run };
}

/** Its turn comes, and it cannot start. */
async function putOff({ house, processor }: JobHouse, { id, turn }: Run): Promise<void> {
  expect(await processor.process({ run: id, turn })).toEqual({ kind: 'over' });
  expect(await runOf(house, id)).toMatchObject({ state: 'queued', attempt: 0, takes: 0 });
}

test('the Job of a run that was interrupted too often is ended before the next run of its ticket has its own', async () => {
  const jobHouse = await openJobHouse();
  const { house, room, processor, tidy } = jobHouse;
  const { cluster } = room;
  const { first, second } = await givenUp(jobHouse);
  await putOff(jobHouse, await runOf(house, second));
  expect(cluster.jobsMade).toHaveLength(1);

  cluster.endPods(false);
  await tidy(termOf());
  await until('its pod is being ended', () => cluster.pods()[0]?.metadata.deletionTimestamp !== undefined);
  // No slot is held by a run that waits for the end of another one's pod.
  await putOff(jobHouse, await admittedAgain(house, second));
  cluster.endPods(true);
  await until('it is gone', () => cluster.jobs().length === 0);

  const { turn } = await admittedAgain(house, second);
  const working = processor.process({ run: second, turn });
  await room.running();
  // What is at work now is another run's, and that one goes on.
  await tidy(termOf());
  cluster.pod().exit();
  await working;
  expect(await runOf(house, second)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(await runOf(house, first)).toMatchObject({ state: 'failed' });
  expect(cluster.podsStarted).toHaveLength(2);
});

test('without the right to delete it the next run waits, and a finding names the Job', async () => {
  const mayNotDelete = { apiGroups: ['*'], resources: ['*'], verbs: ['create', 'get', 'list', 'watch', 'patch'] };
  const jobHouse = await openJobHouse({ accounts: { poor: [mayNotDelete], rich: MAY_ALL } });
  const { house, room, tidy } = jobHouse;
  const { second } = await givenUp(jobHouse);
  await tidy(termOf());
  const name = room.cluster.jobs()[0]?.metadata.name ?? 'none';
  expect(house.findings.all()).toMatchObject([
    { code: 'job-not-ended', text: expect.stringContaining(`agents/${name}`) },
  ]);
  await putOff(jobHouse, await runOf(house, second));
  // It ends by itself: nothing is left to be said.
  room.cluster.pod().exit();
  await until('the Job is complete', () => room.cluster.jobs()[0]?.status.succeeded === 1);
  await tidy(termOf());
  expect(house.findings.all()).toEqual([]);
});
