/** `agent-smith emulate`: what it prints is all that a stranger's integration needs, and our own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Octokit } from '@octokit/rest';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { until } from '../support/until.ts';
import { openDir, passedOn, runCli } from './run-cli.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

const startInfo = z.object({
  control: z.url(),
  environment: z.record(z.string(), z.string()),
  config: z.object({ projects: z.record(z.string(), z.object({ webhook: z.object({ secret: z.string() }) })) }),
  platforms: z.array(
    z.object({
      platform: z.string(),
      api: z.url(),
      environment: z.record(z.string(), z.string()),
      samples: z.array(z.object({ ticket: z.string(), id: z.string() })).min(1),
    }),
  ),
});

const attempts = z.array(z.object({ status: z.number().nullable() }));

type Environment = Readonly<Record<string, string>>;

function start(args: readonly string[], cwd: string, env: Environment = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: { ...passedOn(), ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function startEmulators(cwd: string, ...args: string[]) {
  const child = start(['emulate', '--port', '0', '--json', ...args], cwd);
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, info: startInfo.parse(JSON.parse(line)) };
}

async function json(url: string, method = 'GET', body?: object): Promise<unknown> {
  const headers = { connection: 'close', 'content-type': 'application/json' };
  const answer = await fetch(url, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  expect(answer.ok).toBe(true);
  return await answer.json();
}

test('a client library works with what was printed, and the control API shows what it did', async () => {
  const { child, info } = await startEmulators(await openDir(), '--platform', 'github');
  expect(info.platforms.map(({ platform }) => platform)).toEqual(['github']);
  const [github] = info.platforms;
  const silent = (): void => undefined;
  const { rest } = new Octokit({
    baseUrl: github?.api ?? '',
    auth: info.environment['GITHUB_TOKEN'],
    log: { debug: silent, info: silent, warn: silent, error: silent },
  });
  const shop = { owner: 'acme', repo: 'shop' };
  const { data } = await rest.issues.listForRepo({ ...shop, labels: 'agent-smith' });
  expect(data.map(({ title }) => title)).toEqual(['Checkout button does nothing on Safari 17']);
  await rest.issues.addLabels({ ...shop, issue_number: 1, labels: ['seen'] });

  expect(await json(`${info.control}/github/tickets/1`)).toMatchObject({ labels: ['bug', 'agent-smith', 'seen'] });
  expect(await json(`${info.control}/github/ledger?kind=request`)).toMatchObject([
    { operation: 'issues/list-for-repo', status: 200, token: 'bot' },
    { operation: 'issues/add-labels', status: 200, token: 'bot' },
  ]);
  const limit = { match: { times: 1 }, fault: { kind: 'answer', status: 429, headers: { 'retry-after': '7' } } };
  await json(`${info.control}/github/faults`, 'POST', limit);
  await expect(rest.issues.get({ ...shop, issue_number: 1 })).rejects.toMatchObject({ status: 429 });

  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
});

test('our own server works off the sample of every platform and takes its webhooks, with the configuration that was written', {
  timeout: 40_000,
}, async () => {
  const dir = await openDir();
  const { info } = await startEmulators(dir, '--config-out', 'emulated.yml');
  const env = { ...info.environment, LOG_LEVEL: 'error' };
  const port = await freePort();
  start(['dev', '--port', String(port), '--config', path.join(dir, 'emulated.yml')], dir, env);
  for (const { platform, samples } of info.platforms) {
    await until(
      `the sample of ${platform} is done`,
      async () => {
        const ticket = await json(`${info.control}/${platform}/tickets/${samples[0]?.id}`);
        return z
          .object({ labels: z.array(z.string()) })
          .parse(ticket)
          .labels.includes('agent-smith:done');
      },
      30_000,
    );
  }
  expect(info.platforms.map(({ platform }) => platform)).toEqual(['github', 'gitlab', 'azuredevops', 'jira']);

  for (const { platform } of info.platforms) {
    const secret = info.config.projects[platform]?.webhook.secret;
    const control = `${info.control}/${platform}`;
    await json(`${control}/webhooks`, 'POST', { url: `http://127.0.0.1:${port}/webhook/${platform}`, secret });
    await json(`${control}/tickets`, 'POST', { labels: ['agent-smith'] });
    const isAccepted = async (): Promise<boolean> =>
      attempts.parse(await json(`${control}/webhooks/attempts`)).some(({ status }) => status === 202);
    await until(`the server has accepted a webhook of ${platform}`, isAccepted);
  }
});

test('a port that is taken: exit 2 and the port in words', async () => {
  const base = await freePort();
  const server = createServer().listen(base, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { code, stderr } = await runCli(['emulate', '--port', String(base)], { dir: await openDir() });
  expect(stderr).toContain(`address already in use 127.0.0.1:${base}; choose another --port`);
  expect(code).toBe(2);
});

test('an unknown platform, and a configuration that is there already: exit 2 and what to do', async () => {
  const dir = await openDir('projects: {}\n');
  const unknown = await runCli(['emulate', '--port', '0', '--platform', 'github,bugzilla'], { dir });
  expect(unknown).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('no emulator of bugzilla: there are github'),
  });
  const written = await runCli(['emulate', '--port', '0', '--config-out', 'agentsmith.yml'], { dir });
  expect(written).toMatchObject({ code: 2, stderr: expect.stringContaining('name another file') });
});
