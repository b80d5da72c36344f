/**
 * Every outcome that a claim can have, and every reason in it, brought about for real. The tables are exhaustive by
 * type: a new reason without a test does not compile.
 */
import { describe, expect, test } from 'vitest';
import {
  type ClaimFailure,
  type ClaimOutcome,
  describeOutcome,
  type RejectedReason,
} from '../../src/claims/claim-outcome.ts';
import { createTicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import { explainReason, type NotEligibleReason } from '../../src/domain/eligibility.ts';
import { lifecycleLabel } from '../../src/domain/lifecycle.ts';
import type { Project, Routing, Trigger } from '../../src/domain/project.ts';
import type { Timing } from '../../src/domain/timing.ts';
import type { Fault } from '../../src/emulators/faults.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { FAST, type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const never = new AbortController().signal;
const ticket = `${REPOSITORY}#1`;

interface Change {
  readonly labels?: readonly string[];
  readonly by?: string;
  readonly routing?: Partial<Routing>;
  readonly project?: Partial<Project>;
  readonly timing?: Partial<Timing>;
  readonly freshServer?: boolean;
  readonly mostRunsPerDay?: number;
}

/** A house with ticket 1, which carries the trigger label unless told otherwise. */
async function houseWithTicket({ labels = ['agent-smith'], by, routing, project, timing, ...rest }: Change = {}) {
  const house = await openHouse({
    redisUrl: redis.url,
    ...rest,
    timing: { ...FAST, ...timing },
    projects: (plain) => [{ ...plain, ...project, routing: { ...plain.routing, ...routing } }],
  });
  house.hub.openIssue(REPOSITORY, { labels, ...(by === undefined ? {} : { by }) });
  return house;
}

const claim = (house: House, trigger: Trigger = 'poll', projectName = 'api'): Promise<ClaimOutcome> =>
  house.claims.claim({ project: projectName, ticketId: '1', trigger }, never);

/** Takes ticket 1 through a run to its end, its label written and read back. */
async function finishRun(house: House, state: 'completed' | 'failed' = 'completed'): Promise<void> {
  const outcome = await claim(house, 'manual');
  if (outcome.kind !== 'claimed') throw new Error(`not claimed: ${describeOutcome(outcome)}`);
  const queued = await house.runs.get(outcome.run);
  if (queued !== undefined) await house.attemptRecords.start(queued, 'worker');
  const running = await house.runs.get(outcome.run);
  if (running === undefined) throw new Error('the run is gone');
  const name = { run: running.id, ticket: running.ticket, attempt: running.attempt, fence: running.attemptFence };
  await house.attemptRecords.finish(name, { state, reason: 'exit 0', output: '', onlyIfDead: false });
  await house.labels.project(running.id, { mayWrite: () => true, signal: never });
}

const shows = (lifecycle: 'enqueued' | 'in-progress' | 'done' | 'failed') => async (): Promise<ClaimOutcome> =>
  claim(await houseWithTicket({ labels: ['agent-smith', lifecycleLabel(lifecycle)] }));

const NOT_ELIGIBLE: Record<NotEligibleReason, () => Promise<ClaimOutcome>> = {
  async gone() {
    const house = await houseWithTicket();
    house.hub.deleteIssue(ticket);
    return await claim(house);
  },
  async closed() {
    const house = await houseWithTicket();
    house.hub.closeIssue(ticket);
    return await claim(house);
  },
  enqueued: shows('enqueued'),
  'in-progress': shows('in-progress'),
  done: shows('done'),
  failed: shows('failed'),
  'no-trigger-label': async () => claim(await houseWithTicket({ labels: ['bug', 'agent-smith:unknown'] })),
  async 'seen-once'() {
    const house = await houseWithTicket();
    await finishRun(house);
    house.hub.removeLabel(ticket, 'agent-smith:done');
    return await claim(house);
  },
  'actor-not-allowed': async () =>
    claim(await houseWithTicket({ by: 'mallory', routing: { allowedActors: ['alice'] } })),
  async 'actor-unknown'() {
    const house = await houseWithTicket({ routing: { allowedActors: ['octocat'] } });
    house.hub.faults.inject({ path: /\/events/ }, { kind: 'answer', status: 200, body: [] });
    return await claim(house);
  },
  async 'too-many-runs'() {
    const house = await houseWithTicket({ mostRunsPerDay: 1 });
    await finishRun(house);
    return await claim(house);
  },
};

describe('not eligible', () => {
  for (const [reason, happen] of Object.entries(NOT_ELIGIBLE) as [NotEligibleReason, () => Promise<ClaimOutcome>][]) {
    test(`${reason}: the ticket is left alone, and the reason is on record in words`, async () => {
      const outcome = await happen();
      expect(outcome).toEqual({ kind: 'not-eligible', reason });
      expect(explainReason(reason)).toMatch(/^[a-z].{15,}[^.]$/);
      const entries = await redis.client.xrevrange('agentsmith:decisions', '+', '-', 'COUNT', 1);
      expect(entries[0]?.[1]).toContain(`not-eligible: ${reason}`);
    });
  }
});

const REJECTED: Record<RejectedReason, () => Promise<ClaimOutcome>> = {
  'unknown-project': async () => claim(await houseWithTicket(), 'poll', 'nobody'),
  'project-disabled': async () => claim(await houseWithTicket({ project: { disabled: 'no token' } })),
  'trigger-not-allowed': async () => claim(await houseWithTicket({ project: { triggers: new Set(['webhook']) } })),
  'no-runner': async () =>
    claim(await houseWithTicket({ routing: { pipelineFromLabel: new Map([['agent-smith', 'not-there']]) } })),
};

describe('rejected', () => {
  for (const [reason, happen] of Object.entries(REJECTED) as [RejectedReason, () => Promise<ClaimOutcome>][]) {
    test(`${reason}: this configuration can never work, and nothing is left behind`, async () => {
      expect(await happen()).toMatchObject({ kind: 'rejected', reason, detail: expect.stringMatching(/.{5}/) });
      expect(await redis.client.keys('agentsmith:run:*')).toEqual([]);
    });
  }
});

/** The first write, or the read, is answered with this. */
async function answered(method: 'GET' | 'POST', fault: Fault): Promise<ClaimOutcome> {
  const house = await houseWithTicket();
  house.hub.faults.inject({ method }, fault);
  return await claim(house);
}

const FAILED: Record<ClaimFailure, () => Promise<ClaimOutcome>> = {
  auth: () => answered('GET', { kind: 'answer', status: 401 }),
  'not-found': () => answered('POST', { kind: 'answer', status: 404 }),
  'rate-limited': () => answered('GET', { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }),
  conflict: () => answered('POST', { kind: 'answer', status: 409 }),
  'invalid-response': () => answered('GET', { kind: 'html' }),
  unavailable: () => answered('GET', { kind: 'answer', status: 503 }),
  async unsupported() {
    const house = await houseWithTicket();
    const platform: TicketPlatform = {
      ...house.platform,
      moveLifecycle: async () => {
        throw new PlatformError('unsupported', 'labels are not kept here', { effect: 'none' });
      },
    };
    return await claimsOn(house, platform).claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  },
  async contended() {
    const house = await houseWithTicket();
    const hung = house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'hang' });
    const first = claim(house);
    await hung.hit();
    const second = await claim(house);
    await first;
    return second;
  },
  async recovering() {
    const house = await houseWithTicket({ freshServer: false, timing: { recoveryClaimsMs: 60_000 } });
    expect(await claim(house, 'manual')).toMatchObject({ failure: 'recovering' });
    return await claim(house);
  },
  async 'backing-off'() {
    const house = await houseWithTicket();
    house.hub.faults.inject({ method: 'POST' }, { kind: 'answer', status: 403 });
    await claim(house);
    return await claim(house);
  },
  async 'redis-unavailable'() {
    const house = await houseWithTicket();
    await redis.server.kill('SIGKILL');
    return await claim(house);
  },
  async 'out-of-time'() {
    const house = await houseWithTicket({ timing: { claimLockReserveMs: FAST.claimLockTtlMs + 1 } });
    return await claim(house);
  },
};

/** The house's claims on a platform of the test's own. */
function claimsOn(house: House, platform: TicketPlatform) {
  return createTicketClaimService(
    {
      catalog: () => house.catalog,
      platformOf: () => platform,
      records: house.claimRecords,
      queue: house.queue,
      decisions: house.decisions,
      log: silentLog,
      onOutcome: undefined,
    },
    house.timing,
  );
}

describe('failed', () => {
  for (const [failure, happen] of Object.entries(FAILED) as [ClaimFailure, () => Promise<ClaimOutcome>][]) {
    test(`${failure}: it did not work now`, async () => {
      expect(await happen()).toMatchObject({ kind: 'failed', failure, detail: expect.stringMatching(/.{5}/) });
    });
  }
});

test('already claimed: queued, running, and ended with a label that is not confirmed yet', async () => {
  const house = await houseWithTicket();
  const outcome = await claim(house);
  const run = outcome.kind === 'claimed' ? outcome.run : '';
  const blocked = (state: string) =>
    expect(claim(house, 'manual')).resolves.toEqual({ kind: 'already-claimed', run, state });
  await blocked('queued');
  const queued = await house.runs.get(run);
  if (queued !== undefined) await house.attemptRecords.start(queued, 'worker');
  await blocked('running');
  const running = await house.runs.get(run);
  const name = { run, ticket: house.keyOf(1), attempt: 1, fence: running?.attemptFence ?? 0 };
  await house.attemptRecords.finish(name, { state: 'failed', reason: 'exit 1', output: '', onlyIfDead: false });
  await blocked('unconfirmed');
  expect(await house.queue.depth()).toBe(1);
});

test('recovery ends by itself, and then claims go on', async () => {
  const house = await houseWithTicket({ freshServer: false, timing: { recoveryClaimsMs: 300 } });
  expect(await claim(house)).toMatchObject({ failure: 'recovering' });
  await until('claims go on', async () => (await claim(house)).kind === 'claimed');
});

test('a person insists: neither the back-off nor the daily limit applies', async () => {
  const house = await houseWithTicket({ mostRunsPerDay: 1 });
  await finishRun(house);
  house.hub.removeLabel(ticket, 'agent-smith:done');
  expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'too-many-runs' });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 403 });
  expect(await claim(house, 'manual')).toMatchObject({ failure: 'auth' });
  expect(await claim(house)).toMatchObject({ failure: 'backing-off' });
  expect(await claim(house, 'manual')).toMatchObject({ kind: 'claimed' });
});

describe('allowed_actors', () => {
  const routing = { allowedActors: ['Alice', 'bot'] };

  test('who is on the list, in any letter case, may ask for a run', async () => {
    expect(await claim(await houseWithTicket({ by: 'ALICE', routing }))).toMatchObject({ kind: 'claimed' });
  });

  test('whoever set the label last counts', async () => {
    const house = await houseWithTicket({ by: 'alice', routing });
    house.hub.removeLabel(ticket, 'agent-smith', 'mallory');
    house.hub.addLabel(ticket, 'agent-smith', 'mallory');
    expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'actor-not-allowed' });
    expect(house.labelsOf(1)).toEqual(['agent-smith']);
  });

  test('where pending asks for the run, who set pending counts', async () => {
    const house = await houseWithTicket({ labels: ['agent-smith:pending'], by: 'mallory', routing });
    expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'actor-not-allowed' });
    house.hub.removeLabel(ticket, 'agent-smith:pending', 'alice');
    house.hub.addLabel(ticket, 'agent-smith:pending', 'alice');
    expect(await claim(house)).toMatchObject({ kind: 'claimed' });
  });

  test('a platform that cannot tell who labelled refuses every ticket', async () => {
    const house = await houseWithTicket({ routing: { allowedActors: ['octocat'] } });
    const blind = claimsOn(house, { ...house.platform, capabilities: { labelActors: false } });
    const outcome = await blind.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
    expect(outcome).toEqual({ kind: 'not-eligible', reason: 'actor-unknown' });
  });

  test('a person who names the ticket needs no label of anybody', async () => {
    expect(await claim(await houseWithTicket({ by: 'mallory', routing }), 'manual')).toMatchObject({ kind: 'claimed' });
  });
});

test('a pipeline that has lost its runner while a claim was dead gives the enqueued label back', async () => {
  const house = await houseWithTicket();
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
  const without = claimsOn({ ...house, catalog: { ...house.catalog, pipelines: new Map() } }, house.platform);
  const outcome = await without.claim({ project: 'api', ticketId: '1', trigger: 'reconcile' }, never);
  expect(outcome).toMatchObject({ kind: 'rejected', reason: 'no-runner' });
  expect(house.labelsOf(1)).toEqual(['agent-smith']);
});
