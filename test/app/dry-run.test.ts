/** A dry run when its configuration changes, in this process. The process as a whole is in test/cli/dry-run.test.ts. */
import { expect, onTestFinished, test } from 'vitest';
import { createDryRun } from '../../src/app/inquiry/dry-run.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { oneProject, openDir } from '../cli/run-cli.ts';
import { FAST, REPOSITORY, silentLog, startHub, TOKEN } from '../support/house.ts';
import { until } from '../support/until.ts';

async function configOf(yaml: string): Promise<Config> {
  const loaded = await loadConfig({ file: `${await openDir(yaml)}/agentsmith.yml`, env: { GITHUB_TOKEN: TOKEN } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

/** Runs until the test is over. */
async function openDryRun(yaml: string) {
  const app = createDryRun({
    config: await configOf(yaml),
    instance: 'dry',
    version: '0',
    timing: FAST,
    host: '127.0.0.1',
    port: 0,
    hostEnv: {},
    freshRedis: false,
    adoptOrphans: true,
    log: silentLog,
    redactor: createRedactor(),
  });
  onTestFinished(() => app.stop());
  return { app, port: await app.start() };
}

test('a new configuration is polled from then on, and the old one no more', async () => {
  const hub = await startHub();
  const yaml = oneProject(hub.pageUrl(REPOSITORY));
  const { app, port } = await openDryRun(yaml);
  const lastPoll = () => app.health().projects.find(({ name }) => name === 'api')?.last_poll;
  hub.openIssue(REPOSITORY, { labels: ['other'] });
  await until('the first poll', () => lastPoll()?.discovered === 0);

  app.reload(await configOf(yaml.replace('{ agent-smith: fix-bug }', '{ other: fix-bug }')));
  expect(lastPoll()).toBeUndefined();
  await until('a poll by the new configuration', () => lastPoll()?.skipped['would-claim'] === 1);
  const after = hub.ledger.requests().length;
  await until('it polls on', () => hub.ledger.requests().length > after);
  expect(
    hub.ledger
      .requests()
      .slice(after)
      .filter(({ path }) => path.includes('labels=agent-smith&')),
  ).toEqual([]);

  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })).text();
  expect(metrics).toMatch(/agentsmith_claims_total\{platform="github",outcome="would-claim",trigger="poll"\} 1/);
  expect(metrics).toMatch(/agentsmith_polls_total\{platform="github",result="ok"\} [2-9]/);
});

test('it keeps the pace of a real replica: an outage puts no poll off', async () => {
  const hub = await startHub();
  hub.faults.inject({ path: /issues/ }, { kind: 'answer', status: 503 });
  const { app } = await openDryRun(oneProject(hub.pageUrl(REPOSITORY)));
  const project = () => app.health().projects.find(({ name }) => name === 'api');
  await until('a poll has failed', () => project()?.last_poll?.result === 'unavailable');
  expect(project()?.effective_interval_seconds).toBe(1);
});
