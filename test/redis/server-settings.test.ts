import { expect, onTestFinished, test } from 'vitest';
import { createFindings } from '../../src/foundation/findings.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection } from '../../src/redis/connection.ts';
import { judgeSettings, watchServerSettings } from '../../src/redis/server-settings.ts';
import { FAST, silentLog } from '../support/house.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const codes = (found: readonly { readonly code: string }[]): string[] => found.map(({ code }) => code);

test('a server that keeps everything is no finding; one that evicts or forgets is', () => {
  expect(codes(judgeSettings({ policy: 'noeviction', appendOnly: 'yes' }))).toEqual([]);
  expect(codes(judgeSettings({ policy: 'allkeys-lru', appendOnly: 'yes' }))).toEqual(['redis-evicts']);
  expect(codes(judgeSettings({ policy: 'noeviction', appendOnly: 'no' }))).toEqual(['redis-forgets']);
  expect(codes(judgeSettings({ policy: undefined, appendOnly: 'yes' }))).toEqual(['redis-settings-unknown']);
});

test.for([
  ['evicts and forgets', ['maxmemory-policy allkeys-lru'], false, ['redis-evicts', 'redis-forgets']],
  ['keeps everything', [], true, []],
  ['does not tell', ['rename-command CONFIG ""'], true, ['redis-settings-unknown']],
] as const)('a real server that %s', async ([, settings, appendOnly, expected]) => {
  const server = await startTestRedis({ settings: [...settings], appendOnly });
  onTestFinished(() => server.stop());
  const address = parseRedisUrl(server.url);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { ...FAST, redisCommandMs: 2_000, redisSocketMs: 8_000 },
    blockMs: 200,
    log: silentLog,
  });
  onTestFinished(() => redis.close());
  const findings = createFindings();
  findings.raise({ code: 'redis-settings-unknown', severity: 'info', text: 'of the server before' });
  findings.raise({ code: 'redis-evicts', severity: 'error', text: 'of the server before' });
  watchServerSettings(redis, findings, silentLog);
  await until('it has looked', () => String(codes(findings.all()).toSorted()) === String(expected.toSorted()));
  expect(codes(findings.all()).toSorted()).toEqual(expected.toSorted());
});
