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
  ['no runner', '{"timeout_seconds":5}', 'names no runner'],
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

test('a Job: what is said of it in the words of the runner, and what is not in its defaults', async () => {
  const config = await load(
    `projects: {}
pipelines:
  plain: { kubernetes_job: { image: "example/agent:1" } }
  full:
    kubernetes_job:
      image: "example/agent:\${TAG}"
      namespace: agents
      service_account: agent
      command: [/run]
      args: [--fast]
      env_from_secret: [keys]
      env_from_secret_key: { API_KEY: { secret: models, key: api-key } }
      resources: { limits: { cpu: "2" } }
      node_selector: { pool: agents }
      tolerations: [{ key: agents, operator: Exists, toleration_seconds: 60 }]
      labels: { team: payments }
      annotations: { note: x }
      image_pull_policy: Always
      image_pull_secrets: [registry]
      run_as_user: 1000
      run_as_group: 1001
      run_as_non_root: true
      ttl_seconds_after_finished: 600
    cwd: /src
    env: { KEY: "\${SECRET_KEY}" }
    pass_env: [GITHUB_TOKEN]
`,
    { TAG: '2', SECRET_KEY: 'a-valuable-key' },
  );
  expect(config.findings.map(({ code }) => code)).toEqual(['no-projects']);
  expect(config.openPipeline(policyOf(config, 'plain'))).toMatchObject({
    ok: true,
    spec: {
      work: {
        runner: 'kubernetes_job',
        image: 'example/agent:1',
        env: {},
        passEnv: [],
        envFromSecret: [],
        envFromSecretKey: {},
        nodeSelector: {},
        tolerations: [],
        runAsNonRoot: false,
        ttlSecondsAfterFinished: 86_400,
      },
    },
  });
  expect(policyOf(config, 'full')).not.toContain('a-valuable-key');
  expect(config.openPipeline(policyOf(config, 'full'))).toEqual({
    ok: true,
    spec: {
      timeoutMs: 1_800_000,
      maxAttempts: 3,
      work: {
        runner: 'kubernetes_job',
        image: 'example/agent:2',
        namespace: 'agents',
        serviceAccount: 'agent',
        command: ['/run'],
        args: ['--fast'],
        cwd: '/src',
        env: { KEY: 'a-valuable-key' },
        passEnv: ['GITHUB_TOKEN'],
        envFromSecret: ['keys'],
        envFromSecretKey: { API_KEY: { secret: 'models', key: 'api-key' } },
        resources: { limits: { cpu: '2' } },
        nodeSelector: { pool: 'agents' },
        tolerations: [{ key: 'agents', operator: 'Exists', tolerationSeconds: 60 }],
        labels: { team: 'payments' },
        annotations: { note: 'x' },
        imagePullPolicy: 'Always',
        imagePullSecrets: ['registry'],
        runAsUser: 1000,
        runAsGroup: 1001,
        runAsNonRoot: true,
        ttlSecondsAfterFinished: 600,
      },
    },
  });
});

test.each([
  ['labels: { agent-smith/run: x }', 'must not begin with agent-smith/'],
  ['env_from_secret_key: { AGENTSMITH_FENCE: { secret: s, key: k } }', 'must not begin with AGENTSMITH_'],
  ['ttl_seconds_after_finished: 10', 'must be at least 600'],
])('of a Job %s is refused', async (line, expected) => {
  const text = `projects: {}\npipelines: { p: { kubernetes_job: { image: x, ${line} } } }`;
  const loaded = await buildConfig({ file: path.join(folder, 'agentsmith.yml'), env, text });
  expect(loaded.ok ? [] : loaded.problems.map(({ message }) => message).join()).toMatch(new RegExp(expected, 'i'));
});

test('a command that is no executable file and a secret in plain text are worth a warning', async () => {
  const { findings } = await loadHere(
    `projects: {}\npipelines: { p: { command: [./gone.sh], env: { MY_TOKEN: written-here, MODE: x } } }`,
  );
  expect(findings.map(({ code }) => code)).toEqual(['no-projects', 'program-missing', 'plain-secret']);
});
