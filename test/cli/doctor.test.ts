/** `agent-smith doctor` as people run it, against an emulated GitHub and a real Redis. */
import { expect, test } from 'vitest';
import type { DoctorCheck } from '../../src/app/doctor/check.ts';
import { doctor, doctorLines } from '../../src/cli/doctor.ts';
import { UsageError } from '../../src/cli/process.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { oneProject, openDir, runCli } from './run-cli.ts';

const redis = useRedis({ settings: ['maxmemory-policy noeviction'], appendOnly: true });

const CLASSIC = 'ghp_a-classic-token';

async function open() {
  const hub = await startHub();
  hub.tokens.add('classic', { token: CLASSIC, login: 'smith-bot', scopes: ['repo'] });
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  return { hub, dir, env: { GITHUB_TOKEN: CLASSIC, REDIS_URL: redis.url } };
}

test('all is well: exit 0, a line for each check and a summary; nothing was written anywhere', async () => {
  const { hub, dir, env } = await open();
  const answer = await runCli(['doctor'], { dir, env });
  expect(answer).toMatchObject({ code: 0, stderr: '' });
  expect(answer.stdout).toMatch(/^ok +config +loads +1 project$/m);
  expect(answer.stdout).toMatch(/^ok +redis +reachable +Redis \d/m);
  expect(answer.stdout).toMatch(/^ok +redis +settings +maxmemory-policy noeviction, appendonly yes$/m);
  expect(answer.stdout).toMatch(/^ok +redis +rights /m);
  expect(answer.stdout).toMatch(/^ok +api +sign-in +as smith-bot$/m);
  expect(answer.stdout).toMatch(/^ok +api +write-labels +the token has the scopes repo$/m);
  expect(answer.stdout).toMatch(/^ok +github~\S+ +api-budget +\d+ of \d+ left/m);
  expect(answer.stdout).toMatch(/\ndoctor: (\d+) checks, \1 ok$/);
  expect(hub.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);
  expect(await redis.client.dbsize()).toBe(0);
});

test('no Redis, and a platform that is away: exit 1, both named, each with what to do, and no secret', async () => {
  const dir = await openDir(oneProject(`http://127.0.0.1:${await freePort()}/org/api`));
  const env = { GITHUB_TOKEN: CLASSIC, REDIS_URL: `redis://:hunter-2-secret@127.0.0.1:${await freePort()}` };
  const answer = await runCli(['doctor'], { dir, env });
  expect(answer.code).toBe(1);
  expect(answer.stdout).toMatch(/^PROBLEM +redis +reachable +cannot be reached: .*ECONNREFUSED/m);
  expect(answer.stdout).toMatch(/^PROBLEM +api +reachable +check access of org\/api: GET .* broke off/m);
  expect(answer.stdout).toMatch(/-> The host does not take the connection/);
  expect(answer.stdout).toMatch(/\ndoctor: \d+ checks, \d+ ok, 2 problems$/);
  expect(answer.stdout + answer.stderr).not.toContain('hunter-2-secret');
});

test('--write-test proves the right to label on one ticket, and leaves it as it was; JSON on demand', async () => {
  const { hub, dir, env } = await open();
  const { number, ticket } = hub.openIssue(REPOSITORY, { labels: ['bug'] });
  hub.faults.inject({ path: /\/user$/ }, { kind: 'answer', status: 401, body: { message: `Bad ${CLASSIC}` } });
  const answer = await runCli(['doctor', '--write-test', `#${number}`, '--project', 'api', '--json'], { dir, env });
  expect(answer.code).toBe(1);
  const report = JSON.parse(answer.stdout) as { ok: boolean; checks: readonly DoctorCheck[] };
  expect(report.ok).toBe(false);
  expect(report.checks.find(({ check }) => check === 'write-test')).toMatchObject({ state: 'ok' });
  expect(report.checks.find(({ check }) => check === 'sign-in')).toMatchObject({
    state: 'problem',
    text: expect.stringContaining('Bad [redacted]'),
    advice: expect.any(String),
  });
  expect(hub.issue(ticket)).toMatchObject({ labels: ['bug'], comments: [] });
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['failed']);
  expect(await redis.client.dbsize()).toBe(0);
});

test('mistakes of the user: exit 2, a sentence and no report', async () => {
  const { dir: cwd, env } = await open();
  const answer = await runCli(['doctor', '--write-test', '1'], { dir: cwd, env });
  expect(answer).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('belong together') });
  const wrong = async (more: object): Promise<string> => {
    const error = await doctor({ cwd, env, json: false, ...more }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    return String(error);
  };
  expect(await wrong({ ticket: 'seven', project: 'api' })).toContain('seven is no ticket');
  expect(await wrong({ ticket: '7', project: 'apj' })).toContain('no project apj');
  expect(await wrong({ cwd: await openDir('projects: 7') })).toContain('projects');
});

test('lines cannot steer a terminal', () => {
  const checks: DoctorCheck[] = [
    { subject: 'config', check: 'loads', state: 'ok', text: 'a\u001b[2Jb' },
    { subject: 'redis', check: 'rights', state: 'unknown', text: 'x', advice: 'Do this.' },
  ];
  expect(doctorLines(checks, Number.POSITIVE_INFINITY)).toEqual([
    expect.stringContaining('a [2Jb'),
    expect.stringMatching(/^\? +redis/),
    '         -> Do this.',
  ]);
});
