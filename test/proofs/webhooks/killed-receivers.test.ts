/**
 * What was accepted survives (promise 3, rows D4 to D7, E8): real replicas, killed in the middle of bursts of deliveries, and a
 * Redis that goes away under them. Believed are the answers that senders got and what GitHub shows, never our own logs.
 */
import { expect, test } from 'vitest';
import type { GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import { markFresh, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { openSite, type Replica, type ReplicaOptions, type Site } from '../../support/replica.ts';
import { until } from '../../support/until.ts';
import { type Answered, sendLabeled, webhookProject } from '../../webhooks/senders.ts';

const redis = useRedis();
const onDisk = useRedis({ appendOnly: true, settings: ['appendfsync always'] });
const WEBHOOK_ONLY = { yaml: 'default_sync_policy: webhook_only\nagent: { queue: { max_parallel_jobs: 1 } }' };
/** The first job keeps the only slot, so what is looked at are claims alone. */
const NEVER_ENDS = 'sleep 600';

/** A site in which nothing but a delivery brings a ticket in. */
async function openHooked(redisUrl: string, work = ':') {
  const hub = await startHub();
  await markFresh(redisUrl);
  return { hub, site: await openSite({ hub, redisUrl, projects: webhookProject(hub), work, ...WEBHOOK_ONLY }) };
}

/** For an answer. */
const GITHUB_WAITS_MS = 10_000;

async function startReady(site: Site, options: ReplicaOptions = {}): Promise<Replica> {
  const replica = await site.start(options);
  await until('it is ready', async () => (await replica.ready()).code === 200);
  return replica;
}

/** As the platforms do, or whoever asks them to: a busy machine may refuse some of a burst at first. */
async function sendUntilKept(replica: Replica, hub: GitHubEmulator, issue: number): Promise<Answered> {
  return await until(
    `the delivery of #${issue} is kept`,
    async () => {
      const answer = await sendLabeled(replica, hub, issue);
      return answer.status === 503 ? undefined : answer;
    },
    60_000,
  );
}

const isAccepted = ({ status }: Answered): boolean => status === 202;

function enqueuedTimes(hub: GitHubEmulator, issue: number): number {
  return hub.ledger.lifecycleHistory(`${REPOSITORY}#${issue}`).filter((lifecycle) => lifecycle === 'enqueued').length;
}

test('fifty identical deliveries at once to three replicas: one run', async () => {
  const { hub, site } = await openHooked(redis.url);
  // With the real time in which a delivery has to be written hardly any is refused.
  const replicas = await Promise.all(Array.from({ length: 3 }, () => startReady(site, { timeScale: 1 })));
  const { ticket, number } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) => {
      const replica = replicas[i % replicas.length];
      if (replica === undefined) throw new Error('no replica');
      return sendUntilKept(replica, hub, number);
    }),
  );
  // One that was refused for taking too long may have been kept after all.
  expect(answers.filter(isAccepted).length).toBeLessThanOrEqual(1);
  expect(answers.filter((answer) => !isAccepted(answer) && answer.json.duplicate !== true)).toEqual([]);
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  expect((await site.ledger()).filter(({ event }) => event === 'start')).toHaveLength(1);
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
});

test('killed right after the answers of a burst of five hundred: every accepted one has its effect, once', async () => {
  const BURST = 500;
  const { hub, site } = await openHooked(redis.url, NEVER_ENDS);
  for (let n = 0; n < BURST; n += 1) hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const first = await startReady(site);
  // So that much is left to be done, however fast the machine.
  const slowly = hub.faults.inject({ method: 'POST', path: /labels$/ }, { kind: 'latency', delayMs: 200 });
  await Promise.all(Array.from({ length: BURST }, (_, i) => sendUntilKept(first, hub, i + 1)));
  await first.end('SIGKILL');
  slowly.remove();
  const worked = hub.ledger.labelChanges().filter(({ added }) => added.includes('agent-smith:enqueued')).length;
  expect(worked).toBeLessThan(BURST);

  await site.start();
  await until(
    'each is queued or at work',
    () =>
      hub
        .issues(REPOSITORY)
        .every(({ labels }) => labels.some((label) => /agent-smith:(enqueued|in-progress)/.test(label))),
    60_000,
  );
  const times = Array.from({ length: BURST }, (_, i) => enqueuedTimes(hub, i + 1));
  // The one at work when the replica was killed is queued once more: its attempt died with it.
  expect(times.filter((count) => count !== 1).length).toBeLessThanOrEqual(1);
  const runs = await redis.client.keys('agentsmith:run:*');
  expect(runs).toHaveLength(BURST);
}, 90_000);

test('killed while a burst arrives: what was answered 2xx is worked on, what was not may come again', async () => {
  const BURST = 120;
  const { hub, site } = await openHooked(redis.url, NEVER_ENDS);
  for (let n = 0; n < BURST; n += 1) hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const first = await startReady(site);
  const sending = Array.from({ length: BURST }, (_, i) => sendLabeled(first, hub, i + 1));
  await Promise.any(sending.map(async (answer) => expect(await answer).toMatchObject({ status: 202 })));
  first.signal('SIGKILL');
  const answers = await Promise.all(sending);
  const accepted = answers.flatMap((answer, i) => (isAccepted(answer) ? [i + 1] : []));
  expect(accepted.length).toBeGreaterThan(0);

  await site.start();
  await until('the accepted ones are queued or at work', () =>
    accepted.every((n) => hub.issue(`${REPOSITORY}#${n}`).labels.some((label) => label.startsWith('agent-smith:'))),
  );
});

test('Redis goes in the middle of a burst: only 503 from then on, in time; recovery by itself, and nothing accepted is lost', async () => {
  const { hub, site } = await openHooked(onDisk.url, NEVER_ENDS);
  const replica = await startReady(site);
  const answers: Answered[] = [];
  let last = 0;
  const send = async (): Promise<Answered> => {
    last += 1;
    const issue = last;
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    const answer = await sendLabeled(replica, hub, issue);
    answers[issue - 1] = answer;
    return answer;
  };
  await Promise.all(Array.from({ length: 40 }, send));
  const sending = Array.from({ length: 40 }, send);
  await onDisk.server.kill('SIGKILL');
  await Promise.all(sending);
  const without = await Promise.all(Array.from({ length: 20 }, send));
  expect(without.map(({ status }) => status)).toEqual(without.map(() => 503));
  expect(without[0]?.json).toEqual({ error: 'redis_unavailable' });
  for (const { status, tookMs } of answers) {
    expect([202, 503]).toContain(status);
    expect(tookMs).toBeLessThan(GITHUB_WAITS_MS);
  }

  await onDisk.server.restart();
  await until('it accepts again', async () => isAccepted(await send()));
  const accepted = answers.flatMap((answer, i) => (isAccepted(answer) ? [i + 1] : []));
  await until(
    'all that was accepted is queued or at work',
    () =>
      accepted.every((n) => hub.issue(`${REPOSITORY}#${n}`).labels.some((label) => label.startsWith('agent-smith:'))),
    30_000,
  );
});

test('a Redis that hangs: 503 in time, not a connection that waits', async () => {
  const { hub, site } = await openHooked(redis.url);
  const replica = await startReady(site, { timeScale: 1 });
  await redis.server.kill('SIGSTOP');
  const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => sendLabeled(replica, hub, i + 1)));
  for (const { status, tookMs } of answers) {
    expect(status).toBe(503);
    expect(tookMs).toBeLessThan(GITHUB_WAITS_MS);
  }
});
