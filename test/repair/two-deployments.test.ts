/**
 * Two deployments, each with its own Redis, on one repository: what nobody should do, and what must not go on for ever
 * (PROTOCOL 10).
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { App } from '../../src/app.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { startApp } from '../support/app.ts';
import { FAST, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { startTestRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

/** Each polls for a trigger label of its own, and has one slot. Commands wait for the file `go`, and note their ticket. */
async function openDeployments(hub: GitHubEmulator, labels: readonly string[]) {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-two-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const work = `while [ ! -e ${dir}/go ]; do sleep 0.05; done; echo "$AGENTSMITH_TICKET_ID" >> ${dir}/ran`;
  let adopting = false;
  const timing = {
    ...FAST,
    staleScanMs: 100,
    secondReadMs: 20,
    foreignLabelsMs: 120_000,
    get platformPassMs() {
      return adopting ? 100 : 600_000;
    },
  };
  const apps: App[] = [];
  for (const label of labels) {
    const server = await startTestRedis();
    onTestFinished(() => server.stop());
    const file = path.join(dir, `${label}.yml`);
    await writeFile(
      file,
      `projects:
  api:
    source: { type: GitHub, url: ${hub.pageUrl(REPOSITORY)} }
    tickets: { type: GitHub, url: ${hub.pageUrl(REPOSITORY)}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { ${label}: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }
pipelines:
  fix-bug: { command: [sh, -c, '${work}'] }
agent: { queue: { max_parallel_jobs: 1 } }
`,
    );
    const env = { PATH: process.env['PATH'], REDIS_URL: server.url, GITHUB_TOKEN: TOKEN };
    const loaded = await loadConfig({ file, env });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    apps.push((await startApp(loaded.config, { instance: `pod-of-${label}`, timing })).app);
  }
  return {
    apps,
    adopt: () => {
      adopting = true;
    },
    go: () => writeFile(path.join(dir, 'go'), ''),
    /** Numbers of the tickets, as the commands of both wrote them. */
    ran: async () =>
      (await readFile(path.join(dir, 'ran'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
}

const isStopped = (app: App): boolean => app.health().findings.some(({ code }) => code === 'second-deployment');

test('two deployments fight over one repository: both see it and stop adopting, and nothing is run over and over', async () => {
  const hub = await startHub();
  const passes = (): number => hub.ledger.requests({ path: /issues\?.*in-progress/ }).length;
  const { apps, adopt, go, ran } = await openDeployments(hub, ['ours', 'theirs']);
  // At the start of its term each looks for orphans: it would take the other one's first ticket for one.
  await until('both lead', () => passes() === 2, 45_000);
  const tickets = ['ours', 'theirs'].map((label) => hub.openIssue(REPOSITORY, { labels: [label] }).ticket);
  const shows = (ticket: string, lifecycle: string): boolean =>
    hub.issue(ticket).labels.includes(`agent-smith:${lifecycle}`);
  // Whatever goes wrong here: commands that wait for ever would be waited for.
  onTestFinished(go);
  await until('each runs its own', () => tickets.every((ticket) => shows(ticket, 'in-progress')), 45_000);

  // From here on each takes the other one's ticket for an orphan, and has no slot for it: labels go back and forth.
  adopt();
  await until('both are told', () => apps.every(isStopped), 30_000);
  const strange = hub.openIssue(REPOSITORY, { labels: ['ours', 'agent-smith:in-progress'] }).ticket;
  const before = passes();
  await until('both have looked at it several times', () => passes() > before + 8, 30_000);
  expect(hub.issue(strange).labels).toEqual(['ours', 'agent-smith:in-progress']);

  await go();
  await until('each has run both', async () => (await ran()).length === 4, 30_000);
  await until('both tickets are done', () => tickets.every((ticket) => shows(ticket, 'done')), 30_000);
  const after = passes();
  await until('labels have come to rest', () => passes() > after + 4, 30_000);
  const histories = tickets.map((ticket) => hub.ledger.lifecycleHistory(ticket).length);
  const later = passes();
  await until('both have looked several times', () => passes() > later + 8, 30_000);
  expect(tickets.map((ticket) => hub.ledger.lifecycleHistory(ticket).length)).toEqual(histories);
  expect((await ran()).toSorted()).toEqual(['1', '1', '2', '2']);
  expect(tickets.map((ticket) => shows(ticket, 'done'))).toEqual([true, true]);
}, 120_000);
