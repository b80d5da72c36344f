/** The house stands as DESIGN draws it: floors, doors, registry. Each rule is first shown to catch what breaks it. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import {
  defaultExports,
  deliverySide,
  doorViolations,
  floorViolations,
  importsOf,
  providerNames,
  registryViolations,
  type Sources,
  waysFromDeliveriesToPlatforms,
} from './support/architecture.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const HOUSE: Sources = new Map(
  globSync('src/**/*.ts', { cwd: ROOT }).map((file) => [
    file.split(path.sep).join('/'),
    readFileSync(path.join(ROOT, file), 'utf8'),
  ]),
);

function files(sources: Record<string, string>): Sources {
  return new Map(Object.entries(sources));
}

describe('the check itself', () => {
  test('sees the house: many files, and more than one import in each on average', () => {
    const imports = importsOf(HOUSE);
    expect(HOUSE.size).toBeGreaterThan(30);
    expect(imports.length).toBeGreaterThan(Math.max(60, HOUSE.size));
    expect(imports.filter(({ to }) => to.startsWith('src/')).length).toBeGreaterThan(30);
  });

  test('every import of our own leads to a file that is there', () => {
    const lost = importsOf(HOUSE).filter(({ to }) => to.startsWith('src/') && to.endsWith('.ts') && !HOUSE.has(to));
    expect(lost).toEqual([]);
  });

  test('sees every form of import, and none in comments and texts', () => {
    const text = `
      import type { A } from './a.ts'; import './b.ts'; export * from './c.ts'; export { d } from '../d/d.ts';
      type E = import('./e.ts').E; const f = await import('bullmq');
      // import './no.ts'
      const text = "import './no.ts'";`;
    expect(importsOf(files({ 'src/x/x.ts': text })).map(({ to }) => to)).toEqual([
      'src/x/a.ts',
      'src/x/b.ts',
      'src/x/c.ts',
      'src/d/d.ts',
      'src/x/e.ts',
      'bullmq',
    ]);
    expect(() => importsOf(files({ 'src/x/x.ts': 'await import(name);' }))).toThrow('computed');
  });
});

describe('floors', () => {
  test('no file imports from above, from a neighbour, or from a room without a floor', () => {
    expect(floorViolations(HOUSE)).toEqual([]);
  });

  test.each([
    ['src/domain/a.ts', '../claims/b.ts'],
    ['src/foundation/a.ts', '../domain/b.ts'],
    ['src/ingress/a.ts', '../worker/b.ts'],
    ['src/claims/a.ts', '../labels/b.ts'],
    ['src/platforms/a.ts', '../redis/b.ts'],
    ['src/config/a.ts', '../server/b.ts'],
    ['src/server/a.ts', '../app.ts'],
    ['src/app.ts', './cli/main.ts'],
    ['src/claims/a.ts', '../attic/b.ts'],
    ['src/attic/a.ts', '../domain/b.ts'],
    ['src/app.ts', './emulators/a.ts'],
    ['src/cli/server.ts', '../emulators/a.ts'],
    ['src/emulators/a.ts', '../domain/b.ts'],
  ])('%s may not import %s', (from, to) => {
    expect(floorViolations(files({ [from]: `import type { B } from '${to}';` }))).toHaveLength(1);
  });

  test.each([
    ['src/domain/a.ts', '../foundation/b.ts'],
    ['src/config/a.ts', '../platforms/b.ts'],
    ['src/worker/a.ts', '../claims/b.ts'],
    ['src/cli/a.ts', '../app.ts'],
    ['src/claims/a.ts', './b.ts'],
    ['src/emulators/github/a.ts', '../../foundation/b.ts'],
    ['src/cli/demo/board.ts', '../../emulators/a.ts'],
    ['src/cli/emulate.ts', '../emulators/a.ts'],
  ])('%s may import %s', (from, to) => {
    expect(floorViolations(files({ [from]: `import { b } from '${to}';` }))).toEqual([]);
  });
});

describe('doors', () => {
  test('packages, the environment and the world outside src are reached through their door only', () => {
    expect(doorViolations(HOUSE)).toEqual([]);
  });

  test.each([
    ['src/worker/a.ts', "import { Queue } from 'bullmq';"],
    ['src/redis/a.ts', "import { Queue } from 'bullmq';"],
    ['src/claims/a.ts', "import type { Redis } from 'ioredis';"],
    ['src/app.ts', "import fastify from 'fastify';"],
    ['src/app.ts', "import { KubeConfig } from '@kubernetes/client-node';"],
    ['src/worker/a.ts', "import { trace } from '@opentelemetry/api';"],
    ['src/claims/a.ts', "import { Octokit } from '@octokit/rest';"],
    ['src/redis/a.ts', 'const url = process.env.REDIS_URL;'],
    ['src/redis/a.ts', "const url = process['env'].REDIS_URL;"],
    ['src/redis/a.ts', "import { env } from 'node:process';"],
    ['src/redis/a.ts', "import { useRedis } from '../../test/support/redis.ts';"],
  ])('%s may not hold %s', (file, text) => {
    expect(doorViolations(files({ [file]: text }))).toHaveLength(1);
  });

  test('the metrics library is imported in one file', () => {
    const text = "import { Counter } from 'prom-client';";
    expect(doorViolations(files({ 'src/server/a.ts': text }))).toEqual([]);
    expect(doorViolations(files({ 'src/server/a.ts': text, 'src/server/b.ts': text }))).toHaveLength(1);
  });

  test('the client of Kubernetes is loaded by whoever needs it, never with the house', () => {
    const imports = importsOf(HOUSE).filter(({ to, isType }) => to === '@kubernetes/client-node' && !isType);
    expect(imports.map(({ from }) => from)).toEqual(['src/worker/runners/kubernetes/client-cluster.ts']);
    expect(HOUSE.get(imports[0]?.from ?? '')).toContain("await import('@kubernetes/client-node')");
  });

  test('OpenTelemetry is in one file, and that is loaded where traces are on, never with the house', () => {
    const users = importsOf(HOUSE).filter(({ to }) => to.startsWith('@opentelemetry/'));
    expect([...new Set(users.map(({ from }) => from))]).toEqual(['src/tracing/otlp-trace.ts']);
    const loaders = importsOf(HOUSE).filter(({ to, isType }) => to === 'src/tracing/otlp-trace.ts' && !isType);
    expect(loaders.map(({ from }) => from)).toEqual(['src/app/traces.ts']);
    expect(HOUSE.get('src/app/traces.ts')).toContain("await import('../tracing/otlp-trace.ts')");
  });

  test('doors open for those they are made for', () => {
    const allowed = files({
      'src/queue/a.ts': "import { Queue } from 'bullmq'; import { Redis } from 'ioredis';",
      'src/emulators/a.ts': "import { fastify } from 'fastify';",
      'src/platforms/github/a.ts': "import { Octokit } from '@octokit/rest';",
      'src/cli/a.ts': 'const { PORT } = process.env;',
    });
    expect(doorViolations(allowed)).toEqual([]);
  });
});

describe('deliveries', () => {
  test('what takes them in can ask no platform, and starts nothing: it keeps them', () => {
    expect(deliverySide(HOUSE).length).toBeGreaterThan(12);
    expect(waysFromDeliveriesToPlatforms(HOUSE)).toEqual([]);
  });

  test.each([
    ['src/ingress/deliveries/delivery-receiver.ts', '../../claims/ticket-claim-service.ts'],
    ['src/ingress/deliveries/route-delivery.ts', '../../platforms/github/adapter.ts'],
    ['src/ingress/deliveries/webhook-doors.ts', '../../queue/run-queue.ts'],
    ['src/platforms/webhook.ts', './transport.ts'],
    ['src/platforms/jira/webhook.ts', './client.ts'],
    ['src/platforms/github/webhook-message.ts', '@octokit/rest'],
    ['src/platforms/azuredevops/webhook.ts', 'azure-devops-node-api/WebApi.js'],
    ['src/server/webhook-routes.ts', '../labels/label-writer.ts'],
  ])('%s has no use for %s, but for its types', (from, to) => {
    expect(waysFromDeliveriesToPlatforms(files({ [from]: `import { b } from '${to}';` }))).toHaveLength(1);
    expect(waysFromDeliveriesToPlatforms(files({ [from]: `import type { B } from '${to}';` }))).toEqual([]);
  });

  test('a way over other files is one, too', () => {
    const sources = files({
      'src/ingress/deliveries/delivery-receiver.ts': "import { a } from './a.ts';",
      'src/ingress/deliveries/a.ts': "export { b } from '../../domain/b.ts';",
      'src/domain/b.ts': "import { c } from '../platforms/gitlab/client.ts';",
    });
    expect(waysFromDeliveriesToPlatforms(sources)).toHaveLength(1);
  });
});

describe('platforms', () => {
  test('the registry lists the folders of src/platforms, all of them and no other', () => {
    expect(registryViolations(HOUSE)).toEqual([]);
  });

  test('a folder that is not registered, and a registered one that is not there, are found', () => {
    const registry = (text: string): Record<string, string> => ({ 'src/platforms/registry.ts': text });
    expect(registryViolations(files({ ...registry(''), 'src/platforms/gitlab/descriptor.ts': '' }))).toHaveLength(1);
    expect(registryViolations(files(registry("import { gitlab } from './gitlab/descriptor.ts';")))).toHaveLength(1);
  });

  test('nothing above platforms names a provider', () => {
    expect(providerNames(HOUSE)).toEqual([]);
  });

  test.each([
    ["const slug = 'github';"],
    ['const gitlabUrl = 1;'],
    ['const key = { azuredevops_trigger: 1 };'],
    ['const text = `see ${host} or Jira`;'],
  ])('%s names one', (text) => {
    expect(providerNames(files({ 'src/claims/a.ts': text }))).toHaveLength(1);
    expect(providerNames(files({ 'src/platforms/a.ts': text, 'src/cli/demo/demo.ts': text }))).toEqual([]);
  });

  test('a comment may name one', () => {
    expect(providerNames(files({ 'src/claims/a.ts': '// as GitHub does\nconst a = 1;' }))).toEqual([]);
  });
});

describe('names', () => {
  test('there are no default exports', () => {
    expect(defaultExports(HOUSE)).toEqual([]);
    expect(defaultExports(files({ 'src/a.ts': 'export default 1;' }))).toHaveLength(1);
    expect(defaultExports(files({ 'src/a.ts': 'const a = 1; export { a as default };' }))).toHaveLength(1);
  });
});
