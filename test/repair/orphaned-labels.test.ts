/**
 * The platform pass (PROTOCOL 5, rows "none"; PROTOCOL 6 and 7): what the labels say after Redis has lost everything.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { scaleTiming } from '../../src/domain/timing.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { FAST, type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { runningRun, runOf } from '../worker/worker-room.ts';
import { openPlatformPass } from './platform-passes.ts';
import { type TestTerm, termOf } from './terms.ts';

const redis = useRedis();
const SECOND_READ_MS = 100;
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url, timing: { ...FAST, secondReadMs: SECOND_READ_MS } });
});

interface PassOptions {
  readonly recoveringMs?: () => number;
  readonly mayAdopt?: (source: string) => boolean;
  readonly platform?: TicketPlatform;
  readonly listingDeadlineMs?: number;
  readonly incarnation?: () => string;
}

function orphanedLabels(options: PassOptions = {}) {
  const told: string[] = [];
  const pass = openPlatformPass(
    {
      ...house,
      catalog: () => house.catalog,
      platformOf: () => options.platform ?? house.platform,
      recoveringMs: options.recoveringMs ?? (() => 0),
      mayAdopt: options.mayAdopt ?? (() => true),
      incarnation: options.incarnation ?? (() => 'first'),
      log: silentLog,
      onRepair: async ({ kind, ticket, outcome }) => {
        told.push(`${ticket.split('~').at(-1)} ${kind} ${outcome}`);
      },
    },
    {
      ...scaleTiming(FAST, 10),
      secondReadMs: SECOND_READ_MS,
      ...(options.listingDeadlineMs === undefined ? {} : { listingDeadlineMs: options.listingDeadlineMs }),
    },
  );
  return { told, pass: (term: TestTerm = termOf()) => pass(term) };
}

const open = (...labels: string[]): string => house.hub.openIssue(REPOSITORY, { labels }).ticket;
const reads = (ticket: number): number =>
  house.hub.ledger.requests({ method: 'GET', path: new RegExp(`/issues/${ticket}$`) }).length;

test('row none/enqueued: a new run, trigger reconcile, without writing the label again', async () => {
  const ticket = open('agent-smith', 'agent-smith:enqueued');
  const { pass, told } = orphanedLabels();
  await pass();
  const run = await house.runs.ofTicket(house.keyOf(1));
  expect(run).toMatchObject({ state: 'queued', trigger: 'reconcile', project: 'api', pipeline: 'fix-bug' });
  expect(await house.queue.depth()).toBe(1);
  expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:enqueued']);
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
  expect(told).toEqual(['1 orphaned-label claim']);
});

test('row none/in-progress: back to pending, from where it is claimed again', async () => {
  const ticket = open('agent-smith', 'bug', 'agent-smith:in-progress');
  const { pass, told } = orphanedLabels();
  await pass();
  // By the pass itself: a project that is not polled would never see its `pending`.
  expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['in-progress', 'pending', 'enqueued']);
  expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'bug', 'agent-smith:enqueued']);
  expect(await house.runs.ofTicket(house.keyOf(1))).toMatchObject({ state: 'queued', trigger: 'reconcile' });
  expect(told).toEqual(['1 orphaned-label write']);
});

test('row none/done, failed: nothing', async () => {
  const done = open('agent-smith', 'agent-smith:done');
  const failed = open('agent-smith', 'agent-smith:failed');
  const { pass, told } = orphanedLabels();
  await pass();
  expect(house.hub.issue(done).labels).toEqual(['agent-smith', 'agent-smith:done']);
  expect(house.hub.issue(failed).labels).toEqual(['agent-smith', 'agent-smith:failed']);
  expect(told).toEqual([]);
});

test('row none: a terminal label beside a live one wins, and the surplus is removed', async () => {
  const ticket = open('agent-smith', 'agent-smith:in-progress', 'agent-smith:done');
  const { pass } = orphanedLabels();
  await pass();
  expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:done']);
  expect(await house.runs.ofTicket(house.keyOf(1))).toBeUndefined();
});

test('a ticket that changes between the two reads is left for the next pass', async () => {
  const ticket = open('agent-smith', 'agent-smith:in-progress');
  const { pass, told } = orphanedLabels();
  const passing = pass();
  await until('it was read once', () => reads(1) === 1);
  house.hub.setLabels(ticket, ['agent-smith', 'agent-smith:enqueued']);
  await passing;
  expect(reads(1)).toBe(2);
  expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:enqueued']);
  expect(told).toEqual([]);
});

test('a record that appears between the two reads has the word', async () => {
  const run = await runningRun(house);
  await house.labels.project(run.id, { mayWrite: () => true, signal: new AbortController().signal });
  expect(house.labelsOf(1)).toContain('agent-smith:in-progress');
  await redis.client.flushall();
  const { pass, told } = orphanedLabels();
  const before = reads(1);
  const passing = pass();
  await until('it was read once', () => reads(1) === before + 1);
  await house.attemptRecords.restore(run);
  await passing;
  expect(house.labelsOf(1)).toContain('agent-smith:in-progress');
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running' });
  expect(told).toEqual([]);
});

test('a loss of Redis between the two reads: nothing is adopted or reset, live workers report first', async () => {
  const orphan = open('agent-smith', 'agent-smith:in-progress');
  const adoptable = open('agent-smith', 'agent-smith:enqueued');
  let recovering = 0;
  const { pass, told } = orphanedLabels({ recoveringMs: () => recovering });
  const passing = pass();
  await until('both were read once', () => reads(1) === 1 && reads(2) === 1);
  recovering = 6_000;
  await passing;
  expect(house.hub.issue(orphan).labels).toContain('agent-smith:in-progress');
  expect(house.hub.issue(adoptable).labels).toContain('agent-smith:enqueued');
  expect(await house.runs.ofTicket(house.keyOf(2))).toBeUndefined();
  expect(told).toEqual([]);
});

test('a term that ends between the two reads changes nothing', async () => {
  const ticket = open('agent-smith', 'agent-smith:in-progress');
  const { pass } = orphanedLabels();
  const term = termOf();
  const passing = pass(term);
  await until('it was read once', () => reads(1) === 1);
  term.lose();
  await passing;
  expect(house.hub.issue(ticket).labels).toContain('agent-smith:in-progress');
});

test('a ticket whose label is what its record says costs no request of its own', async () => {
  const run = await runningRun(house);
  await house.labels.project(run.id, { mayWrite: () => true, signal: new AbortController().signal });
  const before = reads(1);
  const { pass, told } = orphanedLabels();
  await pass();
  expect(reads(1)).toBe(before);
  expect(told).toEqual([]);
});

test('a live run whose label is wrong gets it back at once', async () => {
  const run = await runningRun(house);
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith', 'agent-smith:enqueued']);
  const { pass, told } = orphanedLabels();
  await pass();
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:in-progress']);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', labelState: 'confirmed' });
  expect(told).toEqual(['1 label-repair write']);
});

test('many orphans are read a few at a time, and one that cannot be read does not hold up the others', async () => {
  for (let i = 0; i < 30; i += 1) open('agent-smith', 'agent-smith:enqueued');
  let reading = 0;
  let most = 0;
  const platform: TicketPlatform = {
    ...house.platform,
    async readTicket(id, call) {
      reading += 1;
      most = Math.max(most, reading);
      try {
        return await house.platform.readTicket(id, call);
      } finally {
        reading -= 1;
      }
    },
  };
  house.hub.faults.inject({ method: 'GET', path: /\/issues\/7$/ }, { kind: 'answer', status: 502 });
  await orphanedLabels({ platform }).pass();
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThanOrEqual(4);
  expect((await house.runs.inState('queued', { most: 100 })).map(({ ticketId }) => ticketId)).toHaveLength(29);
});

const NEVER = new AbortController().signal;
const showLabel = (run: string): Promise<void> => house.labels.project(run, { mayWrite: () => true, signal: NEVER });

/** The house's platform, listing one ticket per page; `beforePage` may be slow or throw. */
function pageByPage(beforePage: (page: number) => Promise<void>): { platform: TicketPlatform; pages: number[] } {
  const pages: number[] = [];
  const platform: TicketPlatform = {
    ...house.platform,
    async listTickets(query, cursor, call) {
      const page = Number(cursor ?? 0);
      pages.push(page);
      await beforePage(page);
      const { tickets } = await house.platform.listTickets({ ...query, labels: ['agent-smith'] }, undefined, {
        ...call,
        deadlineMs: 5_000,
      });
      const next = page + 1 < tickets.length ? { next: String(page + 1) } : {};
      return { tickets: tickets.slice(page, page + 1), ...next };
    },
  };
  return { platform, pages };
}

const queuedTickets = async (): Promise<string[]> =>
  (await house.runs.inState('queued', { most: 100 })).map(({ ticketId }) => ticketId).sort();

test('a listing that is longer than its deadline is taken piece by piece, to its end', async () => {
  for (let i = 0; i < 4; i += 1) open('agent-smith', 'agent-smith:enqueued');
  let adoptedBeforeLast: string[] = [];
  const { platform, pages } = pageByPage(async (page) => {
    if (page === 3) adoptedBeforeLast = await queuedTickets();
    await delay(60);
  });
  await orphanedLabels({ platform, listingDeadlineMs: 50 }).pass();
  expect(pages).toEqual([0, 1, 2, 3]);
  expect(adoptedBeforeLast).toEqual(['1', '2', '3']);
  expect(await queuedTickets()).toEqual(['1', '2', '3', '4']);
});

test('a page that fails does not hide those before it, and the next pass goes on from there', async () => {
  for (let i = 0; i < 3; i += 1) open('agent-smith', 'agent-smith:enqueued');
  let broken = true;
  const { platform, pages } = pageByPage(async (page) => {
    if (page === 1 && broken) throw new PlatformError('invalid-response', 'a bad page');
  });
  const { pass } = orphanedLabels({ platform });
  const term = termOf();
  await pass(term);
  expect(await queuedTickets()).toEqual(['1']);
  broken = false;
  await pass(term);
  expect(pages).toEqual([0, 1, 1, 2]);
  expect(await queuedTickets()).toEqual(['1', '2', '3']);
});

test('a live run that no listing shows, its label replaced by a terminal one, gets it back', async () => {
  const run = await runningRun(house);
  await showLabel(run.id);
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith', 'agent-smith:done']);
  const { pass, told } = orphanedLabels();
  await pass();
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:in-progress']);
  expect(told).toEqual(['1 label-repair write']);
});

test('a listing that broke off says nothing of the live runs that it did not show', async () => {
  const run = await runningRun(house);
  await showLabel(run.id);
  const before = reads(1);
  const { platform } = pageByPage(async () => {
    throw new PlatformError('unavailable', 'a bad page');
  });
  await orphanedLabels({ platform }).pass();
  expect(reads(1)).toBe(before);
});

/** Nobody takes such a run back by taking off labels. */
const startedByPending = (run: Run) => redis.client.hdel(house.redis.keys.run(run.id), 'label');

test('a live run that a listing of two looks does not show gets its label back after the second', async () => {
  const run = await runningRun(house);
  await showLabel(run.id);
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith:done']);
  await startedByPending(run);
  for (let i = 0; i < 2; i += 1) open('agent-smith', 'agent-smith:done');
  let isHeldBack = true;
  const { platform, pages } = pageByPage(async (page) => {
    if (page === 1 && isHeldBack) throw new PlatformError('rate-limited', 'wait');
  });
  const { pass, told } = orphanedLabels({ platform });
  const term = termOf();
  await pass(term);
  expect(told).toEqual([]);
  isHeldBack = false;
  await pass(term);
  expect(pages).toEqual([0, 1, 1]);
  expect(told).toEqual(['1 label-repair write']);
});

test('a term that is lost in the middle of a listing leaves nothing to the next: that one begins with the first page, live runs included', async () => {
  const run = await runningRun(house);
  await showLabel(run.id);
  // Somebody has taken ours, so no listing shows it.
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith:done']);
  await startedByPending(run);
  for (let i = 0; i < 2; i += 1) open('agent-smith', 'agent-smith:enqueued');
  const { platform, pages } = pageByPage(async () => await delay(2));
  const { pass, told } = orphanedLabels({ platform, listingDeadlineMs: 1 });
  const first = termOf();
  const passing = pass(first);
  // The moment itself: a look that comes a little later would find the second read done.
  await house.hub.ledger.waitFor((entry) => entry.kind === 'request' && entry.path.endsWith('issues/2'));
  first.lose();
  await passing;
  expect([pages, told]).toEqual([[0], []]);
  await pass(termOf(2));
  expect(pages).toEqual([0, 0, 1]);
  expect(told.toSorted()).toEqual(['1 label-repair write', '2 orphaned-label claim', '3 orphaned-label claim']);
});

test('after a loss of data in the midst of a term a listing that had broken off begins with its first page', async () => {
  for (let i = 0; i < 2; i += 1) open('agent-smith', 'agent-smith:enqueued');
  let [isHeldBack, incarnation] = [true, 'first'];
  const { platform, pages } = pageByPage(async (page) => {
    if (page === 1 && isHeldBack) throw new PlatformError('rate-limited', 'wait');
  });
  const { pass } = orphanedLabels({ platform, incarnation: () => incarnation });
  const term = termOf();
  await pass(term);
  [isHeldBack, incarnation] = [false, 'second'];
  await pass(term);
  expect(pages).toEqual([0, 1, 0, 1]);
  expect(await queuedTickets()).toEqual(['1', '2']);
});
