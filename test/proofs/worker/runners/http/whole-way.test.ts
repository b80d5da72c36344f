/**
 * Real replicas and a service: what it did is judged by its own ledger. One of the replicas is killed while the service works,
 * and results arrive at whoever is there.
 */
import { expect, test } from 'vitest';
import { freePort } from '../../../../../src/redis/embedded/free-port.ts';
import { openHouse, REPOSITORY, startHub } from '../../../../support/house.ts';
import {
  callBack,
  callbackIn,
  type HttpService,
  SERVICE_SECRET,
  startHttpService,
} from '../../../../support/http-service.ts';
import { useRedis } from '../../../../support/redis.ts';
import { openSite, type Replica, type Site } from '../../../../support/replica.ts';
import { until } from '../../../../support/until.ts';

const redis = useRedis();
/** Replicas start slowly on a machine that does a lot else. */
const PATIENCE_MS = 60_000;
type Hub = Awaited<ReturnType<typeof startHub>>;

/** With one slot each, so that a killed replica's work is another one's; a shutdown waits for no service, however long its grace. */
async function siteFor(hub: Hub, service: HttpService, more = '', webhooks = ''): Promise<Site> {
  return await openSite({
    hub,
    redisUrl: redis.url,
    yaml: `${webhooks}
agent: { queue: { max_parallel_jobs: 1, shutdown_grace_seconds: 600 } }
pipelines:
  fix-bug: { http: { url: "${service.url}", secret: "${SERVICE_SECRET}", allow_addresses: [127.0.0.1]${more} } }`,
  });
}

const isDone = (hub: Hub, ticket: string): boolean => hub.issue(ticket).labels.includes('agent-smith:done');
const portOf = (replica: Replica) => (url: string) =>
  url.replace('http://smith.example', `http://127.0.0.1:${replica.port}`);

/** The key under which a service does its work once. */
const keysOf = ({ requests }: HttpService): unknown[] => requests.map(({ headers }) => headers['idempotency-key']);

/** Told again while it is answered 503, as a service does: a busy machine has a Redis that is late. */
const statusOf = (callback: Parameters<typeof callBack>[0], result: object): Promise<number> =>
  until('the result is answered', async () => {
    const { status } = await callBack(callback, result);
    return status === 503 ? undefined : status;
  });

test(
  'a replica is killed while the service works: another one adopts it by the same key, the work is done once, the ticket ends done',
  async () => {
    const hub = await startHub();
    const service = await startHttpService();
    const finished = Promise.withResolvers<void>();
    const works = new Map<string, Promise<void>>();
    let worked = 0;
    service.behave(async ({ headers, json }) => {
      const key = String(headers['idempotency-key']);
      const work = works.get(key) ?? finished.promise.then(() => void (worked += 1));
      works.set(key, work);
      await work;
      json(200, { state: 'done', summary: 'Fixed.' });
    });
    const site = await siteFor(hub, service);
    const house = await openHouse({ redisUrl: redis.url, hub });
    const killed = await site.start();
    const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    await until('the service is at work', () => service.requests.length === 1);
    const rescuer = await site.start();
    killed.signal('SIGKILL');
    await until('another replica asks', () => service.requests.length === 2, 30_000);
    finished.resolve();
    await until('the ticket is done', () => isDone(hub, ticket));

    expect(worked).toBe(1);
    expect(new Set(keysOf(service)).size).toBe(1);
    expect(service.requests.map(({ body }) => body.attempt)).toEqual([1, 2]);
    expect(service.cancellations).toEqual([]);
    expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({
      state: 'completed',
      attempt: 2,
      interrupted: 1,
      reason: 'the service says done',
    });
    expect(rescuer.logs.some(({ msg, kind }) => msg === 'repaired' && kind === 'dead-attempt')).toBe(true);
  },
  PATIENCE_MS,
);

test(
  'a result that is told on the listener for webhooks while no worker lives on the run waits, and ends it without a further request',
  async () => {
    const hub = await startHub();
    const service = await startHttpService();
    service.behave(({ json }) => json(202, {}));
    // One replica lives at a time, so that all of them can have this port.
    const port = await freePort();
    const webhooks = `webhooks: { listen_port: ${port}, public_url: "http://127.0.0.1:${port}/webhook" }`;
    const site = await siteFor(hub, service, ', result: callback', webhooks);
    const house = await openHouse({ redisUrl: redis.url, hub });
    const killed = await site.start();
    const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    await until('the service is at work', () => service.requests.length === 1);
    const callback = callbackIn(service.requests[0]);
    await killed.end('SIGKILL');
    expect((await house.runs.ofTicket(house.keyOf(1)))?.state).toBe('running');

    await site.start();
    const { url } = callback;
    expect(url).toContain(`http://127.0.0.1:${port}/callback/`);
    const guessed = async (): Promise<boolean> =>
      (await callBack({ url, token: 'guessed' }, { state: 'done' })).status === 401;
    await until('it has found Redis, and lets nobody in who guesses', guessed);
    expect(await statusOf(callback, { state: 'done' })).toBe(200);
    await until('the ticket is done', () => isDone(hub, ticket), 30_000);
    expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({ state: 'completed', attempt: 2 });
    expect(service.requests).toHaveLength(1);
    expect(await statusOf(callback, { state: 'done' })).toBe(200);
    expect(await statusOf(callback, { state: 'failed' })).toBe(409);
  },
  PATIENCE_MS,
);

test(
  'a rolling restart: each replica lets go of the service, the next one asks again, and a call to another replica is heard',
  async () => {
    const hub = await startHub();
    const service = await startHttpService();
    service.behave(({ json }) => json(202, {}));
    const site = await siteFor(hub, service, ', result: callback, callback_url: "http://smith.example"');
    const first = await site.start();
    const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    await until('the service is at work', () => service.requests.length === 1);
    const [atWork, idle] = [await site.start(), await site.start()];
    expect(await first.end()).toMatchObject({ code: 0 });
    await until('the next one asks', () => service.requests.length === 2, 30_000);
    expect(new Set(keysOf(service)).size).toBe(1);
    expect(service.cancellations).toEqual([]);
    const callback = callbackIn(service.requests[1]);
    const free = (await atWork.health()).active_runs === 0 ? atWork : idle;
    expect((await free.health()).active_runs).toBe(0);
    const { token } = callback;
    expect(await statusOf({ url: portOf(free)(callback.url), token }, { state: 'done' })).toBe(200);
    await until('the ticket is done', () => isDone(hub, ticket));
    // Nothing was interrupted: the first one has merely let go of it.
    const house = await openHouse({ redisUrl: redis.url, hub });
    const run = await house.runs.ofTicket(house.keyOf(1));
    expect(run).toMatchObject({ state: 'completed', attempt: 2, interrupted: 0, handedOn: 1 });
  },
  PATIENCE_MS,
);
