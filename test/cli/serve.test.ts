/** `agent-smith server`: what keeps it from starting, said in words. Its life is in test/server/replica-health.test.ts. */

import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { UsageError } from '../../src/cli/process.ts';
import { serve } from '../../src/cli/serve.ts';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { oneProject, openDir, runCli } from './run-cli.ts';

const redis = useRedis();
const URL = 'https://github.com/org/api';

/** How it refuses to start, in this process: main.ts makes exit 2 and standard error of it, as the processes here show. */
async function refusal(cwd: string, env: Readonly<Record<string, string>> = {}): Promise<string> {
  const asked = new AbortController();
  const place = { cwd, env, host: '127.0.0.1', timeScale: 1, freshRedis: false, adoptOrphans: true };
  const serving = serve({ ...place, asked: asked.signal });
  // If it does start, it ends at once, and the test fails.
  asked.abort();
  const error = await serving.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UsageError);
  return error instanceof UsageError ? error.message : '';
}

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
  expect(await refusal(dir)).toContain(`No agentsmith.yml in ${dir}: copy agentsmith.yml.example, or pass --config`);
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
  expect(await refusal(await openDir('projects:\n  api: [\n'))).toMatch(/agentsmith\.yml:\d+/);
});

test('a REDIS_URL that means nothing: exit 2, without its password', async () => {
  const dir = await openDir(oneProject(URL));
  const env = { REDIS_URL: 'redis+cluster://:hunter-2-secret@one,two/1', GITHUB_TOKEN: TOKEN };
  const said = await refusal(dir, env);
  expect(said).toContain('REDIS_URL: Redis Cluster has no numbered databases');
  expect(said).not.toContain('hunter-2-secret');
});

test('a wrong PORT or LOG_LEVEL: exit 2', async () => {
  const dir = await openDir(oneProject(URL));
  const said = await refusal(dir, { PORT: 'http', LOG_LEVEL: 'loud' });
  expect(said).toContain('PORT');
  expect(said).toContain('LOG_LEVEL');
});
