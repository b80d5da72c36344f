/** SIGTERM to real replicas (PROTOCOL 4, shutdown): what may end ends, the rest is handed back, nothing is left behind. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openHouse, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { openSite, type Site } from '../../support/replica.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
/** Works until the test lets it go. */
const UNTIL_GO = 'while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.02; done';
const graceOf = (seconds: number): string => `agent: { queue: { shutdown_grace_seconds: ${seconds} } }`;

const letGo = (site: Site): Promise<void> => writeFile(path.join(site.dir, 'pipelines', 'go'), '');
const eventsOf = async (site: Site): Promise<string[]> => (await site.ledger()).map(({ event }) => event);

/** Whether any process of the ledger still lives. */
async function survivors(site: Site): Promise<number[]> {
  return (await site.ledger()).map(({ pid }) => pid).filter((pid) => existsSync(`/proc/${pid}/cmdline`));
}

async function running(options: { readonly grace: number; readonly redisUrl?: string; readonly work?: string }) {
  const hub = await startHub();
  const site = await openSite({
    hub,
    redisUrl: options.redisUrl ?? redis.url,
    work: options.work ?? UNTIL_GO,
    yaml: graceOf(options.grace),
  });
  const house = await openHouse({ redisUrl: redis.url, hub });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const replica = await site.start();
  await until('the command runs', async () => (await eventsOf(site)).includes('start'), 20_000);
  return { hub, site, house, replica, ticket };
}

test('a run that ends within the grace is done, not interrupted; the leases are free before that', async () => {
  const { hub, site, house, replica, ticket } = await running({ grace: 20 });
  replica.signal('SIGTERM');
  await until('the leases are released', async () => (await redis.client.keys('agentsmith:leader:*')).length === 0);
  expect(await eventsOf(site)).toEqual(['start']);
  await letGo(site);
  expect(await replica.end('SIGCONT')).toEqual({ code: 0, signal: null });
  expect(await eventsOf(site)).toEqual(['start', 'end']);
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({ state: 'completed', attempt: 1, interrupted: 0 });
  expect(hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:done']);
});

test('a longer run is stopped, handed back when it is gone, and taken by the next replica at once', async () => {
  const { hub, site, house, replica, ticket } = await running({ grace: 0 });
  const next = await site.start();
  expect(await replica.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await survivors(site)).not.toContain((await site.ledger())[0]?.pid);
  await letGo(site);
  await until('the ticket is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  expect(await eventsOf(site)).toEqual(['start', 'start', 'end']);
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({
    state: 'completed',
    turn: 2,
    attempt: 2,
    interrupted: 1,
  });
  // The heartbeat did not have to expire: nobody declared anybody dead.
  // The label may be put right by the new leader's platform pass; the run itself needed no repair.
  const repairs = next.logs.filter(({ msg, kind }) => msg === 'repaired' && kind !== 'label-repair');
  expect(repairs).toEqual([]);
  expect(hub.ledger.lifecycleHistory(ticket).slice(-2)).toEqual(['in-progress', 'done']);
});

test('a command that ignores SIGTERM is killed before its run is handed back', async () => {
  const { site, house, replica } = await running({ grace: 0, work: `trap '' TERM; ${UNTIL_GO}` });
  expect(await replica.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await survivors(site)).toEqual([]);
  expect(await eventsOf(site)).toEqual(['start']);
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({
    state: 'queued',
    turn: 2,
    interrupted: 1,
    reason: 'drained',
  });
  expect(await house.queue.depth()).toBe(1);
});

test('SIGTERM while Redis does not answer: the runner is stopped and the process ends in bounded time', async () => {
  const proxy = await startTcpProxy(redis.port);
  onTestFinished(() => proxy.close());
  const { site, house, replica } = await running({ grace: 0, redisUrl: `redis://127.0.0.1:${proxy.port}` });
  await proxy.set('black-hole');
  expect(await replica.end('SIGTERM')).toEqual({ code: 0, signal: null });
  expect(await survivors(site)).toEqual([]);
  // Left to repair, like any other death.
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({ state: 'running', attempt: 1 });
});
