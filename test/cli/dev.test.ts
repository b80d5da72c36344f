/** `agent-smith dev`: a first try on one machine, with a Redis that ends with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { until } from '../support/until.ts';
import { oneProject, openDir, passedOn, runCli } from './run-cli.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

test('dev works a ticket off without any Redis to set up, and leaves nothing running', async () => {
  const hub = await startHub();
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN, 'dev', '--port', String(port)], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...passedOn(), GITHUB_TOKEN: TOKEN, REDIS_URL: 'redis://not.used:1' },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
  });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'), 40_000);
  const ready = await fetch(`http://127.0.0.1:${port}/health/ready`, { headers: { connection: 'close' } });
  expect(ready.status).toBe(200);
  // Its Redis is on a port of its own: without being told it, nobody can ask about a run.
  const REDIS_URL = /REDIS_URL=(\S+)/.exec(said)?.[1] ?? '';
  const asked = await runCli(['explain', 'api', ticket], { dir, env: { GITHUB_TOKEN: TOKEN, REDIS_URL } });
  expect(asked.stdout).toMatch(/^run: .*completed/m);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

test('dev without a configuration: exit 2 and how to get one', async () => {
  const { code, stderr } = await runCli(['dev'], { dir: await openDir() });
  expect(code).toBe(2);
  expect(stderr).toContain('copy agentsmith.yml.example');
});
