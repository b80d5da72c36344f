/**
 * A Redis that is up and takes no writes: its memory is full, or it cannot save (PROTOCOL 4 and 7). Nothing is lost, operators
 * see why nothing goes on, and all of it goes on by itself when writes are taken again.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { expect, type TestContext, test } from 'vitest';
import { startTestRedis, type TestRedisOptions } from '../../support/redis.ts';
import { type Case, eventually, isAlive, onceAndDone, openStage, SCENE_MS, type Stage, twiceAndDone } from './stage.ts';

interface Scene extends Stage {
  readonly client: Redis;
  /** One at work, and one that waits for its slot. */
  readonly running: Case;
  readonly waiting: Case;
}

/** One replica with one slot. */
async function openScene(context: TestContext, settings: TestRedisOptions): Promise<Scene> {
  const redis = await startTestRedis(settings);
  context.onTestFinished(() => redis.stop());
  const client = new Redis(redis.url);
  context.onTestFinished(() => client.disconnect());
  const stage = await openStage(context, { redisUrl: redis.url, replicas: 1 });
  const running = stage.open('hooked');
  await stage.kept(running);
  await stage.started(running);
  const waiting = stage.open();
  await eventually('it waits', () => stage.shows(waiting, 'agent-smith:enqueued'));
  return { ...stage, client, running, waiting };
}

const isRefused = (stage: Stage): Promise<boolean> =>
  stage.everyHealth(
    ({ status, findings }) => status === 'degraded' && findings.some(({ code }) => code === 'redis-refuses-writes'),
  );

/** A ticket that is listed and one that is told of, while neither can become a run; resolves when both have failed visibly. */
async function failVisibly(stage: Stage): Promise<readonly [listed: Case, told: Case]> {
  await eventually('health says so', () => isRefused(stage));
  const answers = stage.hub.webhooks.attempts().length;
  const [listed, told] = [stage.open(), stage.open('hooked')];
  const refused = await eventually('its delivery is answered', () => stage.hub.webhooks.attempts()[answers]);
  expect([refused.status, refused.body]).toEqual([503, '{"error":"redis_unavailable"}']);
  await eventually('a poll shows that the claim failed', () =>
    stage.everyHealth(({ projects }) =>
      projects.some(({ last_poll }) => JSON.stringify(last_poll ?? {}).includes('failed: redis-unavailable')),
    ),
  );
  return [listed, told];
}

test.concurrent('memory that runs out: live runs go on, deliveries are refused, claims wait, and all ends when there is room', {
  timeout: SCENE_MS,
}, async (context) => {
  const scene = await openScene(context, {});
  const { client, house, running, waiting } = scene;
  for (const n of Array(8).keys()) await client.set(`junk:${n}`, 'x'.repeat(1_000_000));
  // Less than there is, so that no buffer which is given back makes room.
  const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
  await client.config('SET', 'maxmemory', used - 4_000_000);
  const fullAtMs = Date.now();

  const [listed, told] = await failVisibly(scene);
  const [beating] = await client.keys('agentsmith:heartbeat:*');
  await eventually('its heart has beaten for longer than the TTL', async () => {
    const expiresAtMs = Number(await client.call('PEXPIRETIME', beating ?? ''));
    return expiresAtMs > fullAtMs + 2 * house.timing.heartbeatTtlMs;
  });
  // It ends while its end cannot be recorded.
  await scene.letAllGo();
  await eventually('its command has ended', async () =>
    (await scene.site.ledger()).some(({ event }) => event === 'end'),
  );
  expect(scene.shows(running, 'agent-smith:in-progress')).toBe(true);

  await client.del(await client.keys('junk:*'));
  await eventually('writes are taken again', async () => !(await isRefused(scene)));
  await scene.kept(told);
  const all = [running, waiting, listed, told];
  await scene.done(all);
  expect(await scene.fates(all)).toEqual(all.map(onceAndDone));
});

test.concurrent('a server that cannot save: nothing is lost, nothing runs twice at once, and all ends when it can', {
  timeout: SCENE_MS,
}, async (context) => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-disk-'));
  context.onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const scene = await openScene(context, { dir, settings: ['save 3600 1', 'stop-writes-on-bgsave-error yes'] });
  const { client, running, waiting } = scene;
  // Where its file should be there is a folder: what it has saved cannot be moved there, whoever it runs as.
  await mkdir(path.join(dir, 'dump.rdb'));
  await client.bgsave();
  await eventually('saving has failed', async () =>
    (await client.info('persistence')).includes('rdb_last_bgsave_status:err'),
  );

  const [listed, told] = await failVisibly(scene);
  const first = (await scene.site.ledger()).find(({ event }) => event === 'start');
  await eventually('its command is gone, since nobody may trust in it', () => !isAlive(first?.pid ?? 0));
  await rm(path.join(dir, 'dump.rdb'), { recursive: true });
  await client.bgsave();
  await eventually('writes are taken again', async () => !(await isRefused(scene)));
  await scene.kept(told);
  await scene.letAllGo();
  const all = [running, waiting, listed, told];
  await scene.done(all);
  expect(await scene.fates(all)).toEqual([twiceAndDone(running), ...[waiting, listed, told].map(onceAndDone)]);
});
