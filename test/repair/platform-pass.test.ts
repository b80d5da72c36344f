/**
 * The platform pass, second half: tickets that are closed, gone or elsewhere, surplus labels, sources that only deliveries
 * wake, and a source that somebody else writes on. The rows of PROTOCOL 5 themselves are in orphaned-labels.test.ts.
 */
import { beforeEach, expect, test } from 'vitest';
import type { Project } from '../../src/domain/project.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { FAST, type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, runningRun, runOf } from '../worker/worker-room.ts';
import { openPlatformPass } from './platform-passes.ts';
import { repairs, termOf } from './terms.ts';

const redis = useRedis();
let house: House;
const TIMING = { ...FAST, listingDeadlineMs: 20_000, claimCallMs: 8_000, claimDeadlineMs: 20_000, secondReadMs: 20 };
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url, timing: TIMING });
});

interface Scene {
  readonly platform?: Partial<TicketPlatform>;
  readonly project?: (plain: Project) => Project;
  readonly mayAdopt?: () => boolean;
  /** Runs that are read in one round. */
  readonly mostRuns?: number;
}

function platformPass({ platform, project = (plain) => plain, mayAdopt = () => true, mostRuns }: Scene = {}) {
  const { told, onRepair } = repairs();
  const warnings: string[] = [];
  const pass = openPlatformPass(
    {
      ...house,
      catalog: () => ({ ...house.catalog, projects: [project(house.project)] }),
      platformOf: () => ({ ...house.platform, ...platform }),
      runs: {
        ofTicket: house.runs.ofTicket,
        inState: (state, round) => house.runs.inState(state, { ...round, most: mostRuns ?? round.most }),
      },
      recoveringMs: () => 0,
      mayAdopt,
      log: Object.assign(Object.create(silentLog) as typeof silentLog, {
        warn: (_facts: unknown, text: string) => warnings.push(text),
      }),
      onRepair,
    },
    TIMING,
  );
  return { told, warnings, pass: () => pass(termOf()) };
}

const open = (...labels: string[]): string => house.hub.openIssue(REPOSITORY, { labels }).ticket;
const runOfTicket = (id: number) => house.runs.ofTicket(house.keyOf(id));
const readsOf = (ticket: number): number =>
  house.hub.ledger.requests({ method: 'GET', path: new RegExp(`/issues/${ticket}$`) }).length;
const confirm = (run: string): Promise<void> =>
  house.labels.project(run, { mayWrite: () => true, signal: new AbortController().signal });

test('closed tickets are listed too: an orphaned label on one goes, no run comes of it, and the next pass finds rest', async () => {
  const [enqueued, working] = [
    open('agent-smith', 'agent-smith:enqueued'),
    open('agent-smith', 'agent-smith:in-progress'),
  ];
  for (const ticket of [enqueued, working]) house.hub.closeIssue(ticket);
  const { pass } = platformPass();
  await pass();
  expect(house.hub.issue(enqueued).labels).toEqual(['agent-smith']);
  // When it is opened again, it is claimed.
  expect(house.hub.issue(working).labels).toEqual(['agent-smith', 'agent-smith:pending']);
  expect([await runOfTicket(1), await runOfTicket(2)]).toEqual([undefined, undefined]);
  const requests = readsOf(1) + readsOf(2);
  await pass();
  expect(readsOf(1) + readsOf(2)).toBe(requests);
});

test.each([404, 410])('a live run whose ticket is gone (%i) is neither repaired nor an error', async (status) => {
  const run = await runningRun(house);
  await confirm(run.id);
  house.hub.setLabels(`${REPOSITORY}#1`, []);
  house.hub.faults.inject({ method: 'GET', path: /\/issues\/1$/ }, { kind: 'answer', status });
  const { pass, told, warnings } = platformPass();
  await pass();
  expect(readsOf(1)).toBeGreaterThan(0);
  expect([told, warnings]).toEqual([[], []]);
  expect(await runOf(house, run.id)).toMatchObject({ state: 'running', labelState: 'confirmed' });
});

test('live runs that no listing shows get their label back, however many rounds it takes to read them', async () => {
  const tickets = [open('agent-smith'), open('agent-smith'), open('agent-smith')];
  for (const ticketId of ['1', '2', '3'])
    await house.claims.claim({ project: 'api', ticketId, trigger: 'poll' }, new AbortController().signal);
  for (const run of await house.runs.inState('queued', { most: 3 })) await confirm(run.id);
  for (const ticket of tickets) house.hub.setLabels(ticket, ['agent-smith']);
  const { pass, told } = platformPass({ mostRuns: 1 });
  await pass();
  for (const ticket of tickets) expect(house.hub.issue(ticket).labels).toContain('agent-smith:enqueued');
  expect(told.map(({ kind }) => kind)).toEqual(['label-repair', 'label-repair', 'label-repair']);
});

test('a ticket that was moved to another project of the tracker is not ours to write on', async () => {
  const ticket = open('agent-smith', 'agent-smith:in-progress');
  const project = (plain: Project): Project => ({ ...plain, source: { ...plain.source, scope: 'ours' } });
  const platform: Partial<TicketPlatform> = {
    readTicket: async (id, call) => ({ ...(await house.platform.readTicket(id, call)), scope: 'theirs' }),
    moveLifecycle: async () => Promise.reject(new Error('nothing is written here')),
  };
  const { pass, told, warnings } = platformPass({ project, platform });
  await pass();
  expect(house.hub.issue(ticket).labels).toContain('agent-smith:in-progress');
  expect([told, warnings]).toEqual([[], []]);
});

test('a surplus pending beside done or failed without a record is removed, once it was seen twice', async () => {
  const [done, failed] = [
    open('agent-smith', 'bug', 'agent-smith:pending', 'agent-smith:done'),
    open('agent-smith', 'agent-smith:pending', 'agent-smith:failed'),
  ];
  const { pass, told } = platformPass();
  await pass();
  expect(house.hub.issue(done).labels).toEqual(['agent-smith', 'bug', 'agent-smith:done']);
  expect(house.hub.issue(failed).labels).toEqual(['agent-smith', 'agent-smith:failed']);
  expect(readsOf(1)).toBeGreaterThanOrEqual(2);
  expect(told.map(({ kind, detail }) => `${kind}: ${detail}`).toSorted()).toEqual([
    'orphaned-label: pending, done -> done',
    'orphaned-label: pending, failed -> failed',
  ]);
});

test('who asks again for a run that is on record asks the ingress, not repair: the sync policy has the word', async () => {
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { state: 'completed', reason: '', output: '', onlyIfDead: false });
  await confirm(run.id);
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith', 'agent-smith:pending', 'agent-smith:done']);
  const { pass, told } = platformPass({
    project: (plain) => ({ ...plain, triggers: new Set(['manual', 'reconcile']) }),
  });
  await pass();
  expect(house.labelsOf(1)).toContain('agent-smith:pending');
  expect(await runOfTicket(1)).toMatchObject({ id: run.id });
  expect(told).toEqual([]);
});

const webhookOnly = ({ polling: _polling, ...plain }: Project): Project => ({
  ...plain,
  triggers: new Set(['webhook', 'manual', 'reconcile']),
});

test('where only deliveries tell of tickets, one that repair set back and could not claim is claimed by the next pass', async () => {
  const ticket = open('agent-smith', 'agent-smith:in-progress');
  // The claim after the label finds the platform away.
  let away = false;
  const platform: Partial<TicketPlatform> = {
    async moveLifecycle(...move) {
      const labels = await house.platform.moveLifecycle(...move);
      if (!away)
        house.hub.faults.inject({ method: 'GET', path: /\/issues\/1$/, times: 1 }, { kind: 'answer', status: 502 });
      away = true;
      return labels;
    },
  };
  await platformPass({ project: webhookOnly, platform }).pass();
  expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:pending']);
  // What the failed claim has left of itself is another loop's; here it is lost as well.
  const left = await runOfTicket(1);
  await redis.client.del(house.redis.keys.ticket(house.keyOf(1)), house.redis.keys.run(left?.id ?? ''));
  await platformPass({ project: webhookOnly }).pass();
  expect(house.hub.issue(ticket).labels).toEqual(['agent-smith', 'agent-smith:enqueued']);
  expect(await runOfTicket(1)).toMatchObject({ state: 'queued', trigger: 'reconcile' });
});

test('where only deliveries tell of tickets, one that asks again after its run has ended is claimed', async () => {
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { state: 'completed', reason: '', output: '', onlyIfDead: false });
  await confirm(run.id);
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith', 'agent-smith:pending']);
  await until('its claim is granted', async () => {
    await platformPass({ project: webhookOnly }).pass();
    return (await runOfTicket(1))?.id !== run.id;
  });
  expect(await runOfTicket(1)).toMatchObject({ state: 'queued', trigger: 'reconcile' });
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
});

test('a ticket that waits on a source that is polled costs the platform pass no request', async () => {
  open('agent-smith', 'agent-smith:pending');
  await platformPass().pass();
  expect(readsOf(1)).toBe(0);
});

test('a claim that comes to nothing is told as no repair', async () => {
  open('nobody-asked', 'agent-smith:enqueued');
  house.hub.faults.inject({ method: 'POST', path: /labels/ }, { kind: 'answer', status: 502 });
  const { pass, told } = platformPass({
    platform: { readTicket: async () => Promise.reject(new PlatformError('unavailable', 'away')) },
  });
  await pass();
  expect(told).toEqual([]);
});

test('where somebody else writes lifecycle labels, nothing without a record is adopted or reset; what is ours is repaired', async () => {
  const run = await runningRun(house);
  await confirm(run.id);
  house.hub.setLabels(`${REPOSITORY}#1`, ['agent-smith', 'agent-smith:enqueued']);
  const strange = [open('agent-smith', 'agent-smith:enqueued'), open('agent-smith', 'agent-smith:in-progress')];
  const before = strange.map((ticket) => house.hub.issue(ticket).labels);
  let mayAdopt = false;
  const { pass, told, warnings } = platformPass({ mayAdopt: () => mayAdopt });
  await pass();
  expect(strange.map((ticket) => house.hub.issue(ticket).labels)).toEqual(before);
  expect([await runOfTicket(2), await runOfTicket(3)]).toEqual([undefined, undefined]);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:in-progress']);
  expect(told.map(({ kind }) => kind)).toEqual(['label-repair']);
  expect(warnings).toEqual(['labels without a run left alone']);
  mayAdopt = true;
  await pass();
  expect([await runOfTicket(2), await runOfTicket(3)]).toMatchObject([{ state: 'queued' }, { state: 'queued' }]);
});
