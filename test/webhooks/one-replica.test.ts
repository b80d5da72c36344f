/** What a delivery makes one replica do, and what it does not (rows E9, E10 and S2). */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { createLog } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { load } from '../config/load-text.ts';
import { deliveryAbout } from '../ingress/deliveries/inbox-room.ts';
import { startApp } from '../support/app.ts';
import { FAST, openHouse, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { sendLabeled, webhookProject } from './senders.ts';

const redis = useRedis();
const HOURLY = '\n    polling: { enabled: true, interval_seconds: 3600 }';

const configOf = (hub: GitHubEmulator, more: string): Promise<Config> =>
  load(`projects: ${webhookProject(hub, more)}\npipelines: { fix-bug: { command: ['true'] } }`, {
    GITHUB_TOKEN: TOKEN,
    REDIS_URL: redis.url,
  });

test('a delivery wakes the work on its ticket at once, and nothing else: no listing, no other ticket', async () => {
  const hub = await startHub();
  // Whoever has to wait for a look into the inbox or for a poll waits too long here.
  const timing = { ...FAST, inboxScanMs: 60_000, deliveryWriteMs: 10_000 };
  const { app, port } = await startApp(await configOf(hub, HOURLY), { timing });
  await until('the poll at the start is over', () => app.health().projects[0]?.last_poll);
  for (let n = 0; n < 2; n += 1) hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const before = hub.ledger.requests().length;
  expect(await sendLabeled({ port }, hub, 1)).toMatchObject({ status: 202 });
  await until('it is done', () => hub.issue(`${REPOSITORY}#1`).labels.includes('agent-smith:done'));
  const asked = hub.ledger.requests().slice(before);
  expect(asked.filter(({ path }) => /\/issues\/1\b/.test(path)).length).toBeGreaterThan(3);
  expect(asked.filter(({ path }) => /\/issues\/2\b|[?&]labels=agent-smith(&|%3Apending|$)/.test(path))).toEqual([]);
  expect(hub.issue(`${REPOSITORY}#2`).labels).toEqual(['agent-smith']);
});

test('sync_policy poll_only: no delivery is taken, and one from before the policy is skipped, told of and counted', async () => {
  const hub = await startHub();
  const lines: Record<string, unknown>[] = [];
  const destination = new PassThrough();
  destination.on('data', (line: Buffer) => lines.push(JSON.parse(line.toString()) as Record<string, unknown>));
  const config = await configOf(hub, `\n    sync_policy: poll_only${HOURLY}`);
  const log = createLog({ level: 'debug', redactor: createRedactor(), destination });
  const { app, port } = await startApp(config, { log });
  await until('the poll at the start is over', () => app.health().projects[0]?.last_poll);
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  expect(await sendLabeled({ port }, hub, 1)).toMatchObject({ status: 404 });

  const house = await openHouse({ redisUrl: redis.url, hub });
  const delivery = deliveryAbout(house, 'd1', [1], { configHash: config.catalog.hash });
  await house.deliveries.accept(delivery);
  await until('it is settled', async () => (await house.deliveries.get(delivery.name))?.state === 'ignored');
  expect(await house.deliveries.get(delivery.name)).toMatchObject({ reason: 'rejected: trigger-not-allowed' });
  expect(lines.filter(({ msg }) => msg === 'claim')).toMatchObject([
    { level: 20, trigger: 'webhook', project: 'api', outcome: 'rejected: trigger-not-allowed' },
  ]);
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(page).toContain('agentsmith_sync_skipped_total{trigger="webhook",reason="policy"} 1\n');
  expect(hub.ledger.requests({ path: /\/issues\/1\b/ })).toEqual([]);
});
