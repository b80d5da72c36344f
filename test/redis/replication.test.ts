/**
 * `durability: replicated` on a real master and its replica. The line between them is slow, so that what is written is on
 * the replica only if somebody waited for it.
 */
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import {
  createRedisConnection,
  type RedisConnection,
  type RedisConnectionOptions,
} from '../../src/redis/connection.ts';
import { reportReplication } from '../../src/redis/replication.ts';
import { createAdmissions } from '../../src/runs/admissions.ts';
import { createAttemptRecords } from '../../src/runs/attempt-records.ts';
import { createCancellations } from '../../src/runs/cancellations.ts';
import { createClaimRecords } from '../../src/runs/claim-records.ts';
import { createDeliveryRecords, type NewDelivery } from '../../src/runs/delivery-records.ts';
import { createRunReader } from '../../src/runs/run-reader.ts';
import { FAST, markFresh, REPOSITORY, SLOTS_ELSEWHERE, silentLog, startHub } from '../support/house.ts';
import { startTestRedis, type TestRedisOptions } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';
import { attemptOf } from '../worker/worker-room.ts';

/** There and back stays within the 100 ms of the wait. */
const LINE_MS = 20;

const DONE = { state: 'completed', reason: 'exit code 0', output: '', onlyIfDead: false } as const;

async function startServer(options: TestRedisOptions = {}) {
  const server = await startTestRedis(options);
  onTestFinished(() => server.stop());
  const client = new Redis(server.url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return { server, client };
}

async function startPair() {
  const master = await startServer({ settings: ['repl-diskless-sync-delay 0'] });
  const line = await startTcpProxy(master.server.port);
  onTestFinished(() => line.close());
  const replica = await startServer({ settings: [`replicaof 127.0.0.1 ${line.port}`] });
  await until('the replica is in step', async () =>
    (await replica.client.info('replication')).includes('master_link_status:up'),
  );
  line.setLatency(LINE_MS);
  return { master, replica };
}

async function openRecords(url: string, options: Partial<RedisConnectionOptions>) {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const answers: boolean[] = [];
  const findings = createFindings();
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { redisCommandMs: 2_000, redisProbeMs: 100, redisSocketMs: 8_000 },
    blockMs: 200,
    freshServer: true,
    log: silentLog,
    onReplicaWait: (isConfirmed) => {
      answers.push(isConfirmed);
      reportReplication(findings, isConfirmed);
    },
    ...options,
  });
  onTestFinished(() => redis.close());
  await redis.whenUp(AbortSignal.timeout(10_000));
  const claims = createClaimRecords(redis, { ...FAST, mostRunsPerDay: () => 5 });
  const runs = createRunReader(redis);
  const question = (ticket: string) =>
    ({ ticket, platform: 'github', ticketId: ticket, project: 'api', trigger: 'poll', insist: false }) as const;
  return {
    redis,
    claims,
    runs,
    attempts: createAttemptRecords(redis, FAST),
    deliveries: createDeliveryRecords(redis, FAST),
    answers,
    codes: () => findings.all().map(({ code }) => code),
    question,
    begin: (ticket: string) => claims.begin({ ...question(ticket), newRun: `run-${ticket}`, token: 'token' }),
    async commit(ticket: string) {
      await createAdmissions(redis, { ...FAST, freeSlotsMs: 3_600_000 }).tell(SLOTS_ELSEWHERE);
      const claim = await claims.begin({ ...question(ticket), newRun: `run-${ticket}`, token: 'token' });
      if (claim.kind !== 'begun') throw new Error(claim.kind);
      const facts = { pipeline: 'p', label: undefined, project: 'api', policy: '{}', display: '', url: '' };
      const decision = { ticket, project: 'api', by: 'poll', outcome: 'claimed', run: claim.hold.run };
      await claims.commit(claim.hold, { ...facts, labelShown: true, decision });
      const run = await runs.get(claim.hold.run);
      if (run === undefined) throw new Error('no run');
      return run;
    },
  };
}

const delivery = (id: string): NewDelivery => ({
  platform: 'github',
  source: 'hook',
  id,
  name: `github:hook:${id}`,
  derived: false,
  event: 'issues',
  action: undefined,
  installation: undefined,
  place: undefined,
  placeId: undefined,
  payloadHash: 'hash',
  configHash: 'test',
  projects: ['api'],
  tickets: [{ key: 'ticket', id: '1' }],
  ignored: undefined,
});

/** How often WAIT was sent to the server. */
async function waits(client: Redis): Promise<number> {
  return Number(/cmdstat_wait:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
}

test('what a claim, a start and a delivery rest on is on the replica when they are told of it', async () => {
  const { master, replica } = await startPair();
  const records = await openRecords(master.server.url, { durability: 'replicated' });
  const { keys } = records.redis;
  const isThere = async (key: string, field: string, value: string): Promise<boolean> =>
    (await replica.client.hget(key, field)) === value;
  /** A busy machine may make it late; then it is told as unconfirmed, and the next one is asked. */
  const confirmed = { claim: 0, start: 0, delivery: 0 };
  for (let i = 1; i <= 20 && Object.values(confirmed).includes(0); i += 1) {
    const ticket = `ticket-${i}`;
    await records.begin(`begun-${i}`);
    const claimIsThere = await isThere(keys.run(`run-begun-${i}`), 'state', 'received');
    if (records.answers.at(-1) === true) {
      expect(claimIsThere).toBe(true);
      confirmed.claim += 1;
    }
    const run = await records.commit(ticket);
    expect(await records.attempts.start(run, 'worker')).toMatchObject({ kind: 'started' });
    const startIsThere = await isThere(keys.run(run.id), 'state', 'running');
    if (records.answers.at(-1) === true) {
      expect(startIsThere).toBe(true);
      confirmed.start += 1;
    }
    expect(await records.deliveries.accept(delivery(String(i)))).toEqual({ kind: 'accepted' });
    const deliveryIsThere = await isThere(keys.delivery(`github:hook:${i}`), 'state', 'received');
    if (records.answers.at(-1) === true) {
      expect(deliveryIsThere).toBe(true);
      confirmed.delivery += 1;
    }
  }
  expect(Object.values(confirmed)).not.toContain(0);
});

test('a replica that hangs holds nobody up for long: the work goes on, a finding says so, and it is cleared when it answers', async () => {
  const { master, replica } = await startPair();
  const records = await openRecords(master.server.url, { durability: 'replicated' });
  await replica.server.kill('SIGSTOP');
  const startedMs = performance.now();
  expect(await records.begin('one')).toMatchObject({ kind: 'begun' });
  expect(performance.now() - startedMs).toBeGreaterThan(90);
  expect(records.codes()).toEqual(['not-replicated']);

  // Each on a WAIT of its own would take five seconds.
  const manyMs = performance.now();
  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => records.begin(`many-${i}`)));
  expect(performance.now() - manyMs).toBeLessThan(2_500);
  expect(many.every(({ kind }) => kind === 'begun')).toBe(true);

  await replica.server.kill('SIGCONT');
  await until('it is confirmed again', async () => {
    await records.deliveries.accept(delivery(`late-${records.answers.length}`));
    return records.answers.at(-1);
  });
  expect(records.codes()).toEqual([]);
});

test('the end of a run is on the replica when its worker is told of it; a replica that hangs makes no end fail, also said twice', async () => {
  const { master, replica } = await startPair();
  const records = await openRecords(master.server.url, { durability: 'replicated' });
  const started = async (ticket: string): Promise<Run> => {
    const reply = await records.attempts.start(await records.commit(ticket), 'worker');
    if (reply.kind !== 'started') throw new Error(reply.kind);
    return reply.run;
  };
  const stateThere = (id: string) => replica.client.hget(records.redis.keys.run(id), 'state');
  const told: string[] = [];
  for (let i = 1; i <= 20 && told.length < 2; i += 1) {
    const run = await started(`ended-${i}`);
    expect(await records.attempts.finish(attemptOf(run), DONE)).toBe('finished');
    const there = await stateThere(run.id);
    if (records.answers.at(-1) !== true) continue;
    expect(there).toBe('completed');
    told.push(run.id);
    const queued = await records.commit(`cancelled-${i}`);
    expect(await records.attempts.endQueued(queued, 'cancelled', 'asked to')).toBeDefined();
    const queuedThere = await stateThere(queued.id);
    if (records.answers.at(-1) !== true) continue;
    expect(queuedThere).toBe('cancelled');
    told.push(queued.id);
  }
  expect(told.length).toBeGreaterThanOrEqual(2);

  const last = await started('last');
  await replica.server.kill('SIGSTOP');
  expect(await records.attempts.finish(attemptOf(last), DONE)).toBe('finished');
  expect(records.answers.at(-1)).toBe(false);
  expect(await records.attempts.finish(attemptOf(last), DONE)).toBe('finished');
  expect(await records.runs.get(last.id)).toMatchObject({ state: 'completed' });
  await replica.server.kill('SIGCONT');
});

test('an end that is lost while it waits for a replica is not told as taken: its worker says it again', async () => {
  const { server, client } = await startServer();
  const records = await openRecords(server.url, { durability: 'replicated' });
  const reply = await records.attempts.start(await records.commit('lost'), 'worker');
  if (reply.kind !== 'started') throw new Error(reply.kind);
  const before = records.redis.incarnation();
  const slow: RedisConnection = {
    ...records.redis,
    async script(...call) {
      const answer = await records.redis.script(...call);
      await client.flushall();
      await until('the loss is noticed', () => records.redis.incarnation() !== before);
      return answer;
    },
  };
  const ending = createAttemptRecords(slow, FAST).finish(attemptOf(reply.run), DONE);
  await expect(ending).rejects.toThrow('redis lost data meanwhile');
  expect(await records.attempts.finish(attemptOf(reply.run), DONE)).toBe('superseded');
});

test('a wish to cancel, and what it ends at once, is said to be on record after the wait', async () => {
  const { client, server } = await startServer();
  const records = await openRecords(server.url, { durability: 'replicated' });
  const cancellations = createCancellations(records.redis, records.attempts);
  const run = await records.commit('running');
  await records.attempts.start(run, 'worker');
  const before = await waits(client);
  expect(await cancellations.request(run, 'alice')).toMatchObject({ kind: 'requested' });
  expect(await waits(client)).toBe(before + 1);
  const begun = await records.begin('received');
  if (begun.kind !== 'begun') throw new Error(begun.kind);
  await cancellations.request({ id: begun.hold.run, ticket: 'received' }, 'alice');
  const asked = await waits(client);
  expect(await records.claims.abandon(begun.hold, { keep: false, backOff: false })).toMatchObject({
    kind: 'cancelled',
  });
  expect(await waits(client)).toBe(asked + 1);
});

test('a user that may not WAIT: nothing is confirmed, and the work goes on', async () => {
  const { client, server } = await startServer();
  const records = await openRecords(server.url, { durability: 'replicated' });
  await client.acl('SETUSER', 'default', '-wait');
  expect(await records.begin('one')).toMatchObject({ kind: 'begun' });
  expect(records.answers).toEqual([false]);
  expect(records.codes()).toEqual(['not-replicated']);
});

test('nobody waits who was told nothing new, who only looks, or who asked for local durability', async () => {
  const { client, server } = await startServer();
  const local = await openRecords(server.url, { durability: 'local' });
  const run = await local.commit('local');
  expect(await local.attempts.start(run, 'worker')).toMatchObject({ kind: 'started' });
  expect(await local.deliveries.accept(delivery('local'))).toEqual({ kind: 'accepted' });
  expect(await waits(client)).toBe(0);

  const replicated = await openRecords(server.url, { durability: 'replicated' });
  expect(await replicated.claims.look(replicated.question('new'))).toMatchObject({ kind: 'begun' });
  expect(await replicated.begin('local')).toMatchObject({ kind: 'already-claimed' });
  expect(await replicated.deliveries.accept(delivery('local'))).toMatchObject({ kind: 'duplicate' });
  const reader = await openRecords(server.url, { durability: 'replicated', readOnly: true });
  await reader.begin('not-by-a-reader');
  expect(await waits(client)).toBe(0);
  await replicated.begin('new');
  expect(await waits(client)).toBe(1);
});

test('a server that is told to replicate and has no replica says so on /health and counts it; its tickets are done all the same', async () => {
  const { server } = await startServer();
  await markFresh(server.url);
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: server.url, yaml: 'redis: { durability: replicated }' });
  const replica = await site.start();
  const { number } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until(
    'the ticket is done',
    () => hub.issue(`${REPOSITORY}#${number}`).labels.includes('agent-smith:done'),
    30_000,
  );
  expect((await replica.health()).findings).toContainEqual(
    expect.objectContaining({ code: 'not-replicated', severity: 'warning' }),
  );
  const metrics = await (await fetch(`http://127.0.0.1:${replica.port}/metrics`)).text();
  expect(metrics).toMatch(/agentsmith_redis_replica_waits_total\{result="unconfirmed"\} [2-9]/);
});
