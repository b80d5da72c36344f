/** Health and shutdown of real replicas, seen from outside. */
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../src/redis/embedded/free-port.ts';
import { markFresh, REPOSITORY, startHub, TOKEN } from '../../support/house.ts';
import { startTestRedis, useRedis } from '../../support/redis.ts';
import { type HealthView, openSite, type Replica } from '../../support/replica.ts';
import { startTcpProxy } from '../../support/tcp-proxy.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();

const readyWhen = (replica: Replica, code: number) =>
  until(`it answers ${code}`, async () => ((await replica.ready()).code === code ? true : undefined));
const stateOf = async (replica: Replica, name: string) =>
  (await replica.health()).subsystems.find((subsystem) => subsystem.name === name);
const text = async (replica: Replica, path: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${replica.port}${path}`, { headers: { connection: 'close' } })).text();

test('health: REDIS_URL unset -> up, not ready, says so, and ends on SIGTERM', async () => {
  const site = await openSite({ hub: await startHub(), redisUrl: undefined });
  const replica = await site.start();
  expect((await replica.ready()).code).toBe(503);
  expect(await stateOf(replica, 'redis')).toMatchObject({ state: 'disabled', reason: 'REDIS_URL is not set' });
  expect((await replica.health()).findings).toEqual([]);
  expect(await text(replica, '/metrics')).toContain('agentsmith_ready 0');
  expect(await replica.end()).toEqual({ code: 0, signal: null });
});

test('health: unreachable at the start -> degraded; there -> ready; lost -> degraded; back -> ready; tickets flow again', async () => {
  const hub = await startHub();
  const port = await freePort();
  const site = await openSite({ hub, redisUrl: `redis://:hunter-2-secret@127.0.0.1:${port}` });
  const replica = await site.start();
  expect((await replica.ready()).code).toBe(503);
  expect(await stateOf(replica, 'redis')).toMatchObject({ state: 'degraded', reason: 'unreachable' });

  const server = await startTestRedis({ port, password: 'hunter-2-secret', appendOnly: true });
  onTestFinished(() => server.stop());
  await readyWhen(replica, 200);
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));

  await server.kill('SIGKILL');
  await readyWhen(replica, 503);
  await server.restart();
  await readyWhen(replica, 200);
  await until('recovery is a finding', async () =>
    (await replica.health()).findings.some(({ code }) => code === 'recovering'),
  );
  const later = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  await until('it is done', () => hub.issue(later).labels.includes('agent-smith:done'));
  expect(JSON.stringify(replica.logs)).not.toContain('hunter-2-secret');
});

test('health: Redis frozen -> not ready within its deadlines, thawed -> ready, and a SIGTERM meanwhile still ends it', async () => {
  await markFresh(redis.url);
  const site = await openSite({ hub: await startHub(), redisUrl: redis.url });
  const [one, two] = await Promise.all([site.start(), site.start()]);
  await Promise.all([readyWhen(one, 200), readyWhen(two, 200)]);
  await redis.server.kill('SIGSTOP');
  await Promise.all([readyWhen(one, 503), readyWhen(two, 503)]);
  expect(await two.end()).toEqual({ code: 0, signal: null });
  await redis.server.kill('SIGCONT');
  await readyWhen(one, 200);
  expect(await one.end()).toEqual({ code: 0, signal: null });
});

test('health: leader and follower are both ready and say which they are; a failing platform turns neither off', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  hub.faults.inject({ path: /\/issues/ }, { kind: 'answer', status: 502 });
  const site = await openSite({ hub, redisUrl: redis.url });
  const replicas = await Promise.all([site.start(), site.start()]);
  const roleOf = ({ roles }: HealthView) => roles.find(({ role }) => role === 'poller');
  const views = await until('one leads, the other knows it, and the failed poll is shown', async () => {
    const seen = await Promise.all(replicas.map((replica) => replica.health()));
    const holders = new Set(seen.map((view) => roleOf(view)?.holder));
    const failed = seen.some(({ projects }) => projects[0]?.last_poll?.['result'] === 'unavailable');
    return failed && holders.size === 1 ? seen : undefined;
  });
  expect(new Set(views.map((view) => roleOf(view)?.position))).toEqual(new Set(['follower', 'leader']));
  expect(views.map(({ instance }) => instance)).toContain(views[0] === undefined ? '' : roleOf(views[0])?.holder);
  for (const replica of replicas) expect((await replica.ready()).code).toBe(200);
  const leading = views.find(({ roles }) =>
    roles.some(({ role, position }) => role === 'poller' && position === 'leader'),
  );
  expect(leading?.projects[0]?.last_poll).toMatchObject({ result: 'unavailable' });
  const pages = await Promise.all(replicas.map((replica) => text(replica, '/metrics')));
  expect(pages.join('\n')).toMatch(/agentsmith_polls_total\{platform="github",result="unavailable"\} \d/);
});

test('health: no token, address or ticket text gets into /health, /metrics or the log', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: redis.url });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'], title: 'The vault door is open' }).ticket;
  const replica = await site.start();
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  hub.faults.inject({ path: /\/issues/ }, { kind: 'answer', status: 401, body: { message: `Bad ${TOKEN}` } });
  await until('it fails', async () => (await replica.health()).projects[0]?.last_poll?.['result'] === 'auth');
  const shown = [
    await text(replica, '/health'),
    await text(replica, '/health/ready'),
    await text(replica, '/metrics'),
  ].join();
  for (const secret of [TOKEN, '127.0.0.1', new URL(hub.url).port, 'vault', String(redis.port)]) {
    expect(shown.replaceAll(/github~[^"]*/g, '')).not.toContain(secret);
  }
  const logged = JSON.stringify(replica.logs);
  expect(logged).not.toContain(TOKEN);
  expect(logged).not.toContain('vault');
});

test('shutdown: not ready at once, /health answers until the end, the running command gets its grace', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const line = await startTcpProxy(redis.port);
  onTestFinished(() => line.close());
  const site = await openSite({
    hub,
    redisUrl: `redis://127.0.0.1:${line.port}`,
    work: 'while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.05; done',
    yaml: 'agent: { queue: { shutdown_grace_seconds: 20 } }',
  });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const replica = await site.start();
  await until('it runs', async () => (await site.ledger()).length === 1);
  const exit = once(replica.process, 'exit');
  replica.signal('SIGTERM');
  await readyWhen(replica, 503);
  expect((await replica.ready()).body).toMatchObject({ draining: true });
  expect((await replica.health()).active_runs).toBe(1);
  await until('its leases are free', async () => (await redis.client.keys('agentsmith:leader:*')).length === 0);
  await writeFile(`${site.dir}/pipelines/go`, '');
  expect(await exit).toEqual([0, null]);
  expect((await site.ledger()).map(({ event }) => event)).toEqual(['start', 'end']);
  expect(hub.issue(ticket).labels).toContain('agent-smith:done');
});

test('leader: an outage shorter than the trust leaves a healthy run untouched', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    work: 'while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.05; done',
  });
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const replica = await site.start();
  await until('it runs', async () => (await site.ledger()).length === 1);
  await redis.server.kill('SIGSTOP');
  await readyWhen(replica, 503);
  await redis.server.kill('SIGCONT');
  await readyWhen(replica, 200);
  await writeFile(`${site.dir}/pipelines/go`, '');
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  expect((await site.ledger()).map(({ event, attempt }) => `${event} ${attempt}`)).toEqual(['start 1', 'end 1']);
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
});
