/** A replica at work says on its own /metrics what the alerts look for: nothing while all is well, and each fault by name. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { load } from '../config/load-text.ts';
import { startApp } from '../support/app.ts';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { sendLabeled, webhookProject } from '../webhooks/senders.ts';
import { firing } from './firing.ts';
import { readScrape, type Scrape } from './promql/scrape.ts';

const redis = useRedis();

async function openReplica() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-alerts-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const hub = await startHub();
  const polling = '\n    polling: { enabled: true, interval_seconds: 1 }';
  const work = `while [ ! -e ${folder}/go ]; do sleep 0.05; done`;
  const yaml = `projects: ${webhookProject(hub, polling)}\npipelines: { fix-bug: { command: [sh, -c, '${work}'] } }`;
  const { app, port } = await startApp(await load(yaml, { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url }));
  const scrape = async (laterMs = 0): Promise<Scrape> => {
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { connection: 'close' } })).text();
    return readScrape(page, Date.now() + laterMs, { namespace: 'agents', job: 'agent-smith', pod: 'a' });
  };
  /** Waits until exactly these fire, on two scrapes one after the other. */
  const untilFiring = async (...alerts: readonly string[]): Promise<void> => {
    const wanted = new Set(alerts.map((name) => `AgentSmith${name}`));
    let before = await scrape();
    let seen: ReadonlySet<string> = new Set();
    await until(`${alerts.join(', ') || 'nothing'} fires`, async () => {
      const now = await scrape();
      seen = firing([before, now]);
      before = now;
      return seen.size === wanted.size && [...seen].every((alert) => wanted.has(alert));
    }).catch((error: unknown) => {
      throw new Error(`fires: ${[...seen].join(', ')}`, { cause: error });
    });
  };
  return { hub, app, port, scrape, untilFiring, go: () => writeFile(path.join(folder, 'go'), '') };
}

test('a replica that works raises no alert, and one that cannot poll is found out', async () => {
  const { hub, app, scrape, untilFiring, go } = await openReplica();
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await go();
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  await untilFiring();
  expect(firing([await scrape(), await scrape(600_000)])).toEqual(new Set(['AgentSmithPollsTooOld']));

  hub.faults.inject({ path: /\/issues/ }, { kind: 'answer', status: 401, body: { message: 'Bad credentials' } });
  await until('a poll has failed', () => app.health().projects[0]?.last_poll?.result === 'auth');
  await untilFiring('PollsFail');
  hub.faults.clear();
  await untilFiring();
});

test('labels that the platform refuses are told of until they are written', async () => {
  const { hub, app, untilFiring, go } = await openReplica();
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until('it is at work', () => hub.issue(ticket).labels.includes('agent-smith:in-progress'));
  await until('it is polled', () => app.health().projects[0]?.last_poll);
  await untilFiring();
  hub.faults.inject({ path: /\/labels/ }, { kind: 'answer', status: 403, body: { message: 'no' } });
  await go();
  await untilFiring('LabelsUnconfirmed');
  hub.faults.clear();
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  await untilFiring();
});

test('without Redis nobody is ready or leads, and deliveries that come then are told of', async () => {
  const { hub, app, port, scrape, untilFiring } = await openReplica();
  await until('it leads', () => app.health().roles.every(({ epoch }) => epoch !== undefined));
  await until('it is polled', () => app.health().projects[0]?.last_poll);
  await untilFiring();
  await redis.server.kill('SIGKILL');
  // Who followed nobody knows of no poll either.
  await untilFiring('NobodyReady', 'ReplicaNotReady', 'NoLeader', 'NotPolled');
  hub.openIssue(REPOSITORY);
  expect(await sendLabeled({ port }, hub, 1)).toMatchObject({ status: 503 });
  const before = await scrape();
  expect(await sendLabeled({ port }, hub, 1)).toMatchObject({ status: 503 });
  expect(firing([before, await scrape()])).toContain('AgentSmithDeliveriesNotKept');
  await redis.server.restart();
  await until('the loss is told of', async () => firing([await scrape()]).has('AgentSmithRedisLostData'));
});
