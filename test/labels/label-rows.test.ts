/**
 * PROTOCOL 5, the label table for real: each row laid out on an emulated GitHub and in Redis, then brought to rest by the
 * label writer, by a claim, or by both.
 */
import { describe, expect, test } from 'vitest';
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import type { Trigger } from '../../src/domain/project.ts';
import type { Run } from '../../src/domain/run.ts';
import type { Timing } from '../../src/domain/timing.ts';
import type { TerminalState } from '../../src/runs/run-end.ts';
import { FAST, type House, openHouse, REPOSITORY } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const never = new AbortController().signal;
const ticket = `${REPOSITORY}#1`;
const PEOPLE = ['bug', 'agent-smith'];
const always = { mayWrite: () => true, signal: never };

async function houseWithTicket(lifecycles: readonly string[] = [], timing: Partial<Timing> = {}): Promise<House> {
  const house = await openHouse({ redisUrl: redis.url, timing: { ...FAST, ...timing } });
  house.hub.openIssue(REPOSITORY, { labels: [...PEOPLE, ...lifecycles.map((name) => `agent-smith:${name}`)] });
  return house;
}

const claim = (house: House, trigger: Trigger = 'poll'): Promise<ClaimOutcome> =>
  house.claims.claim({ project: 'api', ticketId: '1', trigger }, never);

async function runOf(house: House): Promise<Run> {
  const run = await house.runs.ofTicket(house.keyOf(1));
  if (run === undefined) throw new Error('the ticket has no run');
  return run;
}

async function start(house: House): Promise<void> {
  await house.attemptRecords.start(await runOf(house), 'worker');
}

async function finish(house: House, state: TerminalState = 'completed'): Promise<void> {
  const { id, ticket: key, attempt, attemptFence } = await runOf(house);
  const name = { run: id, ticket: key, attempt, fence: attemptFence };
  await house.attemptRecords.finish(name, { state, reason: 'exit 0', output: '', onlyIfDead: false });
}

/** Brings the ticket's run to this state; its label stays as the claim has left it, `enqueued`. */
async function reach(house: House, state: 'queued' | 'running' | TerminalState): Promise<void> {
  expect(await claim(house, 'manual')).toMatchObject({ kind: 'claimed' });
  if (state === 'queued') return;
  await start(house);
  if (state !== 'running') await finish(house, state);
}

const project = async (house: House): Promise<void> => house.labels.project((await runOf(house)).id, always);

/** An ended run whose label has been written and read back. */
async function confirmed(state: TerminalState = 'completed', timing: Partial<Timing> = {}): Promise<House> {
  const house = await houseWithTicket([], timing);
  await reach(house, state);
  await project(house);
  expect(await runOf(house)).toMatchObject({ state, labelState: 'confirmed' });
  return house;
}

const people = (...lifecycles: string[]): string[] => [...PEOPLE, ...lifecycles.map((name) => `agent-smith:${name}`)];
const setLifecycles = (house: House, ...names: string[]): void => house.hub.setLabels(ticket, people(...names));

/** Whether the label of the ticket's run is on the list of the projection loop. */
const isDue = async (house: House): Promise<boolean> =>
  (await redis.client.zscore(house.redis.keys.unconfirmed, (await runOf(house)).id)) !== null;

describe('no record', () => {
  for (const [name, lifecycles] of [
    ['none', []],
    ['pending', ['pending']],
  ] as const) {
    test(`row ${name}: claimed by the ordinary rules`, async () => {
      const house = await houseWithTicket(lifecycles);
      expect(await claim(house)).toMatchObject({ kind: 'claimed' });
      expect(house.labelsOf(1)).toEqual(people('enqueued'));
    });
  }

  test('row enqueued: a poll leaves it alone, reconcile makes a run without writing a label', async () => {
    const house = await houseWithTicket(['enqueued']);
    expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'enqueued' });
    expect(await claim(house, 'reconcile')).toMatchObject({ kind: 'claimed' });
    expect(await runOf(house)).toMatchObject({ state: 'queued', trigger: 'reconcile' });
    expect(house.hub.ledger.requests({ method: 'POST' })).toEqual([]);
  });
});

test('row received: hands off for the label writer, whoever claims next takes it over', async () => {
  const house = await houseWithTicket();
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-hang' });
  expect(await claim(house)).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  const asked = house.hub.ledger.requests().length;
  await project(house);
  expect(house.hub.ledger.requests()).toHaveLength(asked);
  expect(await claim(house)).toMatchObject({ kind: 'claimed' });
});

describe('queued, running', () => {
  for (const [state, projection] of [
    ['queued', 'enqueued'],
    ['running', 'in-progress'],
  ] as const) {
    test(`row ${state}: anything but ${projection} is written again, before and after it was confirmed`, async () => {
      const house = await houseWithTicket();
      await reach(house, state);
      for (const wrong of [[], ['pending'], ['done'], ['failed', projection], ['enqueued', 'in-progress']]) {
        setLifecycles(house, ...wrong);
        await project(house);
        expect(house.labelsOf(1).toSorted()).toEqual(people(projection).toSorted());
        expect(await runOf(house)).toMatchObject({ labelState: 'confirmed', labelDoubts: 0 });
      }
      expect(await isDue(house)).toBe(false);
    });
  }

  test('a run that is handed back goes from in-progress to enqueued directly', async () => {
    const house = await houseWithTicket();
    await reach(house, 'running');
    await project(house);
    const { id, ticket: key, attempt, attemptFence } = await runOf(house);
    const name = { run: id, ticket: key, attempt, fence: attemptFence };
    await house.attemptRecords.handBack(name, { onlyIfDead: false, interrupted: true, reason: 'drained' });
    await project(house);
    expect(house.hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'enqueued']);
  });
});

describe('terminal, unconfirmed', () => {
  for (const [state, projection] of [
    ['completed', 'done'],
    ['failed', 'failed'],
    ['cancelled', 'failed'],
  ] as const) {
    test(`row ${state}: ${projection} is written until it is read back, and no claim gets in between`, async () => {
      const house = await houseWithTicket();
      await reach(house, state);
      setLifecycles(house, 'pending');
      house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'cut' });
      await project(house);
      expect(await claim(house, 'manual')).toMatchObject({ kind: 'already-claimed', state: 'unconfirmed' });
      expect(await isDue(house)).toBe(true);

      house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'apply-then-cut' });
      await project(house);
      expect(await claim(house)).toMatchObject({ kind: 'already-claimed', state: 'unconfirmed' });
      await project(house);
      expect(house.labelsOf(1)).toEqual(people(projection));
      expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
      expect(await isDue(house)).toBe(false);
    });
  }

  test('row 404 / 410: unwritable, explained, and it blocks no longer', async () => {
    const house = await houseWithTicket();
    await reach(house, 'completed');
    house.hub.faults.inject(
      { method: 'GET', times: 1 },
      { kind: 'answer', status: 404, body: { message: 'Not Found' } },
    );
    await project(house);
    const run = await runOf(house);
    expect(run).toMatchObject({ labelState: 'unwritable', labelReason: expect.stringContaining('does not show') });
    expect(await isDue(house)).toBe(false);
    expect((await house.decisions.latest(1))[0]).toMatchObject({
      by: 'label',
      outcome: 'label unwritable',
      run: run.id,
    });
    setLifecycles(house, 'pending');
    expect(await claim(house, 'manual')).toMatchObject({ kind: 'claimed' });
  });

  test('row 410: a deleted ticket is unwritable', async () => {
    const house = await houseWithTicket();
    await reach(house, 'failed');
    house.hub.deleteIssue(ticket);
    await project(house);
    expect(await runOf(house)).toMatchObject({ labelState: 'unwritable' });
  });

  test('row 24 h of refusals: unwritable, counted from the first refusal and not from the end of the run', async () => {
    const house = await houseWithTicket([], { labelGiveUpMs: 400, projectionScanMs: 20, attemptRetryMaxMs: 50 });
    await reach(house, 'completed');
    await until('the run has ended longer ago than refusals may last', async () => {
      return (await house.redis.timeMs()) - (await runOf(house)).sinceMs > 400;
    });
    const refusal = house.hub.faults.inject(
      { method: 'POST' },
      { kind: 'answer', status: 403, body: { message: 'No' } },
    );
    await project(house);
    const first = await runOf(house);
    expect(first).toMatchObject({ labelState: 'unconfirmed', labelReason: expect.stringContaining('403') });
    await until('the label is given up', async () => {
      await project(house);
      return (await runOf(house)).labelState === 'unwritable';
    });
    const given = await runOf(house);
    expect((given.confirmedAtMs ?? 0) - (first.labelRefusedMs ?? 0)).toBeGreaterThanOrEqual(400);
    expect(refusal.hits).toBeGreaterThan(1);
    expect(given.labelReason).toContain('403');
  });

  test('a live run is never given up, however long it is refused', async () => {
    const house = await houseWithTicket([], { labelGiveUpMs: 1, projectionScanMs: 1, attemptRetryMaxMs: 1 });
    await reach(house, 'running');
    house.hub.faults.inject({ method: 'POST', times: 3 }, { kind: 'answer', status: 403, body: { message: 'No' } });
    for (let n = 0; n < 3; n += 1) await project(house);
    expect(await runOf(house)).toMatchObject({ labelState: 'unconfirmed' });
    await project(house);
    expect(house.labelsOf(1)).toEqual(people('in-progress'));
    expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
    expect(await runOf(house)).not.toHaveProperty('labelReason');
  });
});

describe('terminal, confirmed', () => {
  /** The doubt is over at once: what is tested there is tested below. */
  const noDoubt = { confirmedDoubtMs: 0 };

  for (const [name, lifecycles] of [
    ['none', []],
    ['pending', ['pending']],
    ['projection + pending', ['done', 'pending']],
  ] as const) {
    test(`row ${name}: a person asks again`, async () => {
      const house = await confirmed('completed', noDoubt);
      const before = await runOf(house);
      setLifecycles(house, ...lifecycles);
      await project(house);
      expect(house.labelsOf(1)).toEqual(people(...lifecycles));
      expect(await claim(house)).toMatchObject({ kind: 'claimed' });
      expect(house.labelsOf(1)).toEqual(people('enqueued'));
      expect((await runOf(house)).id).not.toBe(before.id);
    });

    test(`row ${name}, within the doubt time: eligible only when seen on two reads some time apart`, async () => {
      const house = await confirmed('completed', { confirmedDoubtMs: 60_000, secondReadMs: 600 });
      setLifecycles(house, ...lifecycles);
      expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'seen-once' });
      expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: 'seen-once' });
      const outcome = await until('the second look counts', async () => {
        const next = await claim(house);
        return next.kind === 'claimed' ? next : undefined;
      });
      expect(outcome).toMatchObject({ kind: 'claimed' });
    });
  }

  test('within the doubt time, a read in between that shows the projection again starts the looks anew', async () => {
    const house = await confirmed('completed', { confirmedDoubtMs: 60_000, secondReadMs: 300 });
    setLifecycles(house);
    expect(await claim(house)).toMatchObject({ reason: 'seen-once' });
    const firstLook = performance.now();
    setLifecycles(house, 'done');
    expect(await claim(house)).toMatchObject({ reason: 'done' });
    setLifecycles(house);
    await until('the first look would be old enough', () => performance.now() - firstLook > 320);
    expect(await claim(house)).toMatchObject({ reason: 'seen-once' });
  });

  test('within the doubt time a person who names the ticket is believed at once', async () => {
    const house = await confirmed('completed', { confirmedDoubtMs: 60_000 });
    setLifecycles(house);
    expect(await claim(house, 'manual')).toMatchObject({ kind: 'claimed' });
  });

  test('the doubt is measured on the clock of Redis, whatever this machine believes', async () => {
    const house = await confirmed('completed', { confirmedDoubtMs: 60_000 });
    const { id } = await runOf(house);
    setLifecycles(house);
    // As if the confirmation had been an hour ago by Redis: then this machine is an hour ahead or behind.
    await redis.client.hincrby(house.redis.keys.run(id), 'confirmedAtMs', -3_600_000);
    expect(await claim(house)).toMatchObject({ kind: 'claimed' });
  });

  for (const shown of ['enqueued', 'in-progress'] as const) {
    test(`row ${shown}: the projection is written again, 3 times, then it is left alone with a finding`, async () => {
      const house = await confirmed('completed', noDoubt);
      for (const doubts of [1, 2, 3]) {
        setLifecycles(house, shown);
        expect(await claim(house, 'reconcile')).toEqual({ kind: 'not-eligible', reason: shown });
        await project(house);
        expect(house.labelsOf(1)).toEqual(people('done'));
        expect(await runOf(house)).toMatchObject({ labelState: 'confirmed', labelDoubts: doubts });
        expect(house.findings.all()).toEqual([]);
      }
      setLifecycles(house, shown);
      await project(house);
      expect(house.labelsOf(1)).toEqual(people(shown));
      expect(house.findings.all()).toMatchObject([{ code: 'foreign-lifecycle-labels' }]);
      expect((await house.decisions.latest(1))[0]).toMatchObject({ by: 'label', outcome: 'label left alone' });
      expect(house.hub.issue(ticket).comments).toHaveLength(1);
    });
  }

  for (const [state, other] of [
    ['completed', 'failed'],
    ['failed', 'done'],
  ] as const) {
    test(`row the other terminal label: ${other} on a run that ${state} is a person's verdict, left alone`, async () => {
      const house = await confirmed(state, noDoubt);
      setLifecycles(house, other);
      const asked = house.hub.ledger.requests().length;
      await project(house);
      expect(await claim(house)).toEqual({ kind: 'not-eligible', reason: other });
      expect(house.labelsOf(1)).toEqual(people(other));
      expect(
        house.hub.ledger
          .requests()
          .slice(asked)
          .map(({ method }) => method),
      ).toEqual(['GET', 'GET']);
    });
  }

  test('a look that fails does not make a confirmed label ours again', async () => {
    const house = await confirmed('completed', noDoubt);
    setLifecycles(house, 'pending');
    house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'answer', status: 502 });
    await project(house);
    expect(await runOf(house)).toMatchObject({ labelState: 'confirmed' });
    await project(house);
    expect(house.labelsOf(1)).toEqual(people('pending'));
  });
});
