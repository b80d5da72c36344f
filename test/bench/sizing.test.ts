/** docs/sizing.md and the bench that measures its numbers: in miniature, so its shape and no value. */
import { expect, test } from 'vitest';
import { connectionsIn } from '../../bench/idle-replica.ts';
import { lookAround } from '../../bench/redis.ts';
import { benchRedisMemory } from '../../bench/redis-memory.ts';
import { formatSizing } from '../../bench/sizing-report.ts';
import { load } from '../config/load-text.ts';
import { pageText, section, tableRows } from '../operations/pages.ts';
import { startApp } from '../support/app.ts';
import { FAST, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { webhookProject } from '../webhooks/senders.ts';

const redis = useRedis();
const page = pageText('docs/sizing.md');

test('every state of a ticket is measured, takes what it should, and has its row on the page', async () => {
  const memory = await benchRedisMemory({ redisUrl: redis.url, tickets: 60 });
  const states = tableRows(section(page, 'Memory'), 'state').map(([state]) => state);
  expect(memory.map(({ state }) => state)).toEqual(states);

  const [waiting, queued, ended, arrived, settled] = memory.map(({ byKind }) => Object.fromEntries(byKind));
  expect(waiting).toMatchObject({ outputs: 0, deliveries: 0 });
  // Whatever is of no kind does not grow with tickets.
  for (const { byKind } of memory) expect(byKind.get('other')).toBeLessThan(1_000);
  expect(waiting?.['runs']).toBeGreaterThan(0);
  expect(waiting?.['tickets']).toBeGreaterThan(0);
  expect(queued?.['queue']).toBeGreaterThan(waiting?.['queue'] ?? 0);
  expect(ended?.['outputs']).toBeGreaterThan(60 * 4_000);
  expect(ended?.['runs']).toBeGreaterThan(queued?.['runs'] ?? 0);
  expect(arrived?.['deliveries']).toBeGreaterThan(settled?.['deliveries'] ?? 0);
  expect(settled?.['deliveries']).toBeGreaterThan(0);

  const idle = { windowSeconds: 1, connections: new Map([['commands', 1]]), commands: new Map([['evalsha', 4]]) };
  const text = formatSizing({
    machine: await lookAround(redis.url),
    memory,
    idle: [{ ...idle, replicas: 1, networkBytes: 2_000, each: [{ cpuSeconds: 0.01, residentBytes: 2 ** 27 }] }],
    nodeOptions: '',
  });
  for (const { state } of memory) expect(text).toContain(state);
  expect(text).not.toContain('NaN');
});

test('a replica keeps as many connections to Redis as the page says', async () => {
  const hub = await startHub();
  const config = await load(`projects: ${webhookProject(hub)}\npipelines: { fix-bug: { command: ['true'] } }`, {
    GITHUB_TOKEN: TOKEN,
    REDIS_URL: redis.url,
  });
  const { app } = await startApp(config, { timing: FAST });
  const [, told] = /keeps \*\*(\d+) connections\*\*/.exec(page) ?? [];
  await until('it is ready, and every loop has begun', async () => {
    const connections = connectionsIn(String(await redis.client.client('LIST')), await redis.client.client('ID'));
    const ready = app.health().subsystems.every(({ state }) => state === 'up' || state === 'disabled');
    return ready && [...connections.values()].reduce((sum, count) => sum + count, 0) === Number(told);
  });
});
