/**
 * examples/pull-request: from a ticket to a pull request, on a real git repository and an emulated GitHub. Where git, curl or
 * jq are not installed there is nothing to test.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseRunResult } from '../../src/domain/run-result.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';

const SCRIPT = fileURLToPath(new URL('../../examples/pull-request/pull-request.sh', import.meta.url));
const TOKEN = 'ghp_of-the-example';
const RUN = '01K4A8Y5S0ZQ3E9M7T2V6B1CDF';
const BRANCH = `agent-smith/7-${RUN}`;
const TICKET = {
  id: '7',
  title: 'It breaks',
  body: 'Every time.',
  url: 'https://github.com/org/api/issues/7',
  run: RUN,
};
/** An agent that writes what it was told into a file, and counts its calls. */
const AGENT = 'jq -r .title >title.txt; echo called >>"$CALLS"';

const run = promisify(execFile);
const isMissing = ['git', 'curl', 'jq'].some((tool) => spawnSync(tool, ['--version']).error !== undefined);

interface Ended {
  readonly code: number;
  readonly output: string;
  /** What the result file holds, as the runner reads it. */
  readonly result: unknown;
}

interface Bench {
  readonly hub: GitHubEmulator;
  readonly dir: string;
  readonly calls: () => number;
  git(...args: string[]): Promise<string>;
  branches(): readonly string[];
  pullRequests(): ReturnType<GitHubEmulator['issues']>;
  work(agent?: string, ticket?: object, env?: Readonly<Record<string, string>>): Promise<Ended>;
}

async function openBench(): Promise<Bench> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'example-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const bare = path.join(dir, 'api.git');
  const home = { PATH: process.env['PATH'] ?? '', HOME: dir, TMPDIR: dir, GIT_CONFIG_NOSYSTEM: '1' };
  const git = async (...args: string[]): Promise<string> => {
    const who = ['-c', 'user.name=Alice', '-c', 'user.email=alice@example.com'];
    return (await run('git', [...who, ...args], { cwd: dir, env: home })).stdout.trim();
  };
  await git('init', '--quiet', '--bare', '--initial-branch=main', bare);
  await git('clone', '--quiet', bare, 'first');
  writeFileSync(path.join(dir, 'first', 'README.md'), 'An API.\n');
  await git('-C', 'first', 'add', '.');
  await git('-C', 'first', 'commit', '--quiet', '-m', 'First');
  await git('-C', 'first', 'push', '--quiet', 'origin', 'HEAD:main');

  const branches = (): string[] => {
    const { stdout } = spawnSync('git', ['--git-dir', bare, 'for-each-ref', '--format=%(refname:short)', 'refs/heads']);
    return stdout.toString().trim().split('\n');
  };
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot' } },
    repositories: ['org/api'],
    branches,
  });
  await hub.start();
  onTestFinished(() => hub.close());
  const calls = path.join(dir, 'calls');

  return {
    hub,
    dir,
    calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').length - 1 : 0),
    git,
    branches,
    pullRequests: () => hub.issues('org/api').filter(({ isPullRequest }) => isPullRequest),
    async work(agent = AGENT, ticket = {}, env = {}) {
      const resultFile = path.join(dir, 'result.json');
      rmSync(resultFile, { force: true });
      const input = JSON.stringify({ ...TICKET, source: { type: 'GitHub', url: hub.pageUrl('org/api') }, ...ticket });
      const own = { GITHUB_TOKEN: TOKEN, GITHUB_API_URL: hub.url, GIT_URL: bare, AGENTSMITH_RESULT_FILE: resultFile };
      const started = run(SCRIPT, ['sh', '-c', agent], { cwd: dir, env: { ...home, ...own, CALLS: calls, ...env } });
      // A script that does not read its input has its own reasons.
      started.child.stdin?.on('error', () => undefined).end(input);
      const { code, stdout, stderr } = await started.then(
        (printed) => ({ code: 0, ...printed }),
        (error: { code: number; stdout: string; stderr: string }) => error,
      );
      const told = existsSync(resultFile) ? parseRunResult(readFileSync(resultFile, 'utf8')) : undefined;
      return { code, output: `${stdout}${stderr}`, result: told?.ok === true ? told.result : told };
    },
  };
}

describe.skipIf(isMissing)('the pull request example', () => {
  test('what the agent leaves behind becomes one commit on a branch, and a pull request; the result links it', async () => {
    const bench = await openBench();
    const ended = await bench.work(
      'git config user.email a@b; git config user.name A; echo fix >fix.txt; git add .; git commit -qm x; echo more >more.txt',
    );
    expect(ended).toMatchObject({ code: 0, output: expect.stringContaining('waits for review') });
    expect(bench.branches()).toEqual([BRANCH, 'main']);
    const [pull] = bench.pullRequests();
    expect(pull).toMatchObject({ title: 'Ticket 7: It breaks', branches: { head: BRANCH, base: 'main' }, open: true });
    expect(pull?.body).toContain(TICKET.url);
    expect(ended.result).toEqual({
      summary: 'A pull request waits for review.',
      links: [{ title: 'Pull request', url: pull?.url }],
    });
    const show = (...args: string[]) => bench.git('--git-dir', 'api.git', ...args);
    expect(await show('rev-list', '--count', `main..${BRANCH}`)).toBe('1');
    expect(await show('diff', '--name-only', 'main', BRANCH)).toBe('fix.txt\nmore.txt');
    expect(await show('log', '-1', '--format=%an %s', BRANCH)).toBe('Agent Smith Work on ticket 7');
  });

  test('run once more it changes nothing and tells the same, without a second call of the agent', async () => {
    const bench = await openBench();
    const first = await bench.work();
    const second = await bench.work();
    expect(second).toEqual(first);
    expect([bench.calls(), bench.branches(), bench.pullRequests().length]).toEqual([1, [BRANCH, 'main'], 1]);
    // Merged or closed by a person meanwhile: it is still the one of this run.
    bench.hub.closeIssue('org/api#1');
    expect(await bench.work()).toEqual(first);
    expect(bench.pullRequests()).toHaveLength(1);
  });

  test.for(['cut', 'apply-then-cut'] as const)(
    'a crash after the push (%s): the next attempt goes on with the pull request',
    async (kind) => {
      const bench = await openBench();
      bench.hub.faults.inject({ method: 'POST', path: /\/pulls$/, times: 1 }, { kind });
      expect(await bench.work()).not.toMatchObject({ code: 0 });
      expect(bench.branches()).toEqual([BRANCH, 'main']);
      expect(await bench.work()).toMatchObject({ code: 0, result: { links: [{ title: 'Pull request' }] } });
      expect([bench.calls(), bench.pullRequests().length]).toEqual([1, 1]);
    },
  );

  test('two attempts that open the request at the same time: the one that is refused links the other’s', async () => {
    const bench = await openBench();
    await bench.work();
    // As if the other had not been there yet.
    bench.hub.faults.inject({ method: 'GET', path: /\/pulls$/, times: 1 }, { kind: 'answer', status: 200, body: [] });
    expect(await bench.work()).toMatchObject({ code: 0, result: { links: [{ url: bench.pullRequests()[0]?.url }] } });
    expect(bench.pullRequests()).toHaveLength(1);
  });

  test('what a ticket says is never evaluated, and mentions and closes nothing', async () => {
    const bench = await openBench();
    const touch = `touch ${path.join(bench.dir, 'PWNED')}`;
    const title = `$(${touch}) \`${touch}\` "; ${touch}; ' -e @alice closes #3 https://x.org/o/r/issues/4 \n\u0000 \\`;
    const ended = await bench.work(AGENT, { title, body: title });
    expect(ended).toMatchObject({ code: 0 });
    expect(existsSync(path.join(bench.dir, 'PWNED'))).toBe(false);
    expect(bench.branches()).toEqual([BRANCH, 'main']);
    const [pull] = bench.pullRequests();
    expect(pull?.title).toMatch(/^Ticket 7: \$\(touch /);
    expect(`${pull?.title}`).not.toMatch(/[@#/`\n]/);
    expect(pull?.body).not.toContain('alice');
  });

  test.for([{ id: '7; touch PWNED' }, { id: '--upload-pack=x' }, { run: '../../main' }, { run: undefined }])(
    'what cannot be part of a branch is refused: %o',
    async (wrong) => {
      const bench = await openBench();
      expect(await bench.work(AGENT, wrong)).toMatchObject({ code: 1, result: undefined });
      expect([bench.branches(), bench.calls()]).toEqual([['main'], 0]);
    },
  );

  test('the agent gets no token, and nothing that it plants in its clone runs when we push', async () => {
    const bench = await openBench();
    const planted = path.join(bench.dir, 'planted');
    const plant = `printf '#!/bin/sh\\ntouch "${planted}"\\n' >.git/hooks/pre-push; chmod +x .git/hooks/pre-push; git config core.fsmonitor 'touch ${planted}'`;
    const ended = await bench.work(`env; ${plant}; echo fix >fix.txt`);
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.output).toContain('CALLS=');
    expect(ended.output).not.toContain(TOKEN);
    expect(ended.output).not.toContain('GIT_CONFIG_VALUE_0');
    expect(existsSync(planted)).toBe(false);
  });

  test('an agent that changes nothing is done; one that fails makes the run fail, with its exit code', async () => {
    const bench = await openBench();
    expect(await bench.work('true')).toMatchObject({
      code: 0,
      result: { summary: 'Nothing had to be changed.', links: [] },
    });
    expect(await bench.work('echo half >half.txt; exit 3')).toMatchObject({ code: 3, result: undefined });
    expect([bench.branches(), bench.pullRequests()]).toEqual([['main'], []]);
  });

  test('as a Job it reads the ticket from a file', async () => {
    const bench = await openBench();
    const file = path.join(bench.dir, 'ticket.json');
    writeFileSync(file, JSON.stringify({ ...TICKET, source: { url: bench.hub.pageUrl('org/api') } }));
    expect(await bench.work(AGENT, {}, { AGENTSMITH_TICKET_FILE: file })).toMatchObject({ code: 0 });
    expect(bench.pullRequests()).toHaveLength(1);
  });
});
