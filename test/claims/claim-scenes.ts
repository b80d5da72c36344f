/**
 * Every way in which a claim can end, brought about for real: what is prepared, and the claim that then answers so. Both
 * what a claim does and what is foreseen of it are tested on these. Exhaustive by type: a new reason without a scene does
 * not compile.
 */
import { onTestFinished } from 'vitest';
import { type ClaimForesight, createClaimForesight, type Foreseen } from '../../src/claims/claim-foresight.ts';
import {
  type ClaimFailure,
  type ClaimOutcome,
  describeOutcome,
  type RejectedReason,
} from '../../src/claims/claim-outcome.ts';
import { createTicketClaimService, type TicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import type { NotEligibleReason } from '../../src/domain/eligibility.ts';
import { lifecycleLabel } from '../../src/domain/lifecycle.ts';
import type { Catalog, Project, Routing, Trigger } from '../../src/domain/project.ts';
import type { Timing } from '../../src/domain/timing.ts';
import type { Fault } from '../../src/emulators/faults.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';
import { FAST, type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import type { TestRedis } from '../support/redis.ts';

export const never = new AbortController().signal;
export const ticket = `${REPOSITORY}#1`;

/** Ticket 1 as it is when the claim comes. */
export interface Scene {
  readonly house: House;
  readonly claim: () => Promise<ClaimOutcome>;
  /** What is foreseen of that claim. */
  readonly foresee: () => Promise<Foreseen>;
}

export interface Change {
  readonly labels?: readonly string[];
  readonly by?: string;
  readonly routing?: Partial<Routing>;
  readonly project?: Partial<Project>;
  readonly timing?: Partial<Timing>;
  readonly freshServer?: boolean;
  readonly mostRunsPerDay?: number;
}

export const claim = (house: House, trigger: Trigger = 'poll', project = 'api'): Promise<ClaimOutcome> =>
  house.claims.claim({ project, ticketId: '1', trigger }, never);

/** The house's claims and what is foreseen of them, on what the test replaces. */
export function claimsOn(
  house: House,
  changes: { readonly platform?: TicketPlatform; readonly catalog?: Catalog; readonly timing?: Timing } = {},
): { readonly claims: TicketClaimService; readonly foresight: ClaimForesight } {
  const { platform = house.platform, catalog = house.catalog, timing = house.timing } = changes;
  const shared = { catalog: () => catalog, platformOf: () => platform };
  const { claimRecords: records, queue, decisions, canceller } = house;
  return {
    claims: createTicketClaimService(
      { ...shared, records, queue, decisions, canceller, log: silentLog, onOutcome: undefined },
      timing,
    ),
    foresight: createClaimForesight({ ...shared, records }, timing),
  };
}

/** A claim of ticket 1 in the house as it is, or on a platform of the test's own. */
function sceneOf(house: House, { platform, trigger = 'poll', project = 'api' }: SceneOptions = {}): Scene {
  const { claims, foresight } = claimsOn(house, platform === undefined ? {} : { platform });
  const request = { project, ticketId: '1', trigger };
  return { house, claim: () => claims.claim(request, never), foresee: () => foresight.foresee(request, never) };
}

interface SceneOptions {
  readonly platform?: TicketPlatform;
  readonly trigger?: Trigger;
  readonly project?: string;
}

/** Takes ticket 1 through a run to its end, its label written and read back. */
export async function finishRun(house: House, state: 'completed' | 'failed' = 'completed'): Promise<void> {
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

export interface Scenes {
  /** A house with ticket 1, which carries the trigger label unless told otherwise. */
  houseWithTicket(change?: Change): Promise<House>;
  readonly notEligible: Record<NotEligibleReason, () => Promise<Scene>>;
  readonly rejected: Record<RejectedReason, () => Promise<Scene>>;
  /** `write`: only the first write shows it, so it cannot be foreseen. */
  readonly failed: Record<ClaimFailure, { readonly seenBy: 'look' | 'write'; readonly open: () => Promise<Scene> }>;
}

export function createScenes(redis: TestRedis): Scenes {
  const houseWithTicket: Scenes['houseWithTicket'] = async (change = {}) => {
    const { labels = ['agent-smith'], by, routing, project, timing, ...rest } = change;
    const house = await openHouse({
      redisUrl: redis.url,
      ...rest,
      timing: { ...FAST, ...timing },
      projects: (plain) => [{ ...plain, ...project, routing: { ...plain.routing, ...routing } }],
    });
    house.hub.openIssue(REPOSITORY, { labels: [...labels], ...(by === undefined ? {} : { by }) });
    return house;
  };
  const plain = async (change?: Change): Promise<Scene> => sceneOf(await houseWithTicket(change));
  const shows = (lifecycle: 'enqueued' | 'in-progress' | 'done' | 'failed') => (): Promise<Scene> =>
    plain({ labels: ['agent-smith', lifecycleLabel(lifecycle)] });
  /** The first write, or every read, is answered with this. */
  const answered = (method: 'GET' | 'POST', fault: Fault) => async (): Promise<Scene> => {
    const house = await houseWithTicket();
    house.hub.faults.inject({ method }, fault);
    return sceneOf(house);
  };

  return {
    houseWithTicket,
    notEligible: {
      async gone() {
        const house = await houseWithTicket();
        house.hub.deleteIssue(ticket);
        return sceneOf(house);
      },
      async moved() {
        const house = await houseWithTicket();
        const source = { ...house.project.source, scope: 'ONE' };
        const catalog = { ...house.catalog, projects: [{ ...house.project, source }] };
        const platform: TicketPlatform = {
          ...house.platform,
          readTicket: async (id, call) => ({ ...(await house.platform.readTicket(id, call)), scope: 'TWO' }),
        };
        const { claims, foresight } = claimsOn(house, { platform, catalog });
        const request = { project: 'api', ticketId: '1', trigger: 'poll' } as const;
        return { house, claim: () => claims.claim(request, never), foresee: () => foresight.foresee(request, never) };
      },
      async closed() {
        const house = await houseWithTicket();
        house.hub.closeIssue(ticket);
        return sceneOf(house);
      },
      enqueued: shows('enqueued'),
      'in-progress': shows('in-progress'),
      done: shows('done'),
      failed: shows('failed'),
      'no-trigger-label': () => plain({ labels: ['bug', 'agent-smith:unknown'] }),
      async 'seen-once'() {
        const house = await houseWithTicket();
        await finishRun(house);
        house.hub.removeLabel(ticket, 'agent-smith:done');
        return sceneOf(house);
      },
      'actor-not-allowed': () => plain({ by: 'mallory', routing: { allowedActors: ['alice'] } }),
      async 'actor-unknown'() {
        const house = await houseWithTicket({ routing: { allowedActors: ['octocat'] } });
        house.hub.faults.inject({ path: /\/events/ }, { kind: 'answer', status: 200, body: [] });
        return sceneOf(house);
      },
      async 'too-many-runs'() {
        const house = await houseWithTicket({ mostRunsPerDay: 1 });
        await finishRun(house);
        return sceneOf(house);
      },
    },
    rejected: {
      'unknown-project': async () => sceneOf(await houseWithTicket(), { project: 'nobody' }),
      'project-disabled': () => plain({ project: { disabled: 'no token' } }),
      'trigger-not-allowed': () => plain({ project: { triggers: new Set(['webhook']) } }),
      'no-runner': () => plain({ routing: { pipelineFromLabel: new Map([['agent-smith', 'not-there']]) } }),
    },
    failed: {
      auth: { seenBy: 'look', open: answered('GET', { kind: 'answer', status: 401 }) },
      'not-found': { seenBy: 'write', open: answered('POST', { kind: 'answer', status: 404 }) },
      'rate-limited': {
        seenBy: 'look',
        open: answered('GET', { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }),
      },
      conflict: { seenBy: 'write', open: answered('POST', { kind: 'answer', status: 409 }) },
      'invalid-response': { seenBy: 'look', open: answered('GET', { kind: 'html' }) },
      unavailable: { seenBy: 'look', open: answered('GET', { kind: 'answer', status: 503 }) },
      unsupported: {
        seenBy: 'write',
        async open() {
          const house = await houseWithTicket();
          const platform: TicketPlatform = {
            ...house.platform,
            moveLifecycle: async () => {
              throw new PlatformError('unsupported', 'labels are not kept here', { effect: 'none' });
            },
          };
          return sceneOf(house, { platform });
        },
      },
      contended: {
        seenBy: 'look',
        async open() {
          const house = await houseWithTicket();
          const hung = house.hub.faults.inject({ method: 'GET', times: 1 }, { kind: 'hang' });
          const first = claim(house);
          onTestFinished(() => first.then(() => undefined));
          await hung.hit();
          return sceneOf(house);
        },
      },
      recovering: {
        seenBy: 'look',
        async open() {
          const house = await houseWithTicket({ freshServer: false, timing: { recoveryClaimsMs: 60_000 } });
          return sceneOf(house);
        },
      },
      'backing-off': {
        seenBy: 'look',
        async open() {
          const house = await houseWithTicket();
          house.hub.faults.inject({ method: 'POST' }, { kind: 'answer', status: 403 });
          await claim(house);
          return sceneOf(house);
        },
      },
      'redis-unavailable': {
        seenBy: 'look',
        async open() {
          const house = await houseWithTicket();
          await redis.server.kill('SIGKILL');
          return sceneOf(house);
        },
      },
      'out-of-time': {
        seenBy: 'look',
        open: () => plain({ timing: { claimLockReserveMs: FAST.claimLockTtlMs + 1 } }),
      },
    },
  };
}
