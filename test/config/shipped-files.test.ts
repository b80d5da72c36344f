/** The files that people start from: the example, its JSON Schema, and the configurations of the original document. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { load } from './load-text.ts';
import { FULL, MINIMAL } from './seed-blocks.ts';

const root = new URL('../../', import.meta.url);
const example = readFileSync(new URL('agentsmith.yml.example', root), 'utf8');
const accepts = new Ajv2020({ strict: false }).compile(configJsonSchema());

test('the example loads with an empty environment, and says which variable it wants', async () => {
  const config = await load(example);
  expect(config.catalog.projects.map(({ name, disabled }) => ({ name, disabled }))).toEqual([
    { name: 'my-api', disabled: 'credential missing: GITHUB_TOKEN is not set' },
  ]);
  expect(config.findings.map(({ code }) => code)).toEqual(['credential-missing']);
});

test('with a token the example has nothing left to say', async () => {
  const config = await load(example, { GITHUB_TOKEN: 'a-token' });
  expect(config.catalog.projects[0]?.disabled).toBeUndefined();
  expect(config.findings).toEqual([]);
});

test('what the example has commented out loads, too', async () => {
  const lines = example.split('\n');
  const uncommented = lines.map((line) => {
    const setting =
      /^(\s*)# ((?:my-|by-service|tickets|\s+(?:tickets|type|url|open_states|http|secret|headers|result|callback_url|allow_addresses|\w+_trigger|polling)|webhook|sync_policy|max_|env|pass_env|runs|redis|event_engine|reconcile|default_sync|webhooks|telemetry)[\w-]*:.*)$/.exec(
        line,
      );
    return setting === null ? line : `${setting[1]}${setting[2]}`;
  });
  const config = await load(uncommented.join('\n'), {
    MY_SECRET: 'hidden-1',
    MY_API_KEY: 'hidden-2',
    RUNNER_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
    RUNNER_TOKEN: 'hidden-3',
  });
  expect(config.catalog.pipelines.has('by-service')).toBe(true);
  expect(config.catalog.projects.map(({ source }) => source.platform)).toEqual([
    'github',
    'gitlab',
    'azuredevops',
    'jira',
  ]);
  expect(config.engine).toBe('auto');
  const { engine, polling } = config.catalog.projects[0] ?? {};
  expect({ engine, polling }).toEqual({
    engine: { mode: 'auto', reconcile: { intervalMs: 600_000, jitterPercent: 10 } },
    polling: { intervalMs: 60_000, jitterPercent: 10 },
  });
});

test('the example says what an event engine is, what webhooks need, and what auto falls back to', () => {
  for (const word of ['event_engine', 'reconcile_interval_seconds', 'sync_policy', 'listen_port', 'secret_env'])
    expect(example).toContain(word);
  for (const word of ['proxy', 'tunnel', 'fallen back']) expect(example).toContain(word);
});

test('the JSON Schema on disk is the one that the code generates', () => {
  const onDisk: unknown = JSON.parse(readFileSync(new URL('schema/agentsmith.schema.json', root), 'utf8'));
  expect(onDisk).toEqual(JSON.parse(JSON.stringify(configJsonSchema())));
});

test.each([
  ['the example', example],
  ['the minimal configuration', MINIMAL],
  ['the full configuration', FULL],
  ['a number from a variable', 'projects: {}\nagent: { queue: { max_parallel_jobs: "${JOBS:-4}" } }'],
])('an editor with the JSON Schema accepts %s', (_name, text) => {
  accepts(parse(text));
  expect(accepts.errors).toBeNull();
});

test.each([
  ['an unknown key', 'projects: { a: { poling: {} } }'],
  ['an unknown platform', 'projects: { a: { tickets: { type: Bugzilla, url: x } } }'],
  ['two runners at once', 'projects: {}\npipelines: { a: { command: [x], http: { url: y } } }'],
  ['jitter above 50', 'projects: { a: { polling: { jitter_percent: 51 } } }'],
])('an editor with the JSON Schema marks %s', (_name, text) => {
  expect(accepts(parse(text))).toBe(false);
});

test('the minimal configuration of the original document loads unchanged', async () => {
  const { catalog } = await load(MINIMAL, { GITHUB_TOKEN: 'a-token' });
  expect(catalog.projects).toMatchObject([
    {
      name: 'my-api',
      code: { type: 'GitHub', url: 'https://github.com/org/my-api' },
      source: { platform: 'github', host: 'github.com', container: 'org/my-api', apiUrl: 'https://api.github.com' },
      routing: { pipeline: 'fix-bug' },
      polling: { intervalMs: 60_000, jitterPercent: 10 },
    },
  ]);
});

test('the full configuration of the original document loads unchanged: without tickets its project is off', async () => {
  const config = await load(FULL);
  expect(config.agent).toEqual({ maxParallelJobs: 4, consumeBlockSeconds: 5, shutdownGraceSeconds: 30 });
  expect(config.catalog.projects).toEqual([]);
  expect(config.findings).toMatchObject([{ code: 'no-tickets', project: 'my-api' }]);
});

test('with tickets the full configuration keeps its labels in order', async () => {
  const tickets = 'tickets: { type: GitHub, url: https://github.com/org/my-api }';
  const { catalog } = await load(FULL.replace('# ... source, tickets, agent ...', tickets), {
    GITHUB_TOKEN: 'a-token',
  });
  const [project] = catalog.projects;
  expect([...(project?.routing.pipelineFromLabel ?? [])]).toEqual([
    ['agent-smith', 'fix-bug'],
    ['security-review', 'security-scan'],
  ]);
  expect(project?.polling).toEqual({ intervalMs: 30_000, jitterPercent: 15 });
});

const seeds = new URL('../shared/seeds/', root);

test.runIf(existsSync(seeds))('the copies here are what the original document says', () => {
  const name = readdirSync(seeds).find((file) => file.startsWith('004')) ?? '';
  const document = readFileSync(new URL(name, seeds), 'utf8');
  expect(document).toContain(MINIMAL);
  expect(document).toContain(FULL);
});
