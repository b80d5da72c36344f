/** Polling on real Redis and an emulated platform (DESIGN 4.1). */
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Project } from '../../../src/domain/project.ts';
import type { Fault } from '../../../src/emulators/faults.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { openHouse, REPOSITORY } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { startPolling } from './polling.ts';

const redis = useRedis();
const OTHER = 'org/other';
const LISTING = /\/repos\/org\/api\/issues\?/;

/** `api` on org/api and `other` on org/other. */
const two = (plain: Project): readonly Project[] => [
  plain,
  { ...plain, name: 'other', source: { ...plain.source, container: OTHER } },
];
const quick = (plain: Project): readonly Project[] => [{ ...plain, polling: { intervalMs: 50, jitterPercent: 0 } }];

test('poller: a hung server is aborted at the listing deadline and delays no other project', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: (plain) => two(plain).flatMap(quick) });
  house.hub.faults.inject({ path: LISTING }, { kind: 'hang' });
  const polling = startPolling(house, { listingDeadlineMs: 1_000 });
  const hung = await polling.poll('api', () => true);
  expect(hung).toMatchObject({ result: 'unavailable', discovered: 0 });
  expect(hung.durationMs).toBeGreaterThanOrEqual(1_000);
  expect(hung.durationMs).toBeLessThan(1_900);
  // The other was polled again and again meanwhile, and not one of its polls waited.
  const others = polling.polls.filter(({ project }) => project === 'other');
  expect(others.length).toBeGreaterThan(3);
  for (const { result, durationMs } of others) {
    expect(result).toBe('ok');
    expect(durationMs).toBeLessThan(1_000);
  }
  await until(
    'the server has seen the request abandoned',
    () => house.hub.ledger.requests({ path: LISTING, outcome: 'abandoned' }).length > 0,
  );
});

test.each<[string, Fault, string]>([
  ['401', { kind: 'answer', status: 401, body: { message: 'Bad credentials' } }, 'auth'],
  ['403', { kind: 'answer', status: 403, body: { message: 'Resource not accessible' } }, 'auth'],
  ['404', { kind: 'answer', status: 404, body: { message: 'Not Found' } }, 'not-found'],
  ['429', { kind: 'answer', status: 429, headers: { 'retry-after': '7' } }, 'rate-limited'],
  ['502', { kind: 'answer', status: 502, body: 'bad gateway' }, 'unavailable'],
  ['an HTML page', { kind: 'html' }, 'invalid-response'],
  ['a cut connection', { kind: 'cut' }, 'unavailable'],
  ['an answer cut inside its body', { kind: 'cut-inside-body' }, 'unavailable'],
])('poller: %s is shown as an error by its kind, never as zero tickets', async (_, fault, kind) => {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  house.hub.faults.inject({ path: LISTING }, fault);
  const polling = startPolling(house);
  const poll = await polling.poll('api', () => true);
  expect(poll).toMatchObject({ result: kind, claimed: 0, problem: expect.stringMatching(/./) });
  expect(poll.retryAfterMs).toBe(kind === 'rate-limited' ? 7_000 : undefined);
  expect(polling.pollers.results().get('api')).toBe(poll);
});

test('poller: three failures in a row are a finding, which a success clears', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const fault = house.hub.faults.inject({ path: LISTING }, { kind: 'answer', status: 502 });
  const polling = startPolling(house);
  const finding = await until('it is a finding', () => house.findings.all()[0]);
  expect(finding).toMatchObject({
    code: 'poll-failing',
    severity: 'error',
    text: expect.stringContaining('(unavailable)'),
  });
  expect(polling.polls.length).toBeGreaterThanOrEqual(3);
  fault.remove();
  await until('it is cleared', () => house.findings.all().length === 0);
  await polling.poll('api', ({ result }) => result === 'ok');
});

test('poller: what stops polls is told once in the log, and again when it is something else', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const told: string[] = [];
  const destination = new PassThrough();
  destination.on('data', (line: Buffer) => told.push(line.toString()));
  const down = house.hub.faults.inject({ path: LISTING }, { kind: 'answer', status: 502 });
  startPolling(house, { log: createLog({ level: 'warn', redactor: createRedactor(), destination }) });
  await down.hit({ count: 4 });
  down.remove();
  house.hub.faults.inject({ path: LISTING }, { kind: 'answer', status: 401 });
  await until('it is told', () => told.length === 2);
  expect(told).toEqual([expect.stringContaining('answered 502'), expect.stringContaining('answered 401')]);
});

test('poller: tickets that stay where they are are told of once, and again when that changes', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const { ticket } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith:pending'] });
  house.hub.closeIssue(ticket);
  const told: string[] = [];
  const destination = new PassThrough();
  destination.on('data', (line: Buffer) => told.push(line.toString()));
  const polling = startPolling(house, { log: createLog({ level: 'info', redactor: createRedactor(), destination }) });
  const polls = (): string[] => told.filter((line) => line.includes('"poll"'));
  await until('four cycles', () => polling.polls.length >= 4);
  expect(polls()).toEqual([expect.stringContaining('not-eligible: closed')]);
  house.hub.reopenIssue(ticket);
  await polling.poll('api', ({ claimed }) => claimed === 1);
  await until('it is told', () => polls().length === 2);
});

test('poller: a term that ends takes its findings with it, since the next leader sees for itself', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  house.hub.faults.inject({ path: LISTING }, { kind: 'answer', status: 502 });
  const polling = startPolling(house);
  await until('it is a finding', () => house.findings.all()[0]);
  polling.endTerm();
  await polling.ended;
  expect(house.findings.all()).toEqual([]);
  expect(polling.pollers.results().size).toBe(0);
});

test('poller: 250 labelled issues on three pages are all claimed, pull requests and closed issues are not', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const issues = Array.from({ length: 250 }, () => house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }));
  const pull = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'], isPullRequest: true });
  const closed = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  house.hub.closeIssue(closed.ticket);
  const polling = startPolling(house);
  const poll = await polling.poll('api', ({ claimed }) => claimed > 0);
  expect(poll).toMatchObject({ result: 'ok', discovered: 250, claimed: 250, skipped: {}, truncated: false });
  for (const { ticket } of issues) expect(house.hub.issue(ticket).labels).toContain('agent-smith:enqueued');
  for (const { ticket } of [pull, closed]) expect(house.hub.issue(ticket).labels).toEqual(['agent-smith']);
});

test('poller: 10,000 issues are worked off over several cycles, visibly truncated, and none starves', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const tickets = Array.from(
    { length: 10_000 },
    () => house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket,
  );
  // What the claim does is shown elsewhere; here only that every ticket gets its turn.
  const polling = startPolling(house, {
    listingDeadlineMs: 10_000,
    claim: async ({ project, ticketId }) => {
      house.hub.addLabel(`${REPOSITORY}#${ticketId}`, 'agent-smith:enqueued');
      return { kind: 'claimed', run: ticketId, project, pipeline: 'fix-bug' };
    },
  });
  await until('all had their turn', () => polling.asked.length >= tickets.length, 60_000);
  expect(new Set(polling.asked.map(({ ticketId }) => ticketId)).size).toBe(10_000);
  expect(polling.asked).toHaveLength(10_000);
  const working = polling.polls.filter(({ claimed }) => claimed > 0);
  expect(working.length).toBeGreaterThanOrEqual(15);
  for (const { claimed } of working) expect(claimed).toBeLessThan(700);
  expect(working.slice(0, -1).every(({ truncated }) => truncated)).toBe(true);
});

test('poller: a backlog larger than one cycle takes in is gone on with at once, not an interval later', async () => {
  const hourly = (plain: Project): readonly Project[] => [
    { ...plain, polling: { intervalMs: 3_600_000, jitterPercent: 0 } },
  ];
  const house = await openHouse({ redisUrl: redis.url, projects: hourly });
  for (let opened = 0; opened < 1_200; opened += 1) house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const pauses: number[] = [];
  const polling = startPolling(house, {
    listingDeadlineMs: 10_000,
    claim: async ({ project, ticketId }) => ({ kind: 'claimed', run: ticketId, project, pipeline: 'fix-bug' }),
    sleep(ms, signal) {
      if (ms > 0) pauses.push(ms);
      return sleep(ms <= 1_000 ? 0 : ms, signal);
    },
  });
  await until('all had their turn', () => polling.asked.length >= 1_200 && pauses.at(-1) === 3_600_000);
  expect(pauses).toEqual([1_000, 1_000, 3_600_000]);
});

test('poller: one bad page hides neither the good ones nor itself', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const tickets = Array.from({ length: 150 }, () => house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }));
  house.hub.faults.inject({ path: /issues\?.*[?&]page=2/ }, { kind: 'answer', status: 502 });
  const polling = startPolling(house);
  const poll = await polling.poll('api', () => true);
  expect(poll).toMatchObject({ result: 'unavailable', discovered: 100, claimed: 100 });
  house.hub.faults.clear();
  await until('all are claimed', () =>
    tickets.every(({ ticket }) => house.hub.issue(ticket).labels.includes('agent-smith:enqueued')),
  );
});

test('poller: catchup finds `pending` without a trigger label, explains a closed ticket, and leaves what is at work', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const label = (...labels: string[]) => house.hub.openIssue(REPOSITORY, { labels });
  const pending = label('agent-smith:pending');
  const closed = label('agent-smith:pending');
  house.hub.closeIssue(closed.ticket);
  const atWork = label('agent-smith', 'agent-smith:in-progress');
  const done = label('agent-smith', 'agent-smith:done');
  const people = label('bug');
  const polling = startPolling(house);
  const poll = await polling.poll('api', () => true);
  expect(poll).toMatchObject({ result: 'ok', discovered: 0, pending: 2, claimed: 1 });
  expect(Object.values(poll.skipped)).toEqual([1]);
  expect(Object.keys(poll.skipped)[0]).toContain('closed');
  expect(house.hub.issue(pending.ticket).labels).toEqual(['agent-smith:enqueued']);
  for (const { ticket, labels } of [closed, atWork, done, people])
    expect(house.hub.issue(ticket).labels).toEqual(labels);
});

test('poller: with an empty map nothing is discovered, only `pending` starts a run', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [{ ...plain, routing: { pipelineFromLabel: new Map(), pipeline: 'fix-bug' } }],
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const pending = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith:pending'] });
  const polling = startPolling(house);
  expect(await polling.poll('api', () => true)).toMatchObject({ discovered: 0, pending: 1, claimed: 1 });
  expect(house.hub.issue(pending.ticket).labels).toEqual(['agent-smith:enqueued']);
  expect(
    house.hub.ledger.requests({ path: /issues\?/ }).every(({ path }) => path.includes('agent-smith%3Apending')),
  ).toBe(true);
});

test('poller: two projects on one source share its tickets, each is claimed once and by the project that wants it', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => [
      plain,
      { ...plain, name: 'security', routing: { pipelineFromLabel: new Map([['security-review', 'fix-bug']]) } },
    ],
  });
  const mine = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const theirs = house.hub.openIssue(REPOSITORY, { labels: ['security-review'] });
  const both = house.hub.openIssue(REPOSITORY, { labels: ['security-review', 'agent-smith'] });
  const polling = startPolling(house);
  await until('all are claimed', () => polling.polls.reduce((sum, { claimed }) => sum + claimed, 0) === 3);
  for (const { ticket } of [mine, theirs, both])
    expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
  const projectOf = async (number: number) => (await house.runs.ofTicket(house.keyOf(number)))?.project;
  expect(await projectOf(mine.number)).toBe('api');
  expect(await projectOf(theirs.number)).toBe('security');
  expect(await projectOf(both.number)).toBe('api');
});

test('poller: the lifecycle labels are created once, with colours, and not again in the next cycles', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const polling = startPolling(house);
  await until('three cycles', () => polling.polls.length >= 3);
  const created = house.hub.ledger.requests({ method: 'POST', path: /\/labels$/ });
  expect(created).toHaveLength(5);
  expect(house.hub.ledger.requests({ method: 'GET', path: /\/labels\?/ })).toHaveLength(1);
});

test('poller: a platform that refuses to prepare the lifecycle labels is polled all the same, and asked again', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const { ticket } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const labels = house.hub.faults.inject({ method: 'GET', path: /\/labels\?/ }, { kind: 'answer', status: 502 });
  startPolling(house);
  await until('it is claimed', () => house.hub.issue(ticket).labels.includes('agent-smith:enqueued'));
  await labels.hit({ count: 2 });
  labels.remove();
  await until('they are created', () =>
    house.hub.repositoryLabels(REPOSITORY).some(({ name }) => name === 'agent-smith:done'),
  );
});

test('poller: a ticket whose pipeline has no runner is read once, and counted in every cycle', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) =>
      quick({
        ...plain,
        routing: { ...plain.routing, pipelineFromLabel: new Map([['agent-smith', 'nobody-runs-this']]) },
      }),
  });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const polling = startPolling(house);
  await until('three cycles', () => polling.polls.length >= 3);
  for (const { skipped } of polling.polls) expect(skipped).toEqual({ 'rejected: no-runner': 1 });
  expect(house.hub.ledger.requests({ method: 'GET', path: /\/issues\/1$/ })).toHaveLength(1);
});

test('poller: a closed ticket that is still pending is read once, and taken up when it is opened again', async () => {
  const house = await openHouse({ redisUrl: redis.url, projects: quick });
  const { ticket } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith:pending'] });
  house.hub.closeIssue(ticket);
  const polling = startPolling(house);
  await until('three cycles', () => polling.polls.length >= 3);
  expect(house.hub.ledger.requests({ method: 'GET', path: /\/issues\/1$/ })).toHaveLength(1);
  house.hub.reopenIssue(ticket);
  await polling.poll('api', ({ claimed }) => claimed === 1);
});

test('poller: such a ticket is asked about again when its labels or the configuration change', async () => {
  const toNowhere = new Map([['agent-smith', 'no-such-pipeline']]);
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => quick({ ...plain, routing: { pipelineFromLabel: toNowhere } }),
  });
  const { ticket } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const polling = startPolling(house);
  await until('it is asked about', () => polling.asked.length === 1);
  house.hub.addLabel(ticket, 'urgent');
  await until('it is asked about again', () => polling.asked.length === 2);
  polling.reload({ ...house.catalog, hash: 'next' });
  await until('it is asked about under the new configuration', () => polling.asked.length === 3);
});

test('poller: when its term ends nothing more is begun, and the claims under way are finished', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const tickets = Array.from({ length: 20 }, () => house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }).ticket);
  const reads = house.hub.faults.inject({ method: 'GET', path: /\/issues\/\d+$/ }, { kind: 'latency', delayMs: 200 });
  const polling = startPolling(house);
  await reads.hit();
  polling.endTerm();
  await polling.ended;
  const enqueued = tickets.filter((ticket) => house.hub.issue(ticket).labels.includes('agent-smith:enqueued'));
  expect(enqueued.length).toBeGreaterThan(0);
  expect(enqueued.length).toBe(polling.asked.length);
  expect(polling.asked.length).toBeLessThanOrEqual(4);
  expect(await house.runs.inState('received', { most: 100 })).toEqual([]);
  expect(polling.polls).toEqual([]);
});

test('poller: a reload changes the projects at once, and a slow claim of the old ones does not hold up the new ones', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const [api] = house.catalog.projects;
  const [, other] = api === undefined ? [] : two(api);
  if (other === undefined) throw new Error('no project');
  const slow = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const read = house.hub.faults.inject(
    { path: /\/repos\/org\/api\/issues\/\d+$/, times: 1 },
    { kind: 'latency', delayMs: 700 },
  );
  const polling = startPolling(house);
  await read.hit();
  polling.reload({ ...house.catalog, hash: 'next', projects: [other] });
  await polling.poll('other', ({ result }) => result === 'ok');
  expect(house.hub.issue(slow.ticket).labels).toEqual(['agent-smith']);
  await until('the claim under way is finished', () =>
    house.hub.issue(slow.ticket).labels.includes('agent-smith:enqueued'),
  );
  expect([...polling.pollers.results().keys()]).toEqual(['other']);
});

test('poller: reloads in quick succession keep no project from being listed', async () => {
  const house = await openHouse({
    redisUrl: redis.url,
    projects: (plain) => ['a', 'b', 'c'].map((name) => ({ ...plain, name })),
  });
  // Each time it is reloaded before the second one's turn comes.
  const polling = startPolling(house, { sleep: (ms, signal) => sleep(ms === 0 ? 0 : 60_000, signal) });
  for (const count of [1, 2, 3]) {
    await until(`poll ${count}`, () => polling.polls.length === count);
    polling.reload({ ...house.catalog, hash: String(count) });
  }
  expect(polling.polls.map(({ project }) => project)).toEqual(['a', 'b', 'c']);
});

test('poller: a loop that cannot run ends the term, so that another replica may try', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const broken = { ...house.catalog, projects: [{ ...house.project, routing: undefined }] };
  const polling = startPolling(house);
  await polling.poll('api', ({ result }) => result === 'ok');
  polling.reload(broken as never);
  await expect(polling.ended).rejects.toThrow('pipelineFromLabel');
});
