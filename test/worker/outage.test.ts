/**
 * A Redis that goes away, hangs or forgets while a real command runs (PROTOCOL 4: heartbeat, trust, guard). The commands'
 * own ledger says whether two of one ticket ever lived at once.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openHouse, REPOSITORY, startHub } from '../support/house.ts';
import { startTestRedis, useRedis } from '../support/redis.ts';
import { openSite, type Replica, type Site } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
/** The first attempt works until the test lets it go, later ones end at once. */
const FIRST_UNTIL_GO =
  'if [ "$AGENTSMITH_ATTEMPT" = 1 ]; then while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.02; done; fi';

const letGo = (site: Site): Promise<void> => writeFile(path.join(site.dir, 'pipelines', 'go'), '');
const alive = (pid: number): boolean => existsSync(`/proc/${pid}/cmdline`);
const startsOf = async (site: Site) => (await site.ledger()).filter(({ event }) => event === 'start');
const overlapsOf = async (site: Site) => (await site.ledger()).filter(({ event }) => event === 'overlap');
const isDone = (hub: Awaited<ReturnType<typeof startHub>>, ticket: string): boolean =>
  hub.issue(ticket).labels.includes('agent-smith:done');
const said = (replica: Replica, msg: string): boolean => replica.logs.some((line) => line.msg === msg);

test('Redis is away for longer than every TTL, its data intact: the command is gone before another starts', async () => {
  const server = await startTestRedis({ appendOnly: true });
  onTestFinished(() => server.stop());
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: server.url, work: FIRST_UNTIL_GO });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const replicas = await Promise.all([site.start(), site.start()]);
  const [first] = await until(
    'the command runs',
    async () => {
      const starts = await startsOf(site);
      return starts.length > 0 ? starts : undefined;
    },
    18_000,
  );
  await server.kill('SIGKILL');
  await until('trust is lost and the command is gone', () => first !== undefined && !alive(first.pid));
  await server.restart();
  await until('the ticket is done', () => isDone(hub, ticket), 18_000);
  expect(await overlapsOf(site)).toEqual([]);
  expect((await startsOf(site)).map(({ attempt }) => attempt)).toEqual(['1', '2']);
  for (const replica of replicas) expect((await replica.ready()).code).toBe(200);
});

test('an outage shorter than the trust, and a loss of all data: the healthy run is not touched', async () => {
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: redis.url, work: FIRST_UNTIL_GO });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  // Twice as slow as elsewhere: the outage must be shorter than the trust on any machine.
  const replica = await site.start({ timeScale: 0.2 });
  const house = await openHouse({ redisUrl: redis.url, hub });
  await until('the command runs', async () => (await startsOf(site)).length === 1, 18_000);
  await redis.server.kill('SIGSTOP');
  await until('the outage is noticed', () => said(replica, 'redis is unreachable'));
  await redis.server.kill('SIGCONT');
  await until('the outage is over', async () => (await replica.ready()).code === 200);

  const run = await until('the run has its record', () => house.runs.ofTicket(house.keyOf(1)));
  await redis.client.flushall();
  await until('the worker has written it again', () => house.runs.get(run.id));
  await letGo(site);
  await until('the ticket is done', () => isDone(hub, ticket));
  expect((await site.ledger()).map(({ event }) => event)).toEqual(['start', 'end']);
  expect(await house.runs.get(run.id)).toMatchObject({ state: 'completed', attempt: 1, interrupted: 0, turn: 1 });
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
});
