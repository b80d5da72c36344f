/**
 * What is foreseen of a claim is what the claim that follows answers, for every reason there is; and foreseeing leaves
 * no trace, neither on the platform nor in Redis.
 */
import { describe, expect, test } from 'vitest';
import { explainGates } from '../../src/claims/explain-gates.ts';
import { REPOSITORY } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { claim, claimsOn, createScenes, finishRun, never, type Scene, ticket } from './claim-scenes.ts';

const redis = useRedis();
const scenes = createScenes(redis);

const failuresSeenBy = (way: 'look' | 'write') => entries(scenes.failed).filter(([, { seenBy }]) => seenBy === way);
const entries = <T>(record: Readonly<Record<string, T>>): [string, T][] => Object.entries(record);

/** Foresees, sees that nothing was written, claims, and compares. */
async function expectSame({ house, claim: follow, foresee }: Scene): Promise<void> {
  const alive = redis.server.running;
  const before = alive ? await dumpOf(redis.client) : undefined;
  const labelsBefore = house.hub.ledger.labelChanges();
  const requestsBefore = house.hub.ledger.requests().length;
  const foreseen = await foresee();
  const asked = house.hub.ledger.requests().slice(requestsBefore);
  expect(asked.map(({ method }) => method).filter((method) => method !== 'GET')).toEqual([]);
  expect(house.hub.ledger.labelChanges()).toEqual(labelsBefore);
  if (alive) expect(await dumpOf(redis.client)).toEqual(before);

  const outcome = await follow();
  expect(foreseen.outcome).toMatchObject({
    ...outcome,
    ...('detail' in outcome ? { detail: expect.any(String) } : {}),
  });
  const gates = explainGates(foreseen);
  const stop = gates.findIndex(({ state }) => state === 'stops here');
  expect(stop).toBeGreaterThanOrEqual(0);
  expect(
    gates.slice(0, stop).every(({ state, text }) => state === 'ok' && /.{5}/.test(text) && !/undefined/.test(text)),
  ).toBe(true);
  expect(gates.slice(stop + 1).every(({ state }) => state === 'not reached')).toBe(true);
}

describe('foreseen as it then happens', () => {
  for (const [reason, open] of entries(scenes.notEligible)) {
    test(`not eligible: ${reason}`, async () => expectSame(await open()));
  }
  for (const [reason, open] of entries(scenes.rejected)) {
    test(`rejected: ${reason}`, async () => expectSame(await open()));
  }
  for (const [failure, { open }] of failuresSeenBy('look')) {
    test(`failed: ${failure}`, async () => expectSame(await open()));
  }
});

describe('what only the first write shows', () => {
  for (const [failure, { open }] of failuresSeenBy('write')) {
    test(`${failure}: it is foreseen as a run`, async () => {
      const scene = await open();
      expect(await scene.foresee()).toMatchObject({ outcome: { kind: 'would-claim' } });
      expect(await scene.claim()).toMatchObject({ kind: 'failed', failure });
    });
  }
});

test('a ticket that would be claimed: project and pipeline are those of the run, and every gate is passed', async () => {
  const house = await scenes.houseWithTicket({ by: 'alice', routing: { allowedActors: ['Alice'] } });
  const { foresight } = claimsOn(house);
  const foreseen = await foresight.foresee({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  expect(foreseen).toMatchObject({
    outcome: { kind: 'would-claim', project: 'api', pipeline: 'fix-bug' },
    actor: 'alice',
  });
  const gates = explainGates(foreseen);
  expect(gates.filter(({ state }) => state !== 'ok')).toEqual([]);
  expect(gates.find(({ gate }) => gate === 'actor')?.text).toContain('alice');
  expect(gates.map(({ text }) => text).join()).not.toContain('undefined');
  expect(await claim(house)).toMatchObject({ kind: 'claimed', project: 'api', pipeline: 'fix-bug' });
});

test('already claimed: queued, running, and ended with a label that is not confirmed yet', async () => {
  const house = await scenes.houseWithTicket();
  const { claims, foresight } = claimsOn(house);
  const request = { project: 'api', ticketId: '1', trigger: 'poll' } as const;
  const scene = { house, claim: () => claims.claim(request, never), foresee: () => foresight.foresee(request, never) };
  const first = await claims.claim(request, never);
  const run = first.kind === 'claimed' ? first.run : '';
  await expectSame(scene);
  const queued = await house.runs.get(run);
  if (queued !== undefined) await house.attemptRecords.start(queued, 'worker');
  await expectSame(scene);
  const fence = (await house.runs.get(run))?.attemptFence ?? 0;
  const name = { run, ticket: house.keyOf(1), attempt: 1, fence };
  await house.attemptRecords.finish(name, { state: 'failed', reason: 'exit 1', output: '', onlyIfDead: false });
  await expectSame(scene);
});

test('a dead claim is foreseen to be gone on with, by what asked for it first', async () => {
  const house = await scenes.houseWithTicket();
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
  expect(await claim(house, 'webhook')).toMatchObject({ kind: 'failed' });
  const { foresight } = claimsOn(house);
  const foreseen = await foresight.foresee({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  expect(foreseen).toMatchObject({
    outcome: { kind: 'would-claim' },
    start: { kind: 'taken-over', trigger: 'webhook' },
    lifecycle: 'enqueued',
  });
  const byHand = await foresight.foresee({ project: 'api', ticketId: '1', trigger: 'manual' }, never);
  expect(byHand).toMatchObject({ start: { kind: 'taken-over', trigger: 'manual' } });
});

test('a person who insists is foreseen to pass back-off and daily limit', async () => {
  const house = await scenes.houseWithTicket({ mostRunsPerDay: 1 });
  await finishRun(house);
  house.hub.removeLabel(ticket, 'agent-smith:done');
  const { foresight } = claimsOn(house);
  const ask = (trigger: 'poll' | 'manual') => foresight.foresee({ project: 'api', ticketId: '1', trigger }, never);
  expect((await ask('poll')).outcome).toEqual({ kind: 'not-eligible', reason: 'too-many-runs' });
  expect((await ask('manual')).outcome).toMatchObject({ kind: 'would-claim' });
});

test('a ticket may be named as people name it: what is looked up is its id', async () => {
  const house = await scenes.houseWithTicket();
  const platform = {
    ...house.platform,
    readTicket: (id: string, call: Parameters<typeof house.platform.readTicket>[1]) =>
      house.platform.readTicket(id === 'ABC-7' ? '1' : id, call),
  };
  const { foresight } = claimsOn(house, { platform });
  const request = { project: 'api', ticketId: 'ABC-7', trigger: 'poll' } as const;
  expect(await foresight.foresee(request, never)).toMatchObject({ outcome: { kind: 'would-claim' }, ticketId: '1' });
  await claim(house);
  expect(await foresight.foresee(request, never)).toMatchObject({
    outcome: { kind: 'already-claimed' },
    ticketId: '1',
  });
  house.hub.faults.inject({ path: new RegExp(`${REPOSITORY}/issues`) }, { kind: 'answer', status: 503 });
  const blind = await foresight.foresee(request, never);
  expect(blind).toMatchObject({ outcome: { kind: 'failed', failure: 'unavailable' }, unlooked: expect.any(String) });
  expect(explainGates(blind).find(({ gate }) => gate === 'run')?.state).toBe('unknown');
});
