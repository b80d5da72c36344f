import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { validate } from '../../src/cli/validate.ts';

let cwd = '';
beforeEach(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), 'agentsmith-validate-'));
});
afterEach(() => rm(cwd, { recursive: true }));

const write = (text: string): Promise<void> => writeFile(path.join(cwd, 'agentsmith.yml'), text);

test('a good file shows how its tickets come in, what starts a run, and what is worth knowing', async () => {
  await write(`projects:
  my-api:
    tickets: { type: GitHub, url: https://github.com/org/my-api }
    github_trigger: { pipeline_from_label: { 2: two, 1: one } }
    polling: { enabled: true, interval_seconds: 30, jitter_percent: 5 }
    webhook: { secret: a-long-webhook-secret }
  desk:
    tickets: { type: Jira, url: https://x.atlassian.net, project: ABC }
    sync_policy: webhook_only
pipelines:
  one: { command: [sh] }
  two: { command: [sh] }
  fix-bug: { command: [sh] }
`);
  const report = await validate({ env: { GITHUB_TOKEN: 'a-token' }, cwd });
  expect(report.exitCode).toBe(0);
  expect(report.lines).toEqual([
    'agentsmith.yml is fine',
    '',
    'project  tickets                       listed           webhooks  starts a run         state',
    'my-api   github github.com/org/my-api  every 30 s +-5%  yes       2 -> two, 1 -> one   on',
    'desk     jira x.atlassian.net/ABC      no               no        agent-smith:pending  off: credential missing: JIRA_TOKEN is not set',
    '',
    '! credential-missing: desk is off: credential missing: JIRA_TOKEN is not set',
    '! no-ingress: desk is neither polled nor reached by webhooks: only people can start runs',
    '- pending-only: desk has no pipeline_from_label: only agent-smith:pending starts a run',
  ]);
  expect(report.json).toMatchObject({
    ok: true,
    ingress: [
      { project: 'my-api', webhooks: 'yes', state: 'on' },
      { project: 'desk', listed: 'no' },
    ],
    findings: [{ code: 'credential-missing', project: 'desk' }, { code: 'no-ingress' }, { code: 'pending-only' }],
  });
});

test.each([
  ['auto', 'a-long-webhook-secret', 'auto: every 600 s +-10%, else every 60 s +-10%', 'yes', []],
  ['auto', '', 'auto, without a webhook secret: every 60 s +-10%', 'no', []],
  ['streaming', 'a-long-webhook-secret', 'every 600 s +-10% (to be safe)', 'yes', []],
  ['streaming', '', 'every 600 s +-10% (to be safe)', 'no', ['no-webhook-secret']],
  ['polling', 'a-long-webhook-secret', 'no', 'no', ['no-ingress']],
])(
  'event_engine %s with webhook secret "%s": listed %s, webhooks %s',
  async (engine, secret, listed, webhooks, codes) => {
    await write(`event_engine: ${engine}
projects:
  api:
    tickets: { type: GitHub, url: https://github.com/org/api }
    github_trigger: { pipeline_from_label: { smith: fix-bug } }
pipelines: { fix-bug: { command: [sh] } }
`);
    const env = { GITHUB_TOKEN: 'a-token', GITHUB_WEBHOOK_SECRET: secret };
    const { json } = await validate({ env, cwd });
    expect(json).toMatchObject({ ingress: [{ listed, webhooks }], findings: codes.map((code) => ({ code })) });
  },
);

test('a bad file lists every problem with its line and exits 2', async () => {
  await write('projects:\n  a: { poling: {} }\nagnt: {}\n');
  const report = await validate({ env: {}, cwd });
  expect(report).toMatchObject({
    exitCode: 2,
    lines: [
      'agentsmith.yml:2:8: projects.a.poling: unknown key, did you mean "polling"?',
      'agentsmith.yml:3:1: agnt: unknown key, did you mean "agent"?',
      '',
      'agentsmith.yml cannot be used: 2 problems',
    ],
    json: { ok: false, problems: [{ path: 'projects.a.poling', line: 2, column: 8 }, { path: 'agnt' }] },
  });
});

test('broken YAML says where', async () => {
  await write('projects:\n  a: [1\n');
  const report = await validate({ env: {}, cwd });
  expect(report.exitCode).toBe(2);
  expect(report.lines[0]).toMatch(/^agentsmith\.yml:3:1: /);
});

test('a missing file says what to do and exits 2', async () => {
  const message = `No agentsmith.yml in ${cwd}: copy agentsmith.yml.example, or pass --config`;
  expect(await validate({ env: {}, cwd })).toMatchObject({ exitCode: 2, lines: [message] });
});

test('names from the file do not steer the terminal', async () => {
  await write('projects: {}\n"\\e[2Jx": 1\n');
  const report = await validate({ env: {}, cwd });
  expect(report.lines.join('\n')).not.toContain('\u001b');
  expect(report.lines[0]).toContain('[2Jx');
});
