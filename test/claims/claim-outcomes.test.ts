/**
 * Every outcome that a claim can have, and every reason in it, brought about for real (`claim-scenes.ts`).
 */
import { describe, expect, test } from 'vitest';
import type { ClaimFailure, RejectedReason } from '../../src/claims/claim-outcome.ts';
import { explainReason, type NotEligibleReason } from '../../src/domain/eligibility.ts';
import type { Call } from '../../src/platforms/contract.ts';
import { REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { claim, claimsOn, createScenes, finishRun, never, type Scene, ticket } from './claim-scenes.ts';

const redis = useRedis();
const scenes = createScenes(redis);
const { houseWithTicket } = scenes;
const CALL: Call = { purpose: 'repair', deadlineMs: 5_000, signal: never };

describe('not eligible', () => {
  for (const [reason, open] of Object.entries(scenes.notEligible) as [NotEligibleReason, () => Promise<Scene>][]) {
    test(`${reason}: the ticket is left alone, and the reason is on record in words`, async () => {
      const scene = await open();
      expect(await scene.claim()).toEqual({ kind: 'not-eligible', reason });
      expect(explainReason(reason)).toMatch(/^[a-z].{15,}[^.]$/);
      const entries = await redis.client.xrevrange('agentsmith:decisions', '+', '-', 'COUNT', 1);
      expect(entries[0]?.[1]).toContain(`not-eligible: ${reason}`);
    });
  }
});

describe('rejected', () => {
  for (const [reason, open] of Object.entries(scenes.rejected) as [RejectedReason, () => Promise<Scene>][]) {
    test(`${reason}: this configuration can never work, and nothing is left behind`, async () => {
      const scene = await open();
      expect(await scene.claim()).toMatchObject({ kind: 'rejected', reason, detail: expect.stringMatching(/.{5}/) });
      expect(await redis.client.keys('agentsmith:run:*')).toEqual([]);
    });
  }
});

describe('failed', () => {
  for (const [failure, { open }] of Object.entries(scenes.failed) as [ClaimFailure, { open: () => Promise<Scene> }][]) {
    test(`${failure}: it did not work now`, async () => {
      const scene = await open();
      expect(await scene.claim()).toMatchObject({ kind: 'failed', failure, detail: expect.stringMatching(/.{5}/) });
    });
  }
});

test('recovery holds back a person who insists, too', async () => {
  const { house } = await scenes.failed.recovering.open();
  expect(await claim(house, 'manual')).toMatchObject({ failure: 'recovering' });
});

test('what the platform shows for a ticket must be that ticket: its lock and its record are held', async () => {
  const house = await houseWithTicket();
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const platform = { ...house.platform, readTicket: (_: string, call: Call) => house.platform.readTicket('2', call) };
  const outcome = await claimsOn(house, { platform }).claims.claim(
    { project: 'api', ticketId: '1', trigger: 'poll' },
    never,
  );
  expect(outcome).toMatchObject({ kind: 'failed', failure: 'invalid-response' });
  expect(house.labelsOf(2)).toEqual(['agent-smith']);
  expect(await house.runs.counts()).toMatchObject({ received: 0, queued: 0 });
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
    const capabilities = { ...house.platform.capabilities, labelActors: false };
    const blind = claimsOn(house, { platform: { ...house.platform, capabilities } });
    const outcome = await blind.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
    expect(outcome).toEqual({ kind: 'not-eligible', reason: 'actor-unknown' });
  });

  test.each(['poll', 'webhook', 'manual', 'reconcile'] as const)(
    'asked for by %s, the same gate applies',
    async (trigger) => {
      const house = await houseWithTicket({ by: 'mallory', routing });
      expect(await claim(house, trigger)).toEqual({ kind: 'not-eligible', reason: 'actor-not-allowed' });
      house.hub.removeLabel(ticket, 'agent-smith', 'alice');
      house.hub.addLabel(ticket, 'agent-smith', 'alice');
      expect(await claim(house, trigger)).toMatchObject({ kind: 'claimed' });
    },
  );

  test('a pending that repair wrote is still the wish of the person before', async () => {
    const house = await houseWithTicket({ labels: ['agent-smith:pending'], by: 'alice', routing });
    house.hub.setLabels(ticket, [], 'alice');
    await house.platform.moveLifecycle(await house.platform.readTicket('1', CALL), 'pending', CALL);
    expect(await claim(house)).toMatchObject({ kind: 'claimed' });
  });

  test('the run remembers which label asked for it', async () => {
    const house = await houseWithTicket({ by: 'alice', routing });
    const outcome = await claim(house);
    const run = outcome.kind === 'claimed' ? await house.runs.get(outcome.run) : undefined;
    expect(run).toMatchObject({ label: 'agent-smith' });
  });
});

test('a pipeline that has lost its runner while a claim was dead gives the enqueued label back', async () => {
  const house = await houseWithTicket();
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  await claim(house);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
  const without = claimsOn(house, { catalog: { ...house.catalog, pipelines: new Map() } }).claims;
  const outcome = await without.claim({ project: 'api', ticketId: '1', trigger: 'reconcile' }, never);
  expect(outcome).toMatchObject({ kind: 'rejected', reason: 'no-runner' });
  expect(house.labelsOf(1)).toEqual(['agent-smith']);
});
