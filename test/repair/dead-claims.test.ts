/** Claims that died (PROTOCOL 6, EnqueuedReconciler: `received` without a lock). */
import { ulid } from 'ulid';
import { beforeEach, expect, test } from 'vitest';
import type { Project } from '../../src/domain/project.ts';
import type { Run } from '../../src/domain/run.ts';
import { createDeadClaims } from '../../src/repair/dead-claims.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { runOf } from '../worker/worker-room.ts';
import { repairs, termOf } from './terms.ts';

const redis = useRedis();
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

interface DeadClaimOptions {
  readonly projects?: readonly Project[];
  readonly claims?: House['claims'];
  readonly credentialOf?: (run: Run) => string;
}

function deadClaims(options: DeadClaimOptions = {}) {
  const { told, onRepair } = repairs();
  const asked: string[] = [];
  const homeless: string[][] = [];
  const claims = options.claims ?? house.claims;
  const pass = createDeadClaims(
    {
      ...house,
      catalog: () => ({ ...house.catalog, projects: options.projects ?? house.catalog.projects }),
      credentialOf: options.credentialOf ?? (() => 'bot'),
      claims: {
        claim: (request, signal) => {
          asked.push(request.ticketId);
          return claims.claim(request, signal);
        },
      },
      log: silentLog,
      onRepair,
      onHomeless: async (runs: readonly Run[]) => {
        homeless.push(runs.map(({ id }) => id));
      },
    },
    { reconcileGraceMs: 0 },
  );
  return { pass, told, asked, homeless };
}

/** A claim that died after its first step; its lock too unless `locked`. */
async function deadClaim(locked: boolean): Promise<string> {
  const { number } = house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const { platform } = house.project.source;
  const begun = await house.claimRecords.begin({
    newRun: ulid(),
    token: 'a-token',
    ticket: house.keyOf(number),
    platform,
    ticketId: String(number),
    project: 'api',
    trigger: 'poll',
    insist: false,
  });
  if (begun.kind !== 'begun') throw new Error(begun.kind);
  if (!locked) await house.claimRecords.release(begun.hold);
  return begun.hold.run;
}

test('a claim whose lock is gone is taken over and goes on, as the same run', async () => {
  const id = await deadClaim(false);
  const { pass, told } = deadClaims();
  await pass(termOf());
  expect(await runOf(house, id)).toMatchObject({ state: 'queued', trigger: 'poll' });
  expect(await house.queue.isQueued({ run: id, turn: 1 })).toBe(true);
  expect(house.labelsOf(1)).toEqual(['agent-smith', 'agent-smith:enqueued']);
  expect(told.map(({ kind, outcome }) => [kind, outcome])).toEqual([['dead-claim', 'claimed']]);
});

test('a claim that holds its lock is left alone until the lock expires', async () => {
  const id = await deadClaim(true);
  const { pass, told } = deadClaims();
  await pass(termOf());
  expect(await runOf(house, id)).toMatchObject({ state: 'received' });
  expect(told).toEqual([]);
  await redis.client.pexpire(house.redis.keys.claimLock('github', house.keyOf(1)), 1);
  await until('the lock is gone', async () => !(await house.claimRecords.isLocked('github', house.keyOf(1))));
  await pass(termOf());
  expect(await runOf(house, id)).toMatchObject({ state: 'queued' });
});

test('a leader whose trust is over takes no claim over', async () => {
  await deadClaim(false);
  const { pass, asked } = deadClaims();
  const term = termOf();
  term.lose();
  await pass(term);
  expect(asked).toEqual([]);
});

test('claims on a platform that hangs do not hold up the claim of another ticket', async () => {
  const [hanging, other] = [await deadClaim(false), await deadClaim(false)];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { pass, told } = deadClaims({
    claims: {
      async claim(request, signal) {
        if (request.ticketId === '1') await released;
        return await house.claims.claim(request, signal);
      },
    },
  });
  const passing = pass(termOf());
  await until('the other is taken over', () => told.some(({ run }) => run === other));
  expect(await runOf(house, hanging)).toMatchObject({ state: 'received' });
  release();
  await passing;
  expect(await runOf(house, hanging)).toMatchObject({ state: 'queued' });
});

test('more claims on a platform that hangs than may go side by side hold up no claim with another credential, in this pass or the next', async () => {
  const hanging: string[] = [];
  for (let n = 0; n < 10; n += 1) hanging.push(await deadClaim(false));
  const others = [await deadClaim(false)];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const { pass, told, asked } = deadClaims({
    credentialOf: ({ id }) => (hanging.includes(id) ? 'slow' : 'quick'),
    claims: {
      async claim(request, signal) {
        if (Number(request.ticketId) <= hanging.length) await released;
        return await house.claims.claim(request, signal);
      },
    },
  });
  const taken = (): string[] => told.map(({ run = '' }) => run);
  const first = pass(termOf());
  await until('the other is taken over', () => taken().length === 1);
  others.push(await deadClaim(false));
  const second = pass(termOf());
  await until('the next one is taken over', () => taken().length === 2);
  expect(taken()).toEqual(others);
  release();
  await Promise.all([first, second]);
  expect(taken().toSorted()).toEqual([...hanging, ...others].toSorted());
  // Those that were at work or in line were not asked for twice.
  expect(new Set(asked).size).toBe(asked.length);
});

test.each([
  {
    what: 'has moved to another source',
    now: ({ source, ...rest }: Project) => [{ ...rest, source: { ...source, container: 'org/other' } }],
  },
  {
    what: 'has moved, although its former self is known',
    now: (api: Project) => [{ ...api, source: { ...api.source, container: 'org/other' } }, api],
  },
  { what: 'is gone', now: () => [] },
])('a claim whose project $what is not taken over but told of, until it is back', async ({ now }) => {
  const id = await deadClaim(false);
  const elsewhere = deadClaims({ projects: now(house.project) });
  await elsewhere.pass(termOf());
  expect(elsewhere.asked).toEqual([]);
  expect(elsewhere.homeless).toEqual([[id]]);
  const back = deadClaims();
  await back.pass(termOf());
  expect(back.homeless).toEqual([[]]);
  expect(await runOf(house, id)).toMatchObject({ state: 'queued' });
});

test('a claim that comes to something else is no repair of this run', async () => {
  const id = await deadClaim(false);
  const { pass, told } = deadClaims({
    claims: { claim: async () => ({ kind: 'already-claimed', run: id, state: 'queued' }) },
  });
  await pass(termOf());
  expect(told).toEqual([]);
});
