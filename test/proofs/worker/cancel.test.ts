/**
 * Runs that somebody wants to end, on real replicas and real commands: asked of another replica than the one at work, in every
 * state of a run, and then a further run of the same ticket. The commands' own ledger says what was started.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { markFresh, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { type LedgerLine, openSite, type Replica, type Site } from '../../support/replica.ts';
import { until } from '../../support/until.ts';
import { SECRET, webhookProject } from '../../webhooks/senders.ts';

const redis = useRedis();
const TOKEN = 'known-to-the-operators';
const ENV = { AGENTSMITH_API_TOKEN: TOKEN, GITHUB_WEBHOOK_SECRET: SECRET };
const ONE_SLOT = 'agent: { queue: { max_parallel_jobs: 1 } }';
/** The command of the first ticket is deaf to SIGTERM: it has to be killed. Once there is `go`, all end at once. */
const WORK = `[ "$TICKET" = 1 ] && trap '' TERM
while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.02; done`;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Again when it is answered 503, as on a busy machine whose Redis is late for once. */
async function ask(replica: Pick<Replica, 'port'>, route: string, body?: object): Promise<Answer> {
  return await until(`${route} is answered`, async () => {
    const answer = await askOnce(replica, route, body);
    return answer.status === 503 ? undefined : answer;
  });
}

async function askOnce({ port }: Pick<Replica, 'port'>, route: string, body?: object): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${port}/api${route}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', connection: 'close' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const letGo = (site: Site): Promise<void> => writeFile(path.join(site.dir, 'pipelines', 'go'), '');
const isAlive = ({ pid }: LedgerLine): boolean => existsSync(`/proc/${pid}/cmdline`);
const startsOf = async (site: Site): Promise<LedgerLine[]> =>
  (await site.ledger()).filter(({ event }) => event === 'start');
const isAtWorkOn = ({ logs }: Replica, { run }: LedgerLine): boolean =>
  logs.some((line) => line['msg'] === 'attempt started' && line['run'] === run);

function startOf(site: Site, ticket: string): Promise<LedgerLine> {
  const id = ticket.split('#')[1];
  return until(`the command of ${ticket} runs`, async () => (await startsOf(site)).find((line) => line.ticket === id));
}

/** Whom the start was given to. */
function workerOf(replicas: readonly Replica[], start: LedgerLine): Replica {
  const worker = replicas.find((replica) => isAtWorkOn(replica, start));
  if (worker === undefined) throw new Error(`nobody says that it has started ${start.run}`);
  return worker;
}

test('in every state: cancelled by whom it was asked, started no more, the ticket says so once; a retry is a new run', async () => {
  const hub = await startHub();
  await markFresh(redis.url);
  const site = await openSite({ hub, redisUrl: redis.url, work: WORK, yaml: ONE_SLOT });
  const replicas = await Promise.all([1, 2, 3].map(() => site.start({ env: ENV })));
  const open = (): string => hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const labelsOf = (ticket: string): readonly string[] => hub.issue(ticket).labels;
  const hasFailed = (ticket: string): Promise<unknown> =>
    until(`${ticket} shows that it has failed`, () => labelsOf(ticket).includes('agent-smith:failed'), 20_000);
  const runOf = async (at: Replica, state: string, ticket: string): Promise<string | undefined> => {
    const { body } = await ask(at, `/runs?state=${state}`);
    // Without them it could not ask Redis just then.
    const runs = body['runs'] as readonly { readonly id: string; readonly ticket_id: string }[] | undefined;
    return runs?.find(({ ticket_id: id }) => ticket === `${REPOSITORY}#${id}`)?.id;
  };

  const [stubborn, frozen, orphan] = [open(), open(), open()];
  const starts = await Promise.all([stubborn, frozen, orphan].map((ticket) => startOf(site, ticket)));
  const [first, second, third] = starts as [LedgerLine, LedgerLine, LedgerLine];
  const [a, b, c] = [workerOf(replicas, first), workerOf(replicas, second), workerOf(replicas, third)];
  expect(new Set([a, b, c]).size).toBe(3);
  const cancelled = (by: string) => ({ status: 202, body: { state: 'running', cancel_requested: by } });

  // Queued, behind slots that are all taken.
  const queued = open();
  const waiting = await until('it is queued', () => runOf(a, 'queued', queued));
  expect(await ask(b, `/runs/${waiting}/cancel`, { by: 'alice' })).toMatchObject({ status: 200 });
  await hasFailed(queued);
  expect(starts.filter(isAlive)).toHaveLength(3);

  // Received: its claim hangs at the platform.
  const hang = hub.faults.inject({ method: 'GET', path: /\/issues\/5$/ }, { kind: 'hang' });
  const received = open();
  const answer = await until('its claim is under way, and hears of it', async () => {
    const run = await runOf(b, 'received', received);
    const said = run === undefined ? undefined : await ask(c, `/runs/${run}/cancel`, { by: 'bob' });
    return said?.status === 202 ? said : undefined;
  });
  expect(answer.body).toEqual({ state: 'received', cancel_requested: 'bob' });
  hang.remove();
  await hasFailed(received);

  // Running: on a worker that lives, one that stands still, one that is dead.
  expect(await ask(b, `/runs/${first.run}/retry`, {})).toMatchObject({ status: 409 });
  expect(await ask(b, `/runs/${first.run}/cancel`, { by: 'alice' })).toEqual(cancelled('alice'));
  b.signal('SIGSTOP');
  c.signal('SIGKILL');
  expect(await ask(a, `/runs/${second.run}/cancel`, { by: 'bob' })).toEqual(cancelled('bob'));
  expect(await ask(a, `/runs/${third.run}/cancel`, { by: 'carol' })).toEqual(cancelled('carol'));
  await Promise.all([stubborn, frozen, orphan].map(hasFailed));
  expect(starts.filter(isAlive)).toEqual([]);

  // The sleeper finds that its run has ended, and touches nothing.
  const history = hub.ledger.lifecycleHistory(frozen);
  b.signal('SIGCONT');
  await until('the sleeper has seen it', () =>
    b.logs.some(({ msg, outcome }) => msg === 'attempt ended' && outcome === 'superseded'),
  );
  expect(hub.ledger.lifecycleHistory(frozen)).toEqual(history);

  // Taken back on the ticket itself, which a poll notices.
  const [closed, unlabelled] = [open(), open()];
  const more = await Promise.all([closed, unlabelled].map((ticket) => startOf(site, ticket)));
  hub.closeIssue(closed);
  hub.removeLabel(unlabelled, 'agent-smith');
  await Promise.all([closed, unlabelled].map(hasFailed));
  expect(more.filter(isAlive)).toEqual([]);

  // Once the commands may end, and everything was looked at a few times more: nothing was started again.
  await letGo(site);
  const polls = hub.ledger.requests({ method: 'GET', path: /\/issues\?/ }).length;
  await until('a few polls more', () => hub.ledger.requests({ method: 'GET', path: /\/issues\?/ }).length > polls + 4);
  expect((await startsOf(site)).map(({ ticket }) => ticket).toSorted()).toEqual(['1', '2', '3', '6', '7']);
  const said = (ticket: string): readonly string[] =>
    hub.issue(ticket).comments.map(({ body }) => /was cancelled: ([^.]+)\./.exec(body)?.[1] ?? body);
  expect([stubborn, frozen, orphan, queued, received, closed, unlabelled].map(said)).toEqual([
    ['`cancelled by alice`'],
    ['`cancelled by bob`'],
    ['`cancelled by carol`'],
    ['`cancelled by alice`'],
    ['`cancelled by bob`'],
    ['`cancelled by closing the ticket`'],
    ['`cancelled by removing the trigger label`'],
  ]);

  // A further run.
  expect(await ask(a, `/runs/${first.run}/cancel`, {})).toMatchObject({ status: 409 });
  const again = await ask(b, `/runs/${first.run}/retry`, {});
  expect(again).toMatchObject({ status: 200, body: { kind: 'claimed' } });
  expect(again.body['run']).not.toBe(first.run);
  await until('the ticket is done', () => labelsOf(stubborn).includes('agent-smith:done'));
  expect((await ask(a, `/runs/${String(again.body['run'])}`)).body).toMatchObject({ trigger: 'manual', attempt: 1 });
  expect(await ask(b, `/runs/${first.run}/retry`, {})).toMatchObject({
    status: 409,
    body: { detail: 'the ticket has a newer run' },
  });
  expect((await site.ledger()).filter(({ event }) => event === 'overlap')).toEqual([]);
}, 90_000);

test('at once: long before the next heartbeat, whoever is asked, by the API and by a delivery that the ticket was closed', async () => {
  const hub = await startHub();
  await markFresh(redis.url);
  const site = await openSite({
    redisUrl: redis.url,
    work: WORK,
    projects: webhookProject(hub),
  });
  // A beat every 10 s: whoever misses the message is noticed.
  const replicas = await Promise.all([1, 2].map(() => site.start({ env: ENV, timeScale: 2 })));
  const [one, other] = replicas as [Replica, Replica];
  hub.addWebhook(REPOSITORY, { url: `http://127.0.0.1:${one.port}/webhook/github`, secret: SECRET });
  // The first one is deaf to SIGTERM.
  hub.openIssue(REPOSITORY);
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const start = await startOf(site, ticket);
  const elsewhere = workerOf(replicas, start) === one ? other : one;
  const askedAtMs = performance.now();
  expect(await ask(elsewhere, `/runs/${start.run}/cancel`, {})).toMatchObject({ status: 202 });
  await until('its command is gone', () => !isAlive(start));
  expect(performance.now() - askedAtMs).toBeLessThan(5_000);
  const closed = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket;
  const last = await startOf(site, closed);
  hub.closeIssue(closed);
  await until('the record has the wish', async () => {
    const { body } = await ask(elsewhere, `/runs/${last.run}`);
    return body['cancel_requested'] === 'closing the ticket';
  });
  const closedAtMs = performance.now();
  await until('its command is gone', () => !isAlive(last));
  expect(performance.now() - closedAtMs).toBeLessThan(5_000);
});
