/**
 * Each platform's webhooks, all the way: an emulated tracker sends what happens to its tickets to a replica that lists
 * nothing but once, and the ticket ends done. Our own labels and comments come back as deliveries and start nothing.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../src/emulators/sites.ts';
import { startApp } from '../support/app.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const SECRET = 'a-secret-of-all-the-hooks';

/** All trackers, a replica that watches them by webhooks alone, and the hooks between them. */
async function openStreaming(): Promise<Site[]> {
  const sites = await openSites(EMULATED_PLATFORMS);
  onTestFinished(async () => {
    await Promise.all(sites.map((site) => site.close()));
  });
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-hooks-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'agentsmith.yml');
  const projects = Object.fromEntries(
    sites.map(({ platform, project: { tickets } }) => [
      platform,
      {
        tickets,
        [`${platform}_trigger`]: { pipeline_from_label: { 'agent-smith': 'fix-bug' } },
        webhook: { secret: SECRET },
      },
    ]),
  );
  await writeFile(
    file,
    stringify({ projects, event_engine: 'streaming', pipelines: { 'fix-bug': { command: ['true'] } } }),
  );
  const env = {
    PATH: process.env['PATH'],
    REDIS_URL: redis.url,
    ...Object.assign({}, ...sites.map(({ project }) => project.environment)),
  } as Record<string, string>;
  const loaded = await loadConfig({ file, env });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  const { app, port } = await startApp(loaded.config);
  // The listings at the start are over: from here on only deliveries bring tickets in.
  await until('each is listed once', () => app.health().projects.every(({ last_poll }) => last_poll !== undefined));
  for (const { platform, project } of sites) {
    project.addWebhook({ url: `http://127.0.0.1:${port}/webhook/${platform}`, secret: SECRET });
  }
  return sites;
}

test('a label on any tracker becomes a run by its webhook, and what we write ourselves starts nothing', async () => {
  const sites = await openStreaming();
  const tickets = sites.map(({ project }) => {
    const { ticket } = project.openTicket({ title: 'A ticket', labels: ['bug'] });
    project.addLabel(ticket, 'agent-smith');
    return { project, ticket };
  });
  for (const { project, ticket } of tickets) {
    await until(`${ticket} is done`, () => project.ticket(ticket).labels.includes('agent-smith:done'));
    await until(`${ticket} has its comment`, () => project.ticket(ticket).comments.length === 1);
    await project.webhooks.settled();
  }
  for (const { project, ticket } of tickets) {
    expect(project.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
    expect(project.ticket(ticket).labels.toSorted()).toEqual(['agent-smith', 'agent-smith:done', 'bug']);
    const answers = project.webhooks.attempts();
    expect(answers.length).toBeGreaterThanOrEqual(4);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 202]));
  }
  await until('nothing is left to look at', async () => (await redis.client.zcard('agentsmith:inbox-due')) === 0);
  expect((await redis.client.keys('agentsmith:run:*')).length).toBe(sites.length);
});

test('deliveries doubled, held back and turned round on every tracker: still one run each', async () => {
  const sites = await openStreaming();
  const tickets = sites.map(({ project }) => {
    const { ticket } = project.openTicket({ title: 'A ticket', labels: ['bug'] });
    project.webhooks.spoil('hold');
    project.addLabel(ticket, 'agent-smith');
    project.removeLabel(ticket, 'agent-smith');
    project.addLabel(ticket, 'agent-smith');
    project.webhooks.spoil('double');
    project.addLabel(ticket, 'later');
    project.webhooks.release();
    return { project, ticket };
  });
  for (const { project, ticket } of tickets) {
    await until(`${ticket} is done`, () => project.ticket(ticket).labels.includes('agent-smith:done'));
    project.webhooks.mend();
    await project.webhooks.settled();
    expect(project.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
  }
  expect((await redis.client.keys('agentsmith:run:*')).length).toBe(sites.length);
});
