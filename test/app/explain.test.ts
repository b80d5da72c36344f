/** An explanation beyond the gates: what the last poll saw, who leads, and what happens next. */
import { expect, test } from 'vitest';
import { type ExplainDeps, explain } from '../../src/app/inquiry/explain.ts';
import { createClaimForesight } from '../../src/claims/claim-foresight.ts';
import { explanationLines } from '../../src/cli/explain-text.ts';
import { createLeases } from '../../src/coordination/lease.ts';
import { createPollBoard, type PollSummary } from '../../src/coordination/poll-board.ts';
import type { Project } from '../../src/domain/project.ts';
import { type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const never = new AbortController().signal;

/** A house with ticket 1, which carries the trigger label. */
async function openWith(change: (plain: Project) => Project = (plain) => plain) {
  const house = await openHouse({ redisUrl: redis.url, projects: (plain) => [change(plain)] });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const board = createPollBoard(house.redis);
  const leases = createLeases(house.redis, house.timing);
  const { runs, decisions, admissions } = house;
  const stores = { runs, decisions, admissions, pollBoard: board, leases };
  return { house, board, leases, ask: asking(house, stores) };
}

function asking(house: House, stores: ExplainDeps['stores']) {
  const { catalog, platformOf, claimRecords: records, timing } = house;
  const foresight = createClaimForesight({ catalog: () => catalog, platformOf, records }, timing);
  return (project = 'api') => explain({ catalog: () => catalog, foresight, stores }, { project, ticketId: '1' }, never);
}

function onlyWebhooks({ polling, ...plain }: Project): Project {
  expect(polling).toBeDefined();
  return { ...plain, triggers: new Set(['webhook', 'manual']) };
}

const poll = (facts: Partial<PollSummary>): PollSummary => ({
  project: 'api',
  by: 'pod-1',
  atMs: Date.now(),
  durationMs: 10,
  result: 'ok',
  heldBack: false,
  retryAfterMs: undefined,
  discovered: 0,
  pending: 0,
  claimed: 0,
  skipped: {},
  truncated: false,
  requests: 2,
  effectiveIntervalMs: 90_000,
  engine: 'polling',
  recovered: 0,
  ...facts,
});

test('a poller that works: claimed in the next poll, by the interval as it is stretched now', async () => {
  const { board, leases, ask } = await openWith();
  await leases.acquire('poller', 'pod-1:token');
  await board.publish(poll({ atMs: Date.now() - 30_000 }));
  const { polling, next } = await ask();
  expect(polling).toMatchObject({ project: 'api', leader: 'pod-1', last: { by: 'pod-1' } });
  expect(polling.trouble).toBeUndefined();
  expect(next).toMatch(/^claimed in the next poll of api, in about (60|59) s$/);
});

const TROUBLES: readonly [string, Partial<PollSummary> | undefined, RegExp][] = [
  ['it was not polled yet', undefined, /not been polled yet/],
  ['the platform failed', { result: 'auth' }, /last poll failed \(auth\)/],
  ['its credential is held back', { result: 'rate-limited', heldBack: true }, /credential is held back/],
  [
    'it is long overdue',
    { atMs: Date.now() - 600_000 },
    /last poll was 60\d s ago, .* every 90 s: see the log of pod-1/,
  ],
  ['the listing was cut', { truncated: true }, /longer than one cycle takes/],
];
test.each(TROUBLES)('why the last cycle brought nothing: %s', async (_, facts, trouble) => {
  const { board, leases, ask } = await openWith();
  await leases.acquire('poller', 'pod-1:token');
  if (facts !== undefined) await board.publish(poll(facts));
  const { polling, next } = await ask();
  expect(polling.trouble).toMatch(trouble);
  expect(next).toMatch(trouble);
});

test('no replica leads: that is said, also when there was a poll a moment ago', async () => {
  const { board, ask } = await openWith();
  await board.publish(poll({}));
  expect((await ask()).polling.trouble).toBe('no replica leads the polls at the moment');
});

test('a project that only takes webhooks is explained as for a webhook', async () => {
  const { ask } = await openWith(onlyWebhooks);
  const answer = await ask();
  expect(answer).toMatchObject({ trigger: 'webhook', outcome: { kind: 'would-claim' } });
  expect(answer.next).toContain('the next webhook about it; `agent-smith claim api 1` claims it at once');
  expect(answer.polling.trouble).toBe('no project on its source is polled');
});

test('a project that nothing brings tickets to stops at the trigger', async () => {
  const { ask } = await openWith((plain) => ({ ...plain, triggers: new Set(['manual', 'reconcile']) }));
  expect(await ask()).toMatchObject({
    trigger: 'poll',
    outcome: { kind: 'rejected', reason: 'trigger-not-allowed' },
    next: expect.stringContaining('a person may claim it by hand'),
  });
});

test('a disabled project: its run and its decisions are shown all the same', async () => {
  const { house, leases, board } = await openWith();
  await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  const projects = house.catalog.projects.map((project) => ({ ...project, disabled: 'no token' }));
  const off = { ...house, catalog: { ...house.catalog, projects } };
  const answer = await asking(off, { ...house, pollBoard: board, leases })();
  expect(answer).toMatchObject({
    outcome: { kind: 'rejected', reason: 'project-disabled' },
    run: { state: 'queued' },
    decisions: [{ outcome: 'claimed' }],
  });
});

test('decisions are those of the ticket, newest first, out of thousands of others', async () => {
  const { house, ask } = await openWith();
  const decide = (ticket: string, outcome: string) =>
    house.decisions.record({ ticket, project: 'api', by: 'claim', outcome });
  await decide(house.keyOf(1), 'first');
  await Promise.all(Array.from({ length: 1_500 }, (_, i) => decide(house.keyOf(i + 2), 'other')));
  await decide(house.keyOf(1), 'second');
  expect((await ask()).decisions.map(({ outcome }) => outcome)).toEqual(['second', 'first']);
});

test('of a run that waits in the backlog it is told for what', async () => {
  const { house, ask } = await openWith((plain) => ({ ...plain, maxParallelJobs: 1 }));
  const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  for (const ticketId of [String(number), '1']) {
    await house.claims.claim({ project: 'api', ticketId, trigger: 'poll' }, never);
  }
  const { run, waits } = await ask();
  expect(run).toMatchObject({ state: 'queued', admittedAtMs: 0 });
  expect(waits).toMatchObject({ for: 'project-cap', position: 1, waiting: 1 });
  const lines = explanationLines(await ask(), { nowMs: Date.now(), width: 500, startLabels: [] });
  expect(lines).toContain(`it waits: ${waits?.text}`);
});

test('of a run that failed the end of its output is told, and of no other', async () => {
  const { house, ask } = await openWith();
  await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  expect((await ask()).output).toBeUndefined();
  const queued = await house.runs.ofTicket(house.keyOf(1));
  if (queued === undefined) throw new Error('the ticket has no run');
  await house.attemptRecords.start(queued, 'worker');
  const run = await house.runs.get(queued.id);
  const name = { run: queued.id, ticket: queued.ticket, attempt: 1, fence: run?.attemptFence ?? 0 };
  const output = 'cloning\nfatal: no such branch\n';
  await house.attemptRecords.finish(name, { state: 'failed', reason: 'exit code 1', output, onlyIfDead: false });
  expect(await ask()).toMatchObject({ run: { state: 'failed', reason: 'exit code 1' }, output });
});
