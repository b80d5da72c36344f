/** One replica in this process: what a reload changes, and what it leaves alone. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createKnownProjects } from '../src/app/known-projects.ts';
import type { App } from '../src/app.ts';
import type { Config } from '../src/config/config.ts';
import { loadConfig } from '../src/config/load.ts';
import type { GitHubEmulator } from '../src/emulators/github/github-emulator.ts';
import { startApp } from './support/app.ts';
import { FAST, REPOSITORY, startHub, TOKEN } from './support/house.ts';
import { SERVICE_SECRET } from './support/http-service.ts';
import { useRedis } from './support/redis.ts';
import { until } from './support/until.ts';

const redis = useRedis();
const OTHER = 'org/other';

/** A folder in which configurations are written, with a command that waits for the file `go`, and then notes its name. */
async function openFolder(hub: GitHubEmulator) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-app-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'agentsmith.yml');
  const env = { PATH: process.env['PATH'], REDIS_URL: redis.url, GITHUB_TOKEN: TOKEN };
  const loadText = async (text: string): Promise<Config> => {
    await writeFile(file, text);
    const loaded = await loadConfig({ file, env });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    return loaded.config;
  };
  const load = async (projects: Readonly<Record<string, string>>, command = 'the command'): Promise<Config> => {
    const yaml = Object.entries(projects).map(
      ([name, repository]) => `
  ${name}:
    source: { type: GitHub, url: ${hub.pageUrl(repository)} }
    tickets: { type: GitHub, url: ${hub.pageUrl(repository)}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }`,
    );
    const work = `while [ ! -e ${dir}/go ]; do sleep 0.05; done; echo ${command} >> ${dir}/ran`;
    return await loadText(
      `projects:${yaml.join('')}\npipelines:\n  fix-bug: { command: [sh, -c, '${work}'] }\nagent: { queue: { max_parallel_jobs: 1 } }\n`,
    );
  };
  return {
    load,
    loadText,
    go: () => writeFile(path.join(dir, 'go'), ''),
    /** The commands that have run, in order. */
    ran: async () => (await readFile(path.join(dir, 'ran'), 'utf8')).trim().split('\n'),
  };
}

const epochOf = (app: App) => app.health().roles.find(({ role }) => role === 'poller')?.epoch;

test('a reload changes the polled projects without losing the lease, and the runs of a removed project still end', async () => {
  const hub = await startHub();
  const { load, go } = await openFolder(hub);
  const open = (repository: string) => hub.openIssue(repository, { labels: ['agent-smith'] }).ticket;
  const [running, queued] = [open(REPOSITORY), open(REPOSITORY)];
  const { app } = await startApp(await load({ api: REPOSITORY }));
  await until('one runs and one waits', () => hub.issue(running).labels.length + hub.issue(queued).labels.length === 4);
  const epoch = await until('it leads', () => epochOf(app));

  app.reload(await load({ other: OTHER }));
  const [late, next] = [open(REPOSITORY), open(OTHER)];
  await until('the new project is polled', () => hub.issue(next).labels.includes('agent-smith:enqueued'));
  expect(app.health().projects.map(({ name }) => name)).toEqual(['other']);
  expect(epochOf(app)).toBe(epoch);

  await go();
  for (const ticket of [running, queued, next]) {
    await until(`${ticket} is done`, () => hub.issue(ticket).labels.includes('agent-smith:done'));
  }
  expect(hub.issue(late).labels).toEqual(['agent-smith']);
  expect(epochOf(app)).toBe(epoch);
});

test('a run keeps the pipeline that its ticket was claimed for, however the file is changed before it starts', async () => {
  const hub = await startHub();
  const { load, go, ran } = await openFolder(hub);
  const open = (): string => hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const [first, second] = [open(), open()];
  const { app } = await startApp(await load({ api: REPOSITORY }, 'before'));
  await until('one runs and one waits', () => hub.issue(first).labels.length + hub.issue(second).labels.length === 4);

  app.reload(await load({ api: REPOSITORY }, 'after'));
  const third = open();
  await until('a later one waits too', () => hub.issue(third).labels.includes('agent-smith:enqueued'));
  await go();
  await until('all are done', () =>
    [first, second, third].every((t) => hub.issue(t).labels.includes('agent-smith:done')),
  );
  expect(await ran()).toEqual(['before', 'before', 'after']);
});

test('a project that moves to another source ends its old runs on the old one', async () => {
  const hub = await startHub();
  const { load, go } = await openFolder(hub);
  // The same number in both repositories: confusing them would be seen.
  const here = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const there = hub.openIssue(OTHER, { labels: ['bug'] }).ticket;
  const { app } = await startApp(await load({ api: REPOSITORY }));
  await until('it is at work', () => hub.issue(here).labels.includes('agent-smith:in-progress'));
  app.reload(await load({ api: OTHER }));
  await go();
  await until('it is done', () => hub.issue(here).labels.includes('agent-smith:done'));
  await until('the comment is there', () => hub.issue(here).comments.length === 1);
  expect(hub.issue(there).labels).toEqual(['bug']);
  expect(hub.ledger.labelChanges(there)).toHaveLength(1);
});

test('known projects: a removed one keeps its platform and takes nothing new, one that comes back is itself again', async () => {
  const hub = await startHub();
  const { load } = await openFolder(hub);
  const projects = createKnownProjects({ onRequest: () => {}, learnSecret: () => {} });
  expect(projects.update(await load({ api: REPOSITORY, other: OTHER }))).toEqual([]);
  const [api] = projects.current().projects;
  const platform = api === undefined ? undefined : projects.platformOf(api);
  expect(platform).toBeDefined();

  projects.update(await load({ other: OTHER }));
  expect(projects.current().projects.map(({ name }) => name)).toEqual(['other']);
  const [, removed] = projects.withRemoved().projects;
  expect(removed).toMatchObject({ name: 'api', triggers: new Set(['reconcile']) });
  expect(removed).not.toHaveProperty('polling');
  expect(removed === undefined ? undefined : projects.platformOf(removed)).toBe(platform);

  projects.update(await load({ api: REPOSITORY, other: OTHER }));
  expect(projects.withRemoved().projects).toEqual(projects.current().projects);
});

/** Ends a replica that takes no webhooks; how long somebody who calls it back still finds it there, in ms. */
async function msUntilGone(pipeline: object, lingerMs: number): Promise<number> {
  const { loadText } = await openFolder(await startHub());
  const config = await loadText(JSON.stringify({ projects: {}, pipelines: { fix: pipeline } }));
  const { app, port } = await startApp(config, { timing: { ...FAST, lingerMs } });
  const since = performance.now();
  const stopped = app.stop();
  const isGone = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/callback/run/1`, { method: 'POST', headers: { connection: 'close' } }).then(
      () => false,
      () => true,
    );
  await until('nobody is there', isGone);
  const ms = performance.now() - since;
  await stopped;
  return ms;
}

test('a replica that ends is there for results of services as long as for deliveries, and for nobody where nobody sends', async () => {
  const http = { url: 'http://service.example', secret: SERVICE_SECRET, callback_url: 'https://agent-smith.example' };
  expect(await msUntilGone({ http }, 500)).toBeGreaterThanOrEqual(499);
  expect(await msUntilGone({ command: ['true'] }, 600_000)).toBeLessThan(600_000);
});
