import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Problem } from '../../src/config/problems.ts';
import { badReloadFinding, watchConfig } from '../../src/config/watch.ts';
import { project } from './load-text.ts';

type Seen = { kind: 'change'; config: Config } | { kind: 'bad'; problems: readonly Problem[] };

let folder = '';
let stop = new AbortController();
let watching: Promise<void> = Promise.resolve();

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'agentsmith-watch-'));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await watching;
  await rm(folder, { recursive: true });
});

/** In one step, as careful editors do: half a file is another content. */
async function write(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

const good = (name: string, more = ''): string => `projects:\n${project(name, 'https://github.com/o/r')}${more}`;

/** Starts watching; the function returned waits for the next thing that is reported. */
async function watch(file: string): Promise<() => Promise<Seen>> {
  const loaded = await loadConfig({ file, env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const reported: Seen[] = [];
  let wake = (): void => {};
  const report = (seen: Seen): void => {
    reported.push(seen);
    wake();
  };
  watching = watchConfig({
    file,
    env: {},
    started: loaded.config,
    intervalMs: 5,
    signal: stop.signal,
    onChange: (config) => report({ kind: 'change', config }),
    onBad: (problems) => report({ kind: 'bad', problems }),
    onError: (error) => expect.unreachable(String(error)),
  });
  return async () => {
    for (;;) {
      const next = reported.shift();
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}

const projectsOf = (seen: Seen): string[] =>
  seen.kind === 'change' ? seen.config.catalog.projects.map(({ name }) => name) : [`bad: ${seen.problems[0]?.message}`];

test('a changed file is loaded; a bad one is reported once and leaves the last good one in force', async () => {
  const file = path.join(folder, 'agentsmith.yml');
  await write(file, good('one'));
  const next = await watch(file);
  await write(file, good('two'));
  expect(projectsOf(await next())).toEqual(['two']);
  await write(file, 'projcts: {}');
  const bad = await next();
  expect(bad).toMatchObject({
    kind: 'bad',
    problems: [{ message: 'is missing' }, { message: 'unknown key, did you mean "projects"?' }],
  });
  // Had the same bad content been reported on each pass, the next report would not be this one.
  await write(file, good('three'));
  expect(projectsOf(await next())).toEqual(['three']);
});

test('the old content after a bad one is a change again, so that the finding goes away', async () => {
  const file = path.join(folder, 'agentsmith.yml');
  await write(file, good('one'));
  const next = await watch(file);
  await rm(file);
  expect(projectsOf(await next())).toEqual([expect.stringContaining('bad: No agentsmith.yml in')]);
  await write(file, good('one'));
  expect(projectsOf(await next())).toEqual(['one']);
});

test('a folder that is swapped behind a symbolic link is noticed, as Kubernetes swaps a ConfigMap', async () => {
  for (const name of ['one', 'two']) {
    await mkdir(path.join(folder, name));
    await writeFile(path.join(folder, name, 'agentsmith.yml'), good(name));
  }
  await symlink('one', path.join(folder, 'data'));
  const next = await watch(path.join(folder, 'data', 'agentsmith.yml'));
  await symlink('two', path.join(folder, 'data-new'));
  await rename(path.join(folder, 'data-new'), path.join(folder, 'data'));
  expect(projectsOf(await next())).toEqual(['two']);
});

test('a script that appears gives its pipeline a runner without a change of the file', async () => {
  const file = path.join(folder, 'agentsmith.yml');
  await write(file, good('one'));
  const next = await watch(file);
  await mkdir(path.join(folder, 'pipelines'));
  await writeFile(path.join(folder, 'pipelines/fix-bug.sh'), '#!/bin/sh\n', { mode: 0o755 });
  const seen = await next();
  expect(seen.kind === 'change' && [...seen.config.catalog.pipelines.keys()]).toEqual(['fix-bug']);
});

test('what is opened once at the start says that it needs a restart', async () => {
  const file = path.join(folder, 'agentsmith.yml');
  await write(file, good('one'));
  const next = await watch(file);
  await write(file, good('one', 'webhooks: { listen_port: 9000 }\nredis: { namespace: other }\n'));
  const seen = await next();
  const findings = seen.kind === 'change' ? seen.config.findings : [];
  expect(findings.filter(({ code }) => code === 'needs-restart').map(({ text }) => text)).toEqual([
    expect.stringContaining('listener'),
    expect.stringContaining('redis'),
  ]);
});

test('a bad reload is a finding for /health', () => {
  expect(badReloadFinding([{ path: [], message: 'x' }])).toMatchObject({
    code: 'config-bad-reload',
    severity: 'warning',
  });
});
