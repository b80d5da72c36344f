/**
 * Workers that die or stand still while a real command runs (PROTOCOL 4: guard, heartbeat; PROTOCOL 6). The commands' own
 * ledger says whether two of one ticket ever lived at once.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openHouse, REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite, type Site } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const ONE_SLOT = 'agent: { queue: { max_parallel_jobs: 1 } }';
/** The first attempt works until the test lets it go, later ones end at once. */
const FIRST_UNTIL_GO =
  'if [ "$AGENTSMITH_ATTEMPT" = 1 ]; then while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.02; done; fi';

const letGo = (site: Site): Promise<void> => writeFile(path.join(site.dir, 'pipelines', 'go'), '');
const alive = (pid: number): boolean => existsSync(`/proc/${pid}/cmdline`);
const startsOf = async (site: Site) => (await site.ledger()).filter(({ event }) => event === 'start');
const overlapsOf = async (site: Site) => (await site.ledger()).filter(({ event }) => event === 'overlap');
const isDone = (hub: Awaited<ReturnType<typeof startHub>>, ticket: string): boolean =>
  hub.issue(ticket).labels.includes('agent-smith:done');

test('a worker that is killed and one that stands still: their commands die first, another worker goes on, nothing runs twice', async () => {
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: redis.url, work: FIRST_UNTIL_GO, yaml: ONE_SLOT });
  const house = await openHouse({ redisUrl: redis.url, hub });
  const tickets = [1, 2].map(() => hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket);
  hub.tokens.add('stopped', { token: 'ghp_stopped' });
  const own = { env: { GITHUB_TOKEN: 'ghp_stopped' } };
  const [killed, stopped] = await Promise.all([site.start(), site.start(own)]);
  const first = await until('both commands run', async () => {
    const starts = await startsOf(site);
    return starts.length === 2 ? starts : undefined;
  });
  killed.signal('SIGKILL');
  stopped.signal('SIGSTOP');
  const rescuer = await site.start();
  await until('both tickets are done', () => tickets.every((ticket) => isDone(hub, ticket)), 30_000);
  expect(first.map(({ pid }) => pid).filter(alive)).toEqual([]);

  // Long after its attempt was given to another one.
  const histories = tickets.map((ticket) => hub.ledger.lifecycleHistory(ticket));
  const wokeAtMs = Date.now();
  stopped.signal('SIGCONT');
  await until('the sleeper has seen that it was superseded', () =>
    stopped.logs.some(({ msg, outcome }) => msg === 'attempt ended' && outcome === 'superseded'),
  );
  await letGo(site);
  expect(await overlapsOf(site)).toEqual([]);
  expect(await startsOf(site)).toHaveLength(4);
  expect(tickets.map((ticket) => hub.ledger.lifecycleHistory(ticket))).toEqual(histories);
  const asked = hub.ledger.requests({ token: 'stopped' });
  expect(asked.filter(({ method, atMs }) => method !== 'GET' && atMs >= wokeAtMs)).toEqual([]);
  expect(asked.some(({ method }) => method !== 'GET')).toBe(true);
  for (const id of [1, 2]) {
    expect(await house.runs.ofTicket(house.keyOf(id))).toMatchObject({
      state: 'completed',
      attempt: 2,
      interrupted: 1,
    });
  }
  expect(rescuer.logs.filter(({ msg, kind }) => msg === 'repaired' && kind === 'dead-attempt')).toHaveLength(2);
}, 40_000);
