/**
 * How long repair takes: added up from the constants, and shown with real processes on scaled time. The times run from the
 * moment of the damage. The slack is for a machine that is busy with other tests: a tenth, or a second and a
 * half where that is more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { DEFAULT_TIMING as T } from '../../../src/domain/timing.ts';
import { keepSlotsElsewhere, markFresh, openHouse, REPOSITORY, startHub } from '../../support/house.ts';
import { startTestRedis } from '../../support/redis.ts';
import { openSite } from '../../support/replica.ts';
import { until } from '../../support/until.ts';

const SCALE = 0.2;
const SLACK_MS = 1_500;

/** Real milliseconds that something may take which is promised within `ms` of protocol time. */
const realMs = (ms: number): number => ms * SCALE + Math.max(0.1 * ms * SCALE, SLACK_MS);

/** A worker is dead: its heartbeat has to end, or the lease of a leader that died with it; then two looks, one after the other. */
const DEAD_ATTEMPT_MS = Math.max(T.heartbeatTtlMs, T.leaseTtlMs) + T.staleScanMs + T.staleConfirmMs;
/** A job is lost: its run has to be old enough, and the next pass has to come. */
const MISSING_JOB_MS = T.reconcileGraceMs + T.reconcileScanMs;
/** Nobody leads: the lease of the dead leader has to end, and whoever follows begins with a pass. */
const NEXT_LEADER_MS = T.leaseTtlMs + T.leaseRenewMs / 50;
/** A job is lost together with the leader, mostly because its claim and the lead died in one process. */
const MISSING_JOB_AND_LEADER_MS = Math.max(NEXT_LEADER_MS, MISSING_JOB_MS);
/** A claim died: its lock has to end, or the lease of a leader that died with it, and the next pass has to come. */
const DEAD_CLAIM_MS = Math.max(T.claimLockTtlMs, NEXT_LEADER_MS) + T.reconcileScanMs;
/** All is lost: that is noticed, live workers report, the next look at whether a platform pass is due, its two reads of each ticket. */
const ORPHANED_LABEL_MS = T.redisProbeMs + T.recoveryRepairMs + T.staleScanMs + T.secondReadMs;

test('added up from the constants: a stuck in-progress within 60 s, a lost job within 30 s, an orphaned label within one platform pass', () => {
  expect(DEAD_ATTEMPT_MS).toBeLessThanOrEqual(60_000 - T.redisCommandMs);
  expect(MISSING_JOB_MS).toBeLessThanOrEqual(30_000 - T.redisCommandMs);
  expect(ORPHANED_LABEL_MS + T.listingDeadlineMs + T.claimDeadlineMs).toBeLessThanOrEqual(T.platformPassMs);
  // A leader that dies is followed by another before its lease is twice as old, also when it is the one that repairs.
  expect(NEXT_LEADER_MS).toBeLessThanOrEqual(T.heartbeatTtlMs);
});

test('added up from the constants: a job that is lost with the leader of housekeeping within 35 s, a dead claim begun again within 45 s', () => {
  expect(MISSING_JOB_AND_LEADER_MS).toBeLessThanOrEqual(35_000 - T.redisCommandMs);
  expect(DEAD_CLAIM_MS).toBeLessThanOrEqual(45_000 - T.redisCommandMs);
});

/** A Redis, a tracker, and replicas with one slot each whose commands never end. */
async function openScene(replicas: number) {
  const server = await startTestRedis();
  onTestFinished(() => server.stop());
  await markFresh(server.url);
  const hub = await startHub();
  const house = await openHouse({ redisUrl: server.url, hub });
  keepSlotsElsewhere(house);
  const yaml = 'agent: { queue: { max_parallel_jobs: 1 } }';
  const site = await openSite({ hub, redisUrl: server.url, work: 'while :; do sleep 1; done', yaml });
  const started = await Promise.all(Array.from({ length: replicas }, () => site.start({ timeScale: SCALE })));
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  const runOf = (id: number) => house.runs.ofTicket(house.keyOf(id));
  const inState = async (state: 'queued' | 'running', count: number) =>
    await until(`${count} are ${state}`, async () => {
      const runs = await house.runs.inState(state, { most: 10 });
      return runs.length === count ? runs : undefined;
    });
  return { hub, house, site, client, replicas: started, runOf, inState };
}

/** How long `condition` takes to come true. */
async function timeUntil(what: string, condition: () => Promise<boolean>, timeoutMs: number): Promise<number> {
  const startedMs = performance.now();
  await until(what, condition, timeoutMs);
  return performance.now() - startedMs;
}

async function lostJobsAndDeadLeader() {
  const { hub, house, client, replicas, runOf, inState } = await openScene(2);
  for (let i = 0; i < 3; i += 1) hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const running = await inState('running', 2);
  const [waiting] = await inState('queued', 1);
  if (waiting === undefined) throw new Error('nothing waits');
  const turn = { run: waiting.id, turn: waiting.turn };
  const loseJob = async (): Promise<void> => {
    const job = `${waiting.id}-${waiting.turn}`;
    await client.multi().lrem('agentsmith:queue:runs:wait', 0, job).del(`agentsmith:queue:runs:${job}`).exec();
    expect(await house.queue.isQueued(turn)).toBe(false);
  };
  const untilJobIsBack = (): Promise<number> =>
    timeUntil('the job is back', () => house.queue.isQueued(turn), 3 * MISSING_JOB_AND_LEADER_MS * SCALE);

  await loseJob();
  const lostJobMs = await untilJobIsBack();

  // The worker that leads, so that another has to take the lead first; right after a renewal, so that this takes longest.
  const views = await Promise.all(replicas.map((replica) => replica.health()));
  const leads = views.findIndex(({ roles }) =>
    roles.some(({ role, position }) => role === 'housekeeping' && position === 'leader'),
  );
  const [dying, instance] = [replicas[leads], views[leads]?.instance];
  const stuck = running.find(({ worker }) => worker === instance);
  if (dying === undefined || stuck === undefined) throw new Error('the leader runs nothing');
  const lease = house.redis.keys.leader('housekeeping');
  await until('the lease is fresh', async () => (await client.pttl(lease)) > 0.95 * T.leaseTtlMs * SCALE);
  await dying.end('SIGKILL');
  const [jobAndLeaderMs, deadWorkerMs] = await Promise.all([
    loseJob().then(untilJobIsBack),
    timeUntil(
      'the ticket is back',
      async () => ((await runOf(Number(stuck.ticketId)))?.turn ?? 0) > stuck.turn,
      3 * DEAD_ATTEMPT_MS * SCALE,
    ),
  ]);
  return { lostJobMs, jobAndLeaderMs, deadWorkerMs };
}

async function orphanedLabel(): Promise<number> {
  const { hub, client, runOf, inState } = await openScene(1);
  for (let i = 0; i < 2; i += 1) hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await inState('running', 1);
  const [orphan] = await inState('queued', 1);
  if (orphan === undefined) throw new Error('nothing waits');
  await until('its label is there', () => hub.issue(orphan.display).labels.includes('agent-smith:enqueued'));
  // Not the first moment of a term: its platform pass has been.
  await delay(T.staleScanMs * SCALE);
  await client.flushall();
  return await timeUntil(
    'the label has a run again',
    async () => (await runOf(Number(orphan.ticketId)))?.state === 'queued',
    3 * ORPHANED_LABEL_MS * SCALE,
  );
}

test('real processes: a dead worker, a lost job and a lost Redis, each made good within its time', async () => {
  const [{ lostJobMs, jobAndLeaderMs, deadWorkerMs }, orphanMs] = await Promise.all([
    lostJobsAndDeadLeader(),
    orphanedLabel(),
  ]);
  // Where there is room between what is added up and what is promised, the promise itself is the bound.
  expect(lostJobMs).toBeLessThan(30_000 * SCALE);
  expect(jobAndLeaderMs).toBeLessThan(realMs(MISSING_JOB_AND_LEADER_MS));
  expect(deadWorkerMs).toBeLessThan(realMs(DEAD_ATTEMPT_MS));
  expect(orphanMs).toBeLessThan(realMs(ORPHANED_LABEL_MS));
}, 90_000);
