/**
 * From wherever a sequence has led there is a way to the end: everybody who was at work dies, no more faults come, time
 * passes, and the real repair passes, the real claims and the real label writer take over, on the platform on paper. Then
 * every run ends, every label is settled, and every ticket that asks for a run gets one: nothing is lost.
 */
import assert from 'node:assert/strict';
import { createRunCanceller } from '../../src/claims/run-canceller.ts';
import { createTicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import { createUnwantedRuns } from '../../src/claims/unwanted-runs.ts';
import { judge } from '../../src/domain/eligibility.ts';
import { decideLabel } from '../../src/domain/label-table.ts';
import type { Catalog } from '../../src/domain/project.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { unreachable } from '../../src/foundation/errors.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import { createLabelWriter } from '../../src/labels/label-writer.ts';
import type { Turn } from '../../src/queue/run-queue.ts';
import { createDeadClaims } from '../../src/repair/dead-claims.ts';
import { createEnqueuedReconciler } from '../../src/repair/enqueued-reconciler.ts';
import { createStaleJobDetector } from '../../src/repair/stale-job-detector.ts';
import { createCancellations } from '../../src/runs/cancellations.ts';
import { createClaimRecords } from '../../src/runs/claim-records.ts';
import { createDecisionLog } from '../../src/runs/decision-log.ts';
import { createRetentionRecords, RUN_LISTS } from '../../src/runs/retention.ts';
import { openPlatformPass } from '../repair/platform-passes.ts';
import { repairs, termOf } from '../repair/terms.ts';
import { silentLog } from '../support/house.ts';
import { PAPER_CAPS } from './actors/feeder.ts';
import { keyOf, PAPER_PROJECT } from './paper-platform.ts';
import { TICKETS } from './steps.ts';
import { look, TIMING, type World } from './world.ts';

/** More than any way home takes. */
const MOST_ROUNDS = 12;

/** What people wait for is over at once. */
const PATIENCE = { ...DEFAULT_TIMING, secondReadMs: 1, confirmedDoubtMs: 0, staleConfirmMs: 0, reconcileGraceMs: 0 };

export async function playEnding(world: World): Promise<void> {
  world.trace.push('everybody dies, and time passes');
  await everythingStops(world);
  const house = openRepair(world);
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    await house.pass();
    await look(world);
    if (whatIsLeft(world).length === 0) return;
  }
  assert.deepEqual(whatIsLeft(world), [], 'repair does not bring it to an end');
}

async function everythingStops(world: World): Promise<void> {
  const { redis } = world;
  const { keys } = redis;
  for (const worker of world.workers) Object.assign(worker, { attempt: undefined, taken: undefined, ended: [] });
  await redis.read('everything stops', async (client) => {
    await client.hset(keys.incarnation, 'id', 'id', 'server', `server-${world.server}`, 'since', '0');
    const putOff = keys.putOff(PAPER_PROJECT.name);
    for (const run of await client.zrange(putOff, 0, '-1')) await client.zadd(putOff, 0, run);
    for (const key of TICKETS.map(keyOf)) {
      await client.del(keys.claimLock('github', key), keys.heartbeat(key));
      if ((await client.exists(keys.ticket(key))) === 1) await client.hset(keys.ticket(key), 'backoffUntil', '1');
    }
  });
}

/** The housekeeping leader, one poller and one worker, as far as they are needed to come home. */
function openRepair(world: World): { pass(): Promise<void> } {
  const { redis, runs, platform, attemptRecords } = world;
  const jobs = new Map<string, Turn>();
  const queue = {
    add: async (turn: Turn) => void jobs.set(`${turn.run}-${turn.turn}`, turn),
    isQueued: async (turn: Turn) => jobs.has(`${turn.run}-${turn.turn}`),
    repair: (turn: Turn) => queue.add(turn),
  };
  const pipeline = { name: 'fix-bug', policy: '{}', timeoutMs: 60_000, maxAttempts: 3 };
  const catalog: Catalog = { hash: 'paper', projects: [PAPER_PROJECT], pipelines: new Map([['fix-bug', pipeline]]) };
  const shared = { catalog: () => catalog, platformOf: () => platform, log: silentLog };
  const claimRecords = createClaimRecords(redis, { ...TIMING, mostRunsPerDay: () => Number.MAX_SAFE_INTEGER });
  const decisions = createDecisionLog(redis);
  const canceller = createRunCanceller({
    cancellations: createCancellations(redis, attemptRecords),
    decisions,
    log: silentLog,
  });
  const claims = createTicketClaimService(
    { ...shared, records: claimRecords, queue, decisions, canceller, onOutcome: undefined },
    PATIENCE,
  );
  const labels = createLabelWriter(
    { ...shared, runs, records: world.labelRecords, decisions, findings: createFindings() },
    PATIENCE,
  );
  const { onRepair } = repairs();
  const term = termOf();
  const permission = { mayWrite: () => true, signal: term.signal };
  const unwanted = createUnwantedRuns({
    ...shared,
    runs,
    canceller,
    showLabel: (run) => labels.project(run, permission),
  });
  const deps = { ...shared, runs, queue, canceller, unwanted, claims, claimRecords, labels, onRepair };
  const staleJobs = createStaleJobDetector(
    { ...deps, records: attemptRecords, pauseAfter: () => 0, contacts: () => 1 },
    PATIENCE,
  );
  const reconciler = createEnqueuedReconciler(deps, PATIENCE);
  const deadClaims = createDeadClaims({ ...deps, credentialOf: () => 'bot', onHomeless: async () => {} }, PATIENCE);
  const platformPass = openPlatformPass({ ...deps, recoveringMs: () => 0, mayAdopt: () => true }, PATIENCE);
  const retention = createRetentionRecords(redis, TIMING);

  const work = async ({ run: id, turn }: Turn): Promise<void> => {
    const taken = await attemptRecords.take(id, turn);
    if (taken.kind === 'dropped') return;
    const { run } = taken;
    if (run.cancelRequested !== undefined) return void (await attemptRecords.endQueued(run, 'cancelled', 'asked to'));
    const started = await attemptRecords.start(run, 'the last worker');
    if (started.kind !== 'started') return;
    const name = { run: id, ticket: run.ticket, attempt: started.run.attempt, fence: started.run.attemptFence };
    await attemptRecords.finish(name, { state: 'completed', reason: 'exit code 0', output: '', onlyIfDead: false });
  };

  return {
    async pass() {
      // Dead is what was seen dead twice.
      for (const pass of [staleJobs, staleJobs, reconciler, deadClaims, platformPass]) await pass(term);
      for (const list of RUN_LISTS) await retention.tidy(list, { next: undefined }, 1_000);
      for (const ticketId of TICKETS) {
        await claims.claim({ project: PAPER_PROJECT.name, ticketId, trigger: 'poll' }, term.signal);
      }
      await world.admissions.tidy(PAPER_CAPS, { next: undefined });
      for (const turn of await world.admissions.admit({ instance: 'pod', free: 1 }, PAPER_CAPS)) await queue.add(turn);
      for (const [id, turn] of jobs) {
        jobs.delete(id);
        await work(turn);
      }
      const due = await redis.read('what is due', (client) => client.zrange(redis.keys.unconfirmed, 0, '-1'));
      for (const run of due) await labels.project(run, { mayWrite: () => true, signal: term.signal });
    },
  };
}

/** In words, what is still to be done by anybody. */
function whatIsLeft(world: World): string[] {
  const { lists, fairUse } = world.view.records;
  const open = (['received', 'queued', 'running', 'unconfirmed'] as const).flatMap((list) =>
    lists[list].map((run) => `${run} is ${list}`),
  );
  const counted = Object.entries(fairUse).flatMap(([list, runs]) => runs.map((run) => `${run} is ${list}`));
  return [...open, ...counted, ...TICKETS.flatMap((ticket) => leftOnTicket(world, ticket))];
}

function leftOnTicket({ view, platform }: World, ticket: string): string[] {
  const run = view.runOf(ticket);
  const labels = platform.labelsOf(ticket);
  const action = decideLabel({ run, labels, locked: false });
  const left = `ticket ${ticket} shows ${labels.join(' ')} with ${run?.state ?? 'no run'}: ${action.kind}`;
  switch (action.kind) {
    case 'leave':
    case 'give-up':
      return [];
    case 'claim': {
      const verdict = judge({
        ticket: platform.ticketOf(ticket),
        projects: [PAPER_PROJECT],
        previous: run,
        mode: 'fresh',
      });
      return verdict.eligible ? [left] : [];
    }
    case 'write':
      // Both `done` and `failed` without a record: the platform pass does not list what has ended.
      return run === undefined && action.lifecycle !== 'pending' ? [] : [left];
    case 'confirm':
    case 'doubt':
    case 'take-over':
      return [left];
    default:
      return unreachable(action);
  }
}
