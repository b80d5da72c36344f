import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { buildConfig } from '../../src/config/load.ts';
import { openPipeline } from '../../src/config/pipelines.ts';
import { FOLDER, load, project } from './load-text.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'agentsmith-config-'));
  await mkdir(path.join(folder, 'pipelines'));
});
afterEach(() => rm(folder, { recursive: true }));

const env = { GITHUB_TOKEN: 'a-github-token' };
const map = (labels: string): string =>
  `projects:\n${project('a', 'https://github.com/o/r', `polling: { enabled: true }\ngithub_trigger: { default_pipeline: ready, pipeline_from_label: { ${labels} } }`)}`;

async function loadHere(text: string): Promise<Config> {
  const loaded = await buildConfig({ file: path.join(folder, 'agentsmith.yml'), env, text });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function policyOf(config: Config, name: string): string {
  const pipeline = config.catalog.pipelines.get(name);
  if (pipeline === undefined) throw new Error(`no pipeline ${name}`);
  return pipeline.policy;
}

test('a policy keeps references instead of values, and opens with the environment and the folder of today', async () => {
  const text = `projects: {}
pipelines:
  p:
    command: [./bin/run, --fast, "\${WHERE:-here}"]
    env: { API_KEY: "\${KEY}", LITERAL: "$\${KEY}" }
    pass_env: [GITHUB_TOKEN]
    cwd: work
    timeout_seconds: 7
    max_attempts: 2
    max_parallel_jobs: 3
`;
  const config = await load(text, { KEY: 'first-secret' });
  const pipeline = config.catalog.pipelines.get('p');
  expect(pipeline).toMatchObject({ name: 'p', timeoutMs: 7000, maxAttempts: 2, maxParallelJobs: 3 });
  expect(pipeline?.policy).not.toContain('first-secret');
  expect(config.openPipeline(policyOf(config, 'p'))).toEqual({
    ok: true,
    spec: {
      timeoutMs: 7000,
      maxAttempts: 2,
      work: {
        runner: 'command',
        program: `${FOLDER}/bin/run`,
        args: ['--fast', 'here'],
        cwd: `${FOLDER}/work`,
        env: { API_KEY: 'first-secret', LITERAL: '${KEY}' },
        passEnv: ['GITHUB_TOKEN'],
      },
    },
  });
  const tomorrow = openPipeline(policyOf(config, 'p'), { KEY: 'second-secret' }, '/elsewhere');
  expect(tomorrow).toMatchObject({
    spec: { work: { program: '/elsewhere/bin/run', env: { API_KEY: 'second-secret' } } },
  });
});

test('a bare name is left for the PATH, and the rest has its defaults', async () => {
  const config = await load('projects: {}\npipelines: { p: { command: [make] } }');
  expect(config.openPipeline(policyOf(config, 'p'))).toEqual({
    ok: true,
    spec: {
      timeoutMs: 1_800_000,
      maxAttempts: 3,
      work: { runner: 'command', program: 'make', args: [], env: {}, passEnv: [] },
    },
  });
});

test.each([
  ['no JSON', '{', 'cannot be read'],
  [
    'a variable that is gone',
    '{"command":["x"],"env":{"A":"${GONE}"}}',
    'env.A: the environment variable GONE is not set',
  ],
  [
    'a key that this version does not know',
    '{"command":["x"],"comand":1}',
    'comand: unknown key, did you mean "command"?',
  ],
  ['a runner that is not there', '{"kubernetes_job":{"image":"x"}}', 'the runner kubernetes_job is not in this build'],
  [
    'a service that nobody could prove a request to',
    '{"http":{"url":"https://runner.example"}}',
    'http.secret: must have either secret or secrets: each request is signed',
  ],
])('a policy with %s is refused in words', (_name, policy, expected) => {
  const opened = openPipeline(policy, {}, FOLDER);
  expect(opened).toEqual({ ok: false, problem: expect.stringContaining(expected) });
});

test('a pipeline without an entry runs the executable beside the file', async () => {
  await writeFile(path.join(folder, 'pipelines/ready'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(path.join(folder, 'pipelines/scripted.sh'), '#!/bin/sh\n', { mode: 0o755 });
  const config = await loadHere(map('go: scripted'));
  expect(config.findings).toEqual([]);
  expect(config.openPipeline(policyOf(config, 'ready'))).toMatchObject({
    spec: { work: { program: path.join(folder, 'pipelines/ready') } },
  });
  expect(config.openPipeline(policyOf(config, 'scripted'))).toMatchObject({
    spec: { work: { program: path.join(folder, 'pipelines/scripted.sh') } },
  });
});

test('a pipeline without entry and executable has no runner, and a near name is suggested', async () => {
  await writeFile(path.join(folder, 'pipelines/ready'), 'not executable', { mode: 0o644 });
  await mkdir(path.join(folder, 'pipelines/folder'));
  const config = await loadHere(`${map('go: fix-bgu, dir: folder')}pipelines: { fix-bug: { command: [x] } }\n`);
  expect([...config.catalog.pipelines.keys()]).toEqual(['fix-bug']);
  expect(config.findings.map(({ code, text }) => `${code} ${text}`)).toEqual([
    expect.stringMatching(/^no-runner pipeline fix-bgu .* did you mean "fix-bug"\?$/),
    expect.stringMatching(/^no-runner pipeline folder /),
    expect.stringMatching(/^no-runner pipeline ready /),
  ]);
});

test('a project that names no pipeline at all asks for fix-bug', async () => {
  const { scripts } = await loadHere(`projects:\n${project('a', 'https://github.com/o/r')}`);
  expect([...scripts.keys()]).toEqual(['fix-bug']);
});

test('runners that are not in this build leave their pipelines without a runner', async () => {
  const config = await load(`projects: {}
pipelines:
  k: { kubernetes_job: { image: "example/agent:1", namespace: agents, env_from_secret: [keys], resources: { limits: { cpu: "2" } } } }
`);
  expect(config.catalog.pipelines.size).toBe(0);
  expect(config.findings.filter(({ code }) => code === 'runner-missing').map(({ text }) => text)).toEqual([
    'pipeline k: the runner kubernetes_job is not in this build',
  ]);
});

test('a command that is no executable file and a secret in plain text are worth a warning', async () => {
  const { findings } = await loadHere(
    `projects: {}\npipelines: { p: { command: [./gone.sh], env: { MY_TOKEN: written-here, MODE: x } } }`,
  );
  expect(findings.map(({ code }) => code)).toEqual(['no-projects', 'program-missing', 'plain-secret']);
});
