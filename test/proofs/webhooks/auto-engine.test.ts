/**
 * A bad night of `event_engine: auto`, shortened (rows E10 to E12 and E15 to E17): no delivery arrives, the road is mended,
 * the leader is killed. Real replicas; believed are the emulated GitHub, the ledger of the commands and what operators can see.
 */
import { expect, test } from 'vitest';
import { markFresh, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { openSite, type Replica } from '../../support/replica.ts';
import { until } from '../../support/until.ts';
import { SECRET, webhookProject } from '../../webhooks/senders.ts';

const redis = useRedis();
const OTHER = 'org/other';
const EVENTS = [
  'event_engine_started',
  'event_engine_fallback',
  'event_engine_recovered',
  'reconcile_tick',
  'webhook_received',
  'webhook_rejected_signature',
  'webhook_duplicate_delivery',
  'event_hints_enqueued',
  'event_hints_drained',
];

const scrape = async ({ port }: Replica): Promise<string> =>
  await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();

/** Of all replicas together. */
const valueOf = (series: string, pages: readonly string[]): number =>
  pages
    .flatMap((page) => page.split('\n'))
    .filter((line) => line.startsWith(series))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);

test('no delivery arrives, the road is mended, the leader is killed: each ticket is done, once', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const url = hub.pageUrl(OTHER);
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    yaml: 'event_engine: auto\nreconcile_interval_seconds: 1',
    projects: `${webhookProject(hub, '\n    polling: { enabled: true, interval_seconds: 1 }')}
  other:
    tickets: { type: GitHub, url: ${url}, auth: token }
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    webhook: { secret: ${SECRET} }
    sync_policy: webhook_only`,
  });
  const events = ({ logs }: Replica, wanted: string) => logs.filter(({ event }) => event === wanted);
  const leads = (replica: Replica): Promise<unknown> =>
    until('it leads', async () =>
      (await replica.health()).roles.some(({ role, position }) => role === 'poller' && position === 'leader'),
    );
  const label = (repository = REPOSITORY): string => hub.openIssue(repository, { labels: ['agent-smith'] }).ticket;
  const isDone = (ticket: string): Promise<unknown> =>
    until(`${ticket} is done`, () => hub.issue(ticket).labels.includes('agent-smith:done'));
  const tickets: string[] = [];
  const first = await site.start();
  await leads(first);
  const second = await site.start();
  await until('it takes deliveries', async () => (await second.ready()).code === 200);
  for (const repository of [REPOSITORY, OTHER])
    hub.addWebhook(repository, { url: `http://127.0.0.1:${second.port}/webhook/github`, secret: SECRET });
  // Nobody ever lists this one: its delivery alone brings it in, and a second copy of it changes nothing.
  hub.webhooks.spoil('double', 1);
  const unlisted = label(OTHER);
  tickets.push(unlisted);
  await isDone(unlisted);

  hub.webhooks.spoil('drop');
  await until('deliveries count as stopped', async () => {
    const ticket = label();
    tickets.push(ticket);
    await isDone(ticket);
    return events(first, 'event_engine_fallback').length > 0;
  });
  expect(events(first, 'event_engine_fallback')).toMatchObject([{ project: 'api', reason: 'deliveries-stopped' }]);
  const seen = await until('the other replica shows it', async () => {
    const { findings, projects } = await second.health();
    return findings.some(({ code }) => code === 'event-engine-fallback') && projects;
  });
  expect(seen).toMatchObject([
    { engine: { configured: 'auto', effective: 'polling', reason: 'deliveries-stopped' } },
    { engine: { effective: 'streaming' } },
  ]);

  hub.webhooks.mend();
  tickets.push(label());
  await until('it streams again', () => events(first, 'event_engine_recovered').length > 0);

  // Nothing is at work when it is killed.
  for (const ticket of tickets) await isDone(ticket);
  const pageBefore = await scrape(first);
  hub.webhooks.spoil('drop');
  tickets.push(label());
  await first.end('SIGKILL');
  await leads(second);
  await fetch(`http://127.0.0.1:${second.port}/webhook/github`, { method: 'POST', body: '{}' });
  for (const ticket of tickets) await isDone(ticket);

  const ledger = await site.ledger();
  expect(ledger.filter(({ event }) => event === 'start')).toHaveLength(tickets.length);
  for (const ticket of tickets)
    expect([ticket, hub.ledger.lifecycleHistory(ticket)]).toEqual([ticket, ['enqueued', 'in-progress', 'done']]);
  expect(EVENTS.filter((event) => events(first, event).length + events(second, event).length === 0)).toEqual([]);

  const pages = [pageBefore, await scrape(second)];
  for (const series of [
    'agentsmith_missed_event_recoveries_total{platform="github",by="listing"}',
    'agentsmith_webhook_deliveries_total{platform="github",result="accepted"}',
    'agentsmith_webhook_deliveries_total{platform="github",result="duplicate"}',
    'agentsmith_webhook_deliveries_total{platform="github",result="unproven"}',
    'agentsmith_delivery_to_start_seconds_count{platform="github"}',
    'agentsmith_platform_requests_total{platform="github",purpose="discovery"',
  ])
    expect([series, valueOf(series, pages) > 0]).toEqual([series, true]);
});
