/**
 * The engine is switched in the configuration while tickets come in (rows D6, E15, E16): real replicas with one slot each, the
 * same change told by delivery, by its double and by a listing. Believed are the emulated GitHub and the ledger of the commands.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { markFresh, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { openSite } from '../../support/replica.ts';
import { until } from '../../support/until.ts';
import { SECRET, webhookProject } from '../../webhooks/senders.ts';

const redis = useRedis();

test('engines switched while tickets come in: each ticket has one run, one set of label writes and one comment', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    work: 'sleep 0.1',
    yaml: 'event_engine: streaming\nreconcile_interval_seconds: 1\nagent: { queue: { max_parallel_jobs: 1 } }',
    projects: webhookProject(hub, '\n    polling: { enabled: true, interval_seconds: 1 }'),
  });
  const replicas = await Promise.all([1, 2].map(() => site.start({ timeScale: 0.3 })));
  await until('both are ready', async () =>
    (await Promise.all(replicas.map((r) => r.ready()))).every(({ code }) => code === 200),
  );
  for (const { port } of replicas)
    hub.addWebhook(REPOSITORY, { url: `http://127.0.0.1:${port}/webhook/github`, secret: SECRET });
  hub.webhooks.spoil('double');

  const tickets: string[] = [];
  const isDone = (ticket: string): boolean => hub.issue(ticket).labels.includes('agent-smith:done');
  /** As soon as one is done the next one is labelled, so that there is always one on its way. */
  const labelUntil = (what: string, isOver: () => boolean): Promise<boolean> =>
    until(what, () => {
      if (tickets.every(isDone)) tickets.push(hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket);
      return isOver();
    });
  const startedOf = (engine: string): number =>
    replicas.flatMap(({ logs }) =>
      logs.filter((line) => line.event === 'event_engine_started' && line.engine === engine),
    ).length;

  await labelUntil('it streams', () => startedOf('streaming') > 0 && tickets.length > 3);
  for (const engine of ['polling', 'streaming']) {
    const [before, started] = [tickets.length, startedOf(engine)];
    const text = await readFile(site.config, 'utf8');
    await writeFile(site.config, text.replace(/event_engine: \w+/, `event_engine: ${engine}`));
    await labelUntil(`it is switched to ${engine}`, () => startedOf(engine) > started);
    expect(tickets.length).toBeGreaterThan(before);
  }
  const last = tickets.length;
  await labelUntil('it goes on', () => tickets.length > last + 3);
  for (const ticket of tickets) await until(`${ticket} is done`, () => isDone(ticket));
  await until('each has its comment', () => tickets.every((ticket) => hub.issue(ticket).comments.length > 0));
  await hub.webhooks.settled();

  expect((await site.ledger()).filter(({ event }) => event === 'start')).toHaveLength(tickets.length);
  for (const ticket of tickets) {
    // Of a run that has ended by the time that its label is written, only the end is written.
    const written = hub.ledger.lifecycleHistory(ticket).filter((label, i) => label !== 'in-progress' || i !== 1);
    expect([ticket, written, hub.issue(ticket).comments.length]).toEqual([ticket, ['enqueued', 'done'], 1]);
  }
}, 60_000);
