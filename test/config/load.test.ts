/** What a good configuration means. */
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { configFile } from '../../src/config/config-text.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatPath } from '../../src/config/problems.ts';
import { resolvePipeline } from '../../src/domain/pipeline-resolver.ts';
import { FOLDER, load, problemsOf, project } from './load-text.ts';

const REPO = 'https://github.com/org/repo';
const env = { GITHUB_TOKEN: 'a-github-token' };
const codes = (findings: readonly { code: string }[]): string[] => findings.map(({ code }) => code);

test.each([
  ['mapping', (labels: readonly string[]) => `{ ${labels.join(', ')} }`],
  ['list', (labels: readonly string[]) => `[${labels.map((label) => `{ ${label} }`).join(', ')}]`],
])('labels in a %s are tried in the order of the file, numbers among them', async (_form, write) => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.oneof(fc.nat(30).map(String), fc.stringMatching(/^[a-z]{1,3}$/)), { minLength: 1 }),
      async (labels) => {
        const written = write(labels.map((label, index) => `${label}: p${index}`));
        const { catalog } = await load(
          `projects:\n${project('a', REPO, `github_trigger: { pipeline_from_label: ${written} }`)}`,
          env,
        );
        const routing = catalog.projects[0]?.routing;
        expect([...(routing?.pipelineFromLabel.keys() ?? [])]).toEqual(labels);
        expect(routing && resolvePipeline(routing, labels.toReversed())).toEqual({ pipeline: 'p0', label: labels[0] });
      },
    ),
    { numRuns: 25 },
  );
});

test('projects keep the order of the file, numbers among them', async () => {
  const { catalog, connections } = await load(
    `projects:\n${project('b', `${REPO}-1`)}${project('10', `${REPO}-2`)}${project('2', `${REPO}-3`)}`,
    env,
  );
  expect(catalog.projects.map(({ name }) => name)).toEqual(['b', '10', '2']);
  expect([...connections.keys()]).toEqual(['b', '10', '2']);
});

test('a project is built with its defaults', async () => {
  const { catalog } = await load(`projects:\n${project('a', REPO, 'polling: { enabled: true }')}`, env);
  expect(catalog.projects[0]).toEqual({
    name: 'a',
    source: { platform: 'github', host: 'github.com', container: 'org/repo', apiUrl: 'https://api.github.com' },
    code: { type: 'GitHub', url: REPO },
    routing: { pipelineFromLabel: new Map() },
    polling: { intervalMs: 60_000, jitterPercent: 10 },
    triggers: new Set(['manual', 'reconcile', 'poll']),
  });
});

test('polling is off unless it is switched on', async () => {
  const { catalog, findings } = await load(`projects:\n${project('a', REPO, 'polling: { interval_seconds: 5 }')}`, env);
  expect(catalog.projects[0]?.polling).toBeUndefined();
  expect(codes(findings)).toContain('no-ingress');
});

test('everything that a project can say arrives', async () => {
  const text = `projects:
  a:
    source: { type: Mercurial, url: "https://code.example/a" }
    tickets: { type: gitHUB, url: "${REPO}", auth: { token: own-token } }
    pipeline: one
    github_trigger: { default_pipeline: two, pipeline_from_label: { go: three }, allowed_actors: [alice] }
    polling: { enabled: "\${ON}", interval_seconds: "\${EVERY:-1.5}", jitter_percent: 0 }
    max_parallel_jobs: 2
`;
  const { catalog, secrets } = await load(text, { ON: 'true' });
  expect(catalog.projects[0]).toMatchObject({
    code: { type: 'Mercurial', url: 'https://code.example/a' },
    routing: {
      pipelineFromLabel: new Map([['go', 'three']]),
      defaultPipeline: 'two',
      pipeline: 'one',
      allowedActors: ['alice'],
    },
    polling: { intervalMs: 1500, jitterPercent: 0 },
    maxParallelJobs: 2,
  });
  expect(secrets.credential('a')).toEqual({ ok: true, credential: { kind: 'token', token: 'own-token' } });
});

test('an empty pipeline_from_label says that only the pending label starts a run', async () => {
  const empty = `projects:\n${project('a', REPO, 'polling: { enabled: true }\ngithub_trigger:\n  pipeline_from_label:\n  #  fix: x')}`;
  const { findings } = await load(empty, env);
  expect(codes(findings)).toEqual(['pending-only', 'no-runner']);
});

test.each([
  ['github', 'https://github.com/o/r', 'a,b'],
  ['gitlab', 'https://gitlab.com/a/b', 'a,b'],
  ['gitlab', 'https://gitlab.com/a/b', 'None'],
  ['azuredevops', 'https://dev.azure.com/o/p', 'a;b'],
  ['azuredevops', 'https://dev.azure.com/o/p', '@me'],
  ['jira', 'https://jira.example/browse/ABC-1', 'two words'],
])('a trigger label that no ticket of %s could be found by is refused where it stands', async (slug, url, label) => {
  const text = `projects:
  p:
    tickets: { type: ${slug}, url: "${url}" }
    ${slug}_trigger: { pipeline_from_label: { fine: fix-bug, "${label}": fix-bug } }
`;
  const problems = await problemsOf(text);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^4:/);
  expect(problems[0]).toContain(formatPath(['projects', 'p', `${slug}_trigger`, 'pipeline_from_label', label]));
});

test('a missing token turns off that project alone', async () => {
  const text = `projects:\n${project('a', REPO)}  b: { tickets: { type: GitHub, url: "${REPO}-b", auth: { token: "\${MINE:-}" } } }\n`;
  const one = await load(text, { MINE: 'my-own-token' });
  expect(one.catalog.projects.map(({ disabled }) => disabled)).toEqual([
    'credential missing: GITHUB_TOKEN is not set',
    undefined,
  ]);
  const other = await load(text, env);
  expect(other.catalog.projects.map(({ disabled }) => disabled)).toEqual([
    undefined,
    'credential missing: auth.token is empty',
  ]);
});

test('Jira Cloud needs an email beside the token, Data Center does not', async () => {
  const text = `projects:
  cloud: { tickets: { type: Jira, url: "https://x.atlassian.net", project: A1 } }
  server: { tickets: { type: Jira, url: "https://jira.example", project: A1 } }
  own: { tickets: { type: Jira, url: "https://y.atlassian.net", project: A1, auth: { email: me@x, token: jira-token } } }
`;
  const { secrets } = await load(text, { JIRA_TOKEN: 'jira-token' });
  expect(secrets.credential('cloud')).toEqual({ ok: false, reason: 'JIRA_EMAIL is not set' });
  expect(secrets.credential('server')).toMatchObject({ ok: true, credential: { kind: 'token' } });
  expect(secrets.credential('own')).toMatchObject({ ok: true, credential: { kind: 'basic', email: 'me@x' } });
});

test('a GitHub App is understood; the path of its key starts at the configuration', async () => {
  const auth = 'auth: { app_id: 12, installation_id: "34", private_key_file: key.pem }';
  const { catalog, secrets } = await load(`projects: { a: { tickets: { type: GitHub, url: "${REPO}", ${auth} } } }`);
  expect(secrets.credential('a')).toEqual({
    ok: true,
    credential: { kind: 'app', appId: '12', installationId: '34', privateKeyFile: `${FOLDER}/key.pem` },
  });
  expect(catalog.projects[0]?.disabled).toBeUndefined();
});

test('projects with the same token share one credential name, which is not the token', async () => {
  const { connections } = await load(
    `projects:\n${project('a', REPO)}${project('b', `${REPO}-b`)}  c: { tickets: { type: GitHub, url: "${REPO}-c", auth: { token: other } } }\n`,
    env,
  );
  const [a, b, c] = [...connections.values()].map(({ credentialName }) => credentialName);
  expect(a).toBe(b);
  expect(a).not.toBe(c);
  expect(a).not.toContain(env.GITHUB_TOKEN);
});

test('webhook secrets: the own ones, else the one of webhooks.secret_env, else the variable of the platform', async () => {
  const text = (more: string) =>
    `projects:\n${project('own', REPO, 'webhook: { secrets: [new-secret, old-secret, ""] }')}${project('plain', `${REPO}-b`)}${more}`;
  const variables = { ...env, GITHUB_WEBHOOK_SECRET: 'platform-secret', HOOK: 'hook-secret' };
  const one = await load(text(''), variables);
  expect(one.secrets.webhookSecrets('own')).toEqual(['new-secret', 'old-secret']);
  expect(one.secrets.webhookSecrets('plain')).toEqual(['platform-secret']);
  const two = await load(text('webhooks: { listen_port: 9000, secret_env: HOOK }'), variables);
  expect(two.secrets.webhookSecrets('plain')).toEqual(['hook-secret']);
  const three = await load(text('webhooks: { listen_port: 9000, secret_env: NOTHING }'), variables);
  expect(three.secrets.webhookSecrets('plain')).toEqual([]);
  expect(codes(three.findings)).toContain('secret-missing');
});

const SIGNING_TOKEN = `whsec_${Buffer.alloc(32, 'x').toString('base64')}`;

test.each([
  ['GitHub', 'fifteen-letters', /^a webhook secret of a has less than 16 characters: it may be guessed$/],
  ['GitLab', 'fifteen-letters', /^a webhook secret of a has less than 16 characters/],
  [
    'GitLab',
    'whsec_not-base64-at-all',
    /^a webhook secret of a is a signing token .* no base64: no delivery can prove it$/,
  ],
  ['GitLab', SIGNING_TOKEN.slice(0, -20), /^a webhook secret of a is a signing token .* cut short/],
  ['GitHub', 'sixteen--letters', undefined],
  ['GitHub', 'whsec_not-base64-at-all', undefined],
  ['GitLab', SIGNING_TOKEN, undefined],
] as const)('on %s, a webhook secret that can be guessed or proven by nobody is a finding: %s', async (...row) => {
  const [type, secret, text] = row;
  const url = `https://${type.toLowerCase()}.com/org/repo`;
  const config = `projects:\n  a: { tickets: { type: ${type}, url: "${url}" }, webhook: { secret: "${secret}" } }`;
  const found = (await load(config, env)).findings.filter(({ code }) => code === 'webhook-secret');
  const expected = { severity: 'warning', project: 'a', text: text && expect.stringMatching(text) };
  expect(found).toMatchObject(text === undefined ? [] : [expected]);
  expect(JSON.stringify(found)).not.toContain(secret);
});

test('several webhook secrets with one problem are one finding', async () => {
  const text = `projects:\n${project('a', REPO, 'webhook: { secrets: [one, two] }')}`;
  expect(codes((await load(text, env)).findings).filter((code) => code === 'webhook-secret')).toHaveLength(1);
});

test('a config that is printed or serialised shows no secret, and the redactor gets them all', async () => {
  const text = `projects:
  a:
    tickets: { type: GitHub, url: "${REPO}", auth: { token: "\${MINE}" } }
    webhook: { secret: the-webhook-secret }
pipelines:
  p: { command: [x], env: { API_KEY: "\${KEY}", MODE: careful } }
`;
  const variables = {
    MINE: 'the-own-token',
    KEY: 'the-key-value',
    REDIS_URL: 'redis://me:p%40ssword@redis.example:6379',
    AGENTSMITH_API_TOKEN: 'the-api-token',
    GITHUB_TOKEN: 'the-github-token',
    PLAIN: 'nothing-special',
  };
  const config = await load(text, variables);
  const hidden = [
    'the-own-token',
    Buffer.from(':the-own-token').toString('base64'),
    'the-webhook-secret',
    'the-key-value',
    'p%40ssword',
    'p@ssword',
    'the-api-token',
    'the-github-token',
  ];
  const printed = JSON.stringify(config) + inspect(config, { depth: 20, showHidden: true });
  for (const secret of hidden) expect(printed).not.toContain(secret);
  expect(config.secrets.all().toSorted()).toEqual(hidden.toSorted());
  expect(config.secrets.redisUrl()).toBe(variables.REDIS_URL);
  expect(config.secrets.apiToken()).toBe('the-api-token');
});

test('an empty variable counts as unset', async () => {
  const { secrets, catalog } = await load(`projects:\n${project('a', REPO)}`, {
    REDIS_URL: '',
    AGENTSMITH_API_TOKEN: '',
    GITHUB_TOKEN: '',
    PORT: '',
  });
  expect(secrets.redisUrl()).toBeUndefined();
  expect(secrets.apiToken()).toBeUndefined();
  expect(catalog.projects[0]?.disabled).toContain('GITHUB_TOKEN');
});

test('settings have their defaults', async () => {
  const config = await load('projects: {}');
  expect(config).toMatchObject({
    agent: { maxParallelJobs: 4, consumeBlockSeconds: 5, shutdownGraceSeconds: 30 },
    redis: { namespace: 'agentsmith', durability: 'local' },
    server: { port: 8081 },
    maxRunsPerTicketPerDay: 5,
    engine: 'default',
  });
  expect(codes(config.findings)).toEqual(['no-projects']);
});

test('settings are read from the file and the environment', async () => {
  const text = `projects: {}
redis: { namespace: team-a, durability: replicated }
runs: { max_per_ticket_per_day: 2 }
webhooks: { listen_host: 0.0.0.0, listen_port: 9000, webhook_path: /hooks, public_url: "https://hooks.example" }
`;
  expect(await load(text, { PORT: '9090' })).toMatchObject({
    redis: { namespace: 'team-a', durability: 'replicated' },
    maxRunsPerTicketPerDay: 2,
    server: {
      port: 9090,
      webhookListener: { host: '0.0.0.0', port: 9000, path: '/hooks', publicUrl: 'https://hooks.example' },
    },
  });
});

test('wrong variables of the environment are problems', async () => {
  expect(await problemsOf('projects: {}', { PORT: '99999', LOG_LEVEL: 'loud' })).toEqual([
    'the environment variable PORT must be a port number, 0 to 65535',
    expect.stringContaining('LOG_LEVEL must be one of trace'),
  ]);
});

test('agent sections are merged: the old queue, then agent.queue, then those of the projects', async () => {
  const text = `queue: { max_parallel_jobs: 1, consume_block_seconds: 1, shutdown_grace_seconds: 1 }
agent: { queue: { max_parallel_jobs: 2, consume_block_seconds: 2 } }
projects:
${project('a', REPO, 'agent: { queue: { max_parallel_jobs: 3 } }')}`;
  const { agent, findings } = await load(text);
  expect(agent).toEqual({ maxParallelJobs: 3, consumeBlockSeconds: 2, shutdownGraceSeconds: 1 });
  expect(codes(findings)).toContain('queue-moved');
});

test('two projects that want different things of the one worker contradict each other', async () => {
  const text = (jobs: number) =>
    `projects:\n${project('a', REPO, 'agent: { queue: { max_parallel_jobs: 3 } }')}${project('b', `${REPO}-b`, `agent: { queue: { max_parallel_jobs: ${jobs} } }`)}`;
  await load(text(3));
  expect(await problemsOf(text(4))).toEqual([
    expect.stringContaining(
      'projects.b.agent.queue.max_parallel_jobs: contradicts projects.a.agent.queue.max_parallel_jobs',
    ),
  ]);
});

test('the hash is that of the content', async () => {
  const [one, same, other] = await Promise.all([load('projects: {}'), load('projects: {}'), load('projects: {} ')]);
  expect(one.catalog.hash).toBe(same.catalog.hash);
  expect(one.catalog.hash).not.toBe(other.catalog.hash);
});

test('a missing file says what to do', async () => {
  const file = configFile({ env: {}, cwd: '/no/such/folder' });
  expect(await loadConfig({ file, env: {} })).toEqual({
    ok: false,
    problems: [
      {
        path: [],
        message: 'No agentsmith.yml in /no/such/folder: copy agentsmith.yml.example, or pass --config',
      },
    ],
  });
});

test('the file is named by --config, else by AGENTSMITH_CONFIG, else it is agentsmith.yml here', () => {
  const named = { AGENTSMITH_CONFIG: 'conf/b.yml' };
  expect(configFile({ flag: '/a.yml', env: named, cwd: '/w' })).toBe('/a.yml');
  expect(configFile({ env: named, cwd: '/w' })).toBe('/w/conf/b.yml');
  expect(configFile({ env: { AGENTSMITH_CONFIG: '' }, cwd: '/w' })).toBe('/w/agentsmith.yml');
});
