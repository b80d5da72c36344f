/**
 * A Redis that goes away, hangs or forgets while a real command runs (PROTOCOL 4: heartbeat, trust, guard). The commands'
 * own ledger says whether two of one ticket ever lived at once, and their ticks say whether they executed anything.
 *
 * Protocol time has to pass in each of these scenes, so they are played side by side.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { DEFAULT_TIMING, scaleTiming } from '../../../src/domain/timing.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { openHouse, REPOSITORY, startHub } from '../../support/house.ts';
import { startTestRedis } from '../../support/redis.ts';
import { openSite, type Replica, type Site } from '../../support/replica.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';
import { isFrozen, parentOf } from '../../worker/guard/processes.ts';

/** Slower than elsewhere: nobody may lose trust but by the outages of this file. */
const SCALE = 0.1;
const TIMING = scaleTiming(DEFAULT_TIMING, SCALE);
/** Protocol time, and what starting many processes at once may take. */
const LONG_MS = 60_000;
const SCENE_MS = 3 * LONG_MS;
/** The first attempt ticks until the test lets it go; later ones note how far it had come, and end at once. */
const FIRST_UNTIL_GO = `cd "$(dirname "$0")"
if [ "$AGENTSMITH_ATTEMPT" = 1 ]; then
  while [ ! -e go ]; do echo tick >> "ticks.$TICKET"; sleep 0.1; done
else
  cp "ticks.$TICKET" "ticks.$TICKET.seen"
fi`;

const letGo = (site: Site): Promise<void> => writeFile(path.join(site.dir, 'pipelines', 'go'), '');
const ticksOf = (site: Site, ticket: string, seen = ''): number =>
  readFileSync(path.join(site.dir, 'pipelines', `ticks.${ticket}${seen}`), 'utf8').length;
const alive = (pid: number): boolean => existsSync(`/proc/${pid}/cmdline`);
const startsOf = async (site: Site) => (await site.ledger()).filter(({ event }) => event === 'start');
const overlapsOf = async (site: Site) => (await site.ledger()).filter(({ event }) => event === 'overlap');
const isDone = (hub: Awaited<ReturnType<typeof startHub>>, ticket: string): boolean =>
  hub.issue(ticket).labels.includes('agent-smith:done');
const said = (replica: Replica, msg: string): boolean => replica.logs.some((line) => line.msg === msg);
const startedCommands = (site: Site, count: number) =>
  until(
    'the commands run',
    async () => {
      const starts = await startsOf(site);
      return starts.length >= count ? starts : undefined;
    },
    LONG_MS,
  );
const forAWhile = (ms: number): Promise<boolean> => sleep(ms, new AbortController().signal);

test.concurrent('Redis is away for longer than every TTL, first its data intact, then lost: the command stands still and goes on, as the same attempt', {
  timeout: SCENE_MS,
}, async (context) => {
  const hub = await startHub(context);
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-redis-'));
  context.onTestFinished(() => rm(dir, { recursive: true }));
  const server = await startTestRedis({ appendOnly: true, dir });
  context.onTestFinished(() => server.stop());
  const site = await openSite({ scope: context, hub, redisUrl: server.url, work: FIRST_UNTIL_GO });
  const replica = await site.start({ timeScale: SCALE });
  const [{ pid } = { pid: 0 }] = await startedCommands(site, 1);

  for (const lost of [false, true]) {
    await server.kill('SIGKILL');
    await until('the command is frozen', () => isFrozen(pid), LONG_MS);
    const ticks = ticksOf(site, '1');
    await forAWhile(TIMING.heartbeatTtlMs);
    expect({ lost, frozen: isFrozen(pid), ticks: ticksOf(site, '1') }).toEqual({ lost, frozen: true, ticks });
    if (lost) await rm(path.join(dir, 'appendonlydir'), { recursive: true });
    await server.restart();
    await until('the command goes on', () => !isFrozen(pid) && ticksOf(site, '1') > ticks, LONG_MS);
  }
  await letGo(site);
  await until('the ticket is done', () => isDone(hub, ticket), LONG_MS);
  expect((await site.ledger()).map(({ event, attempt, pid: of }) => [event, attempt, of])).toEqual([
    ['start', '1', pid],
    ['end', '1', pid],
  ]);
  expect((await replica.ready()).code).toBe(200);
});

test.concurrent('Redis hangs for longer than every TTL: the command is gone before another starts', {
  timeout: SCENE_MS,
}, async (context) => {
  const server = await startTestRedis({ appendOnly: true });
  context.onTestFinished(() => server.stop());
  const hub = await startHub(context);
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const site = await openSite({ scope: context, hub, redisUrl: server.url, work: FIRST_UNTIL_GO });
  const replica = await site.start({ timeScale: SCALE });
  const [first] = await startedCommands(site, 1);
  await server.kill('SIGSTOP');
  await until('the command is gone', () => first !== undefined && !alive(first.pid), LONG_MS);
  await server.kill('SIGCONT');
  await until('the ticket is done', () => isDone(hub, ticket), LONG_MS);
  expect(await overlapsOf(site)).toEqual([]);
  expect((await startsOf(site)).map(({ attempt }) => attempt)).toEqual(['1', '2']);
  expect((await replica.ready()).code).toBe(200);
});

test.concurrent('two replicas are cut off while a third keeps Redis: behind a silent line the command is gone, behind a refusing one it is frozen, before a successor starts', {
  timeout: SCENE_MS,
}, async (context) => {
  const server = await startTestRedis();
  context.onTestFinished(() => server.stop());
  const hub = await startHub(context);
  const tickets = [1, 2].map(() => hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket);
  const site = await openSite({
    scope: context,
    hub,
    redisUrl: server.url,
    work: FIRST_UNTIL_GO,
    yaml: 'agent: { queue: { max_parallel_jobs: 1 } }',
  });
  const behind = async () => {
    const line = await startTcpProxy(server.port);
    context.onTestFinished(() => line.close());
    return {
      line,
      replica: await site.start({ timeScale: SCALE, env: { REDIS_URL: `redis://127.0.0.1:${line.port}` } }),
    };
  };
  const [silent, refusing] = await Promise.all([behind(), behind()]);
  const first = await startedCommands(site, 2);
  await site.start({ timeScale: SCALE });
  const commandOf = ({ pid }: Replica) => {
    const command = first.find((start) => parentOf(parentOf(start.pid)) === pid);
    if (command === undefined) throw new Error('a replica has no command');
    return command;
  };
  const [gone, still] = [commandOf(silent.replica), commandOf(refusing.replica)];
  await Promise.all([silent.line.set('black-hole'), refusing.line.set('refuse')]);
  await until('both tickets are done', () => tickets.every((ticket) => isDone(hub, ticket)), LONG_MS);

  expect(alive(gone.pid)).toBe(false);
  // It is still there beside its successor, which is all that was seen of it: it had stopped before.
  expect(isFrozen(still.pid)).toBe(true);
  expect((await overlapsOf(site)).filter(({ ticket }) => ticket !== still.ticket)).toEqual([]);
  expect(ticksOf(site, still.ticket)).toBe(ticksOf(site, still.ticket, '.seen'));

  await Promise.all([silent.line.set('pass'), refusing.line.set('pass')]);
  await until('the frozen command is killed', () => !alive(still.pid), LONG_MS);
  for (const { replica } of [silent, refusing]) {
    await until('the replica knows', () =>
      replica.logs.some(({ msg, outcome }) => msg === 'attempt ended' && outcome === 'superseded'),
    );
  }
  for (const { ticket } of first) expect(ticksOf(site, ticket)).toBe(ticksOf(site, ticket, '.seen'));
  expect((await startsOf(site)).map(({ attempt }) => attempt).toSorted()).toEqual(['1', '1', '2', '2']);
});

test.concurrent('an outage shorter than the trust, and a loss of all data: the healthy run is not touched', {
  timeout: SCENE_MS,
}, async (context) => {
  const server = await startTestRedis();
  context.onTestFinished(() => server.stop());
  const client = new Redis(server.url);
  context.onTestFinished(() => client.disconnect());
  const hub = await startHub(context);
  const site = await openSite({ scope: context, hub, redisUrl: server.url, work: FIRST_UNTIL_GO });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  // Twice as slow as elsewhere: the outage must be shorter than the trust on any machine.
  const replica = await site.start({ timeScale: 0.2 });
  const house = await openHouse({ scope: context, redisUrl: server.url, hub });
  await until('the command runs', async () => (await startsOf(site)).length === 1, 18_000);
  await server.kill('SIGSTOP');
  await until('the outage is noticed', () => said(replica, 'redis is unreachable'));
  await server.kill('SIGCONT');
  await until('the outage is over', async () => (await replica.ready()).code === 200);

  const run = await until('the run has its record', () => house.runs.ofTicket(house.keyOf(1)));
  await client.flushall();
  await until('the worker has written it again', () => house.runs.get(run.id));
  await letGo(site);
  await until('the ticket is done', () => isDone(hub, ticket));
  expect((await site.ledger()).map(({ event }) => event)).toEqual(['start', 'end']);
  expect(await house.runs.get(run.id)).toMatchObject({ state: 'completed', attempt: 1, interrupted: 0, turn: 1 });
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
});
