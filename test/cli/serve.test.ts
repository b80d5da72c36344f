/** `agent-smith server`: what keeps it from starting, said in words. Its life is in test/server/replica-health.test.ts. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { oneProject, openDir, runCli } from './run-cli.ts';

const redis = useRedis();
const URL = 'https://github.com/org/api';

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

test.each([
  ['without Redis', false],
  ['with Redis', true],
])('a port that is taken: exit 2 and the port in words, nothing left running (%s)', async (_, withRedis) => {
  const port = await takenPort();
  const hub = await startHub();
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  const env = { GITHUB_TOKEN: TOKEN, ...(withRedis ? { REDIS_URL: redis.url } : {}) };
  const { code, stderr } = await runCli(['server', '--host', '127.0.0.1', '--port', String(port)], { dir, env });
  expect(stderr).toContain(`EADDRINUSE: address already in use 127.0.0.1:${port}; choose another --port`);
  expect(code).toBe(2);
});

test('no configuration: exit 2 and how to get one', async () => {
  const dir = await openDir();
  const { code, stderr } = await runCli(['server'], { dir });
  expect(code).toBe(2);
  expect(stderr).toContain(`No agentsmith.yml in ${dir}: copy agentsmith.yml.example, or pass --config`);
});

test('a bad configuration: exit 2, all problems at once, each with its line', async () => {
  const dir = await openDir(`${oneProject(URL)}agnet: {}\nruns: { most_per_day: 3 }\n`);
  const { code, stdout, stderr } = await runCli(['server'], { dir });
  expect(code).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toMatch(/agentsmith\.yml:10.*agnet/);
  expect(stderr).toMatch(/agentsmith\.yml:11/);
  expect(stderr).not.toContain('    at ');
});

test('bad YAML: exit 2, with its line', async () => {
  const { code, stderr } = await runCli(['server'], { dir: await openDir('projects:\n  api: [\n') });
  expect(code).toBe(2);
  expect(stderr).toMatch(/agentsmith\.yml:\d+/);
});

test('a REDIS_URL that means nothing: exit 2, without its password', async () => {
  const dir = await openDir(oneProject(URL));
  const env = { REDIS_URL: 'redis+cluster://:hunter-2-secret@one,two/1', GITHUB_TOKEN: TOKEN };
  const { code, stderr } = await runCli(['server'], { dir, env });
  expect(code).toBe(2);
  expect(stderr).toContain('REDIS_URL: Redis Cluster has no numbered databases');
  expect(stderr).not.toContain('hunter-2-secret');
});

test('a wrong PORT or LOG_LEVEL: exit 2', async () => {
  const dir = await openDir(oneProject(URL));
  const { code, stderr } = await runCli(['server'], { dir, env: { PORT: 'http', LOG_LEVEL: 'loud' } });
  expect(code).toBe(2);
  expect(stderr).toContain('PORT');
  expect(stderr).toContain('LOG_LEVEL');
});
