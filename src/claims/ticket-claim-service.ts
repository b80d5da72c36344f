/**
 * TicketClaimService: the only way a ticket becomes a run, for polls, webhooks, repair and people alike (PROTOCOL 2).
 *
 *   0 pre-check      no I/O                          dies after it: nothing happened
 *   1 begin          lock, fence, run `received`     next poll, event or repair takes it over
 *   2 read           the ticket itself               same
 *   3 judge          pure                            same; not eligible: record removed
 *   4 label          pending -> enqueued             taken over: the fresh read says `enqueued`, on at 5
 *   5 commit         received -> queued, turn 1      repair finds a queued run without a job
 *   6 job            BullMQ                          fine
 *   7 release        compare and delete              the lock expires
 *
 * Invariants
 * - A write to the platform happens only while the lock has reserve left, so no two claims write at once.
 * - After an ambiguous failure (timeout, 5xx, cut connection, half done) the record stays `received`: somebody goes on
 *   with it. It is removed only when the platform certainly changed nothing.
 * - The fresh ticket decides, never a listing or a payload.
 */
import { ulid } from 'ulid';
import { type Eligibility, type EligibilityFacts, judge } from '../domain/eligibility.ts';
import type { Catalog, Project, Trigger } from '../domain/project.ts';
import { projectsOnSource, type RoutedTicket } from '../domain/routing.ts';
import { isTerminal, type Run } from '../domain/run.ts';
import { type Ticket, ticketKey } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { createSecondLook } from '../foundation/second-look.ts';
import { type Call, PlatformError, type TicketPlatform } from '../platforms/contract.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { ClaimHold, ClaimRecords } from '../runs/claim-records.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import { type ClaimOutcome, describeOutcome } from './claim-outcome.ts';

export interface ClaimRequest {
  /** Any project on the ticket's source; routing decides which one takes the ticket. */
  readonly project: string;
  /** The platform's id of the ticket in that source. */
  readonly ticketId: string;
  readonly trigger: Trigger;
}

export interface TicketClaimService {
  /** Never throws for what can be expected; see `ClaimOutcome`. Ends within the claim deadline. */
  claim(request: ClaimRequest, signal: AbortSignal): Promise<ClaimOutcome>;
}

export interface TicketClaimDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly records: ClaimRecords;
  readonly queue: Pick<RunQueue, 'add'>;
  readonly decisions: Pick<DecisionLog, 'record'>;
  readonly log: Log;
  readonly onOutcome: ((facts: { readonly request: ClaimRequest; readonly outcome: ClaimOutcome }) => void) | undefined;
}

export interface TicketClaimOptions {
  readonly claimDeadlineMs: number;
  readonly claimCallMs: number;
  readonly claimLockTtlMs: number;
  readonly claimLockReserveMs: number;
  readonly secondReadMs: number;
  readonly confirmedDoubtMs: number;
}

const MOST_DOUBTED_TICKETS = 10_000;

/** One claim on its way: what its steps share. */
interface Claim {
  readonly request: ClaimRequest;
  readonly project: Project;
  readonly platform: TicketPlatform;
  readonly catalog: Catalog;
  readonly projects: readonly Project[];
  call(purpose: Call['purpose']): Call;
  /** Milliseconds until the whole claim must be over. */
  leftMs(): number;
}

export function createTicketClaimService(deps: TicketClaimDeps, options: TicketClaimOptions): TicketClaimService {
  const { records, queue, log } = deps;
  const secondLook = createSecondLook({ apartMs: options.secondReadMs, most: MOST_DOUBTED_TICKETS });

  /** Step 0: no I/O. */
  const preCheck = (request: ClaimRequest, signal: AbortSignal): Claim | ClaimOutcome => {
    const catalog = deps.catalog();
    const project = catalog.projects.find(({ name }) => name === request.project);
    if (project === undefined) return rejected('unknown-project', `no project ${request.project} in the configuration`);
    const platform = deps.platformOf(project);
    if (project.disabled !== undefined || platform === undefined) {
      return rejected('project-disabled', project.disabled ?? 'its platform is not connected');
    }
    const projects = projectsOnSource(catalog, project, request.trigger);
    if (projects.length === 0) return rejected('trigger-not-allowed', `sync_policy excludes ${request.trigger}`);
    const startedAt = now();
    const leftMs = (): number => options.claimDeadlineMs - elapsedMs(startedAt);
    return {
      request,
      project,
      platform,
      catalog,
      projects,
      leftMs,
      call: (purpose) => ({ purpose, signal, deadlineMs: Math.max(1, Math.min(options.claimCallMs, leftMs())) }),
    };
  };

  /** Steps 1 to 7. */
  const run = async (claim: Claim): Promise<ClaimOutcome> => {
    const { request, project } = claim;
    const lockedAt = now();
    const begun = await records.begin({
      newRun: ulid(),
      token: ulid(),
      ticket: ticketKey(project.source, request.ticketId),
      platform: project.source.platform,
      ticketId: request.ticketId,
      project: project.name,
      trigger: request.trigger,
      insist: request.trigger === 'manual',
    });
    switch (begun.kind) {
      case 'already-claimed':
        return { kind: 'already-claimed', run: begun.run, state: begun.state };
      case 'contended':
        return failed('contended', 'another claim of this ticket is at work');
      case 'recovering':
        return failed('recovering', 'redis lost data; claims wait until live workers have reported');
      case 'backing-off':
        return failed('backing-off', `after earlier failures, until ${new Date(begun.untilMs).toISOString()}`);
      case 'too-many-runs':
        return { kind: 'not-eligible', reason: 'too-many-runs' };
      case 'begun':
      case 'taken-over':
        break;
    }
    const { hold } = begun;
    const resumed = begun.kind === 'taken-over';
    try {
      const read = await readTicket(claim, hold, resumed);
      if ('kind' in read) return read;
      const verdict = await judgeTicket(claim, read.ticket, begun.previous, resumed);
      if (!verdict.eligible) return await refuse(claim, hold, read.ticket, verdict.reason, resumed);

      const { routed } = verdict;
      const pipeline = claim.catalog.pipelines.get(routed.route.pipeline);
      if (pipeline === undefined) {
        await records.abandon(hold, false);
        return rejected('no-runner', `pipeline ${routed.route.pipeline} has no runner`);
      }
      if (verdict.lifecycle !== 'enqueued') {
        const refused = await labelEnqueued(claim, hold, read.ticket, options.claimLockTtlMs - elapsedMs(lockedAt));
        if (refused !== undefined) return refused;
      }
      return await commit(hold, read.ticket, routed, pipeline.policy);
    } catch (error) {
      // Redis went away, or a bug: the record stays `received` and whoever comes next goes on with it.
      await release(hold);
      throw error;
    }
  };

  /** Step 2. */
  const readTicket = async (
    claim: Claim,
    hold: ClaimHold,
    resumed: boolean,
  ): Promise<{ readonly ticket: Ticket } | ClaimOutcome> => {
    try {
      return { ticket: await claim.platform.readTicket(claim.request.ticketId, claim.call('claim')) };
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      const transient = error.kind === 'unavailable' || error.kind === 'rate-limited';
      // A claim that died may have written `enqueued` already: its record is what brings the ticket on.
      if (resumed && error.kind !== 'not-found') await release(hold);
      else await records.abandon(hold, !transient);
      return error.kind === 'not-found'
        ? { kind: 'not-eligible', reason: 'gone' }
        : failed(error.kind, error.message);
    }
  };

  /** Step 3. */
  const judgeTicket = async (
    claim: Claim,
    ticket: Ticket,
    previous: Run | undefined,
    resumed: boolean,
  ): Promise<Eligibility> => {
    const facts: EligibilityFacts = {
      ticket,
      projects: claim.projects,
      mode: resumed || claim.request.trigger === 'reconcile' ? 'resumed' : 'fresh',
      previous: previous !== undefined && isTerminal(previous.state) ? previous : undefined,
      doubtful: false,
    };
    const verdict = judge(facts);
    if (!verdict.eligible) return verdict;
    if (justConfirmed(facts.previous) && !secondLook.confirms(ticket.key, facts.previous?.id ?? '')) {
      return judge({ ...facts, doubtful: true });
    }
    return await judgeActor(claim, ticket, verdict.routed, verdict);
  };

  const justConfirmed = (previous: Run | undefined): boolean =>
    previous?.confirmedAtMs !== undefined && Date.now() - previous.confirmedAtMs < options.confirmedDoubtMs;

  /** Who set the trigger label; unknown is refused. */
  const judgeActor = async (
    claim: Claim,
    ticket: Ticket,
    { project, route }: RoutedTicket,
    verdict: Eligibility,
  ): Promise<Eligibility> => {
    const allowed = project.routing.allowedActors;
    if (allowed === undefined || claim.request.trigger === 'manual') return verdict;
    if (!claim.platform.capabilities.labelActors) return { eligible: false, reason: 'actor-unknown' };
    const label = route.label ?? 'agent-smith:pending';
    const actor = await claim.platform.labelActor(ticket.id, label, claim.call('claim'));
    if (actor === undefined) return { eligible: false, reason: 'actor-unknown' };
    const known = allowed.some((name) => name.toLowerCase() === actor.toLowerCase());
    return known ? verdict : { eligible: false, reason: 'actor-not-allowed' };
  };

  /** Step 3, the other end: the record goes, and with it an `enqueued` that a dead claim of ours has left. */
  const refuse = async (
    claim: Claim,
    hold: ClaimHold,
    ticket: Ticket,
    reason: NotEligible,
    resumed: boolean,
  ): Promise<ClaimOutcome> => {
    if (resumed && ticket.labels.some((label) => label.toLowerCase() === 'agent-smith:enqueued')) {
      await claim.platform.moveLifecycle(ticket, undefined, claim.call('label'));
    }
    await records.abandon(hold, false);
    return { kind: 'not-eligible', reason };
  };

  /** Step 4. Undefined when the label is written and read back. */
  const labelEnqueued = async (
    claim: Claim,
    hold: ClaimHold,
    ticket: Ticket,
    lockLeftMs: number,
  ): Promise<ClaimOutcome | undefined> => {
    if (lockLeftMs < options.claimLockReserveMs || claim.leftMs() <= 0) {
      await release(hold);
      return failed('out-of-time', 'the platform was too slow for this claim');
    }
    try {
      await claim.platform.moveLifecycle(ticket, 'enqueued', claim.call('label'));
      return undefined;
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      // Only a refused first write proves that nothing changed.
      if (error.effect === 'none') await records.abandon(hold, error.kind !== 'rate-limited');
      else await release(hold);
      return failed(error.kind, error.message);
    }
  };

  /** Steps 5, 6 and 7. */
  const commit = async (
    hold: ClaimHold,
    ticket: Ticket,
    { project, route }: RoutedTicket,
    policy: string,
  ): Promise<ClaimOutcome> => {
    const turn = await records.commit(hold, {
      pipeline: route.pipeline,
      label: route.label,
      policy,
      project: project.name,
      display: ticket.display,
      url: ticket.url,
    });
    if (turn === undefined) return failed('contended', 'another claim took this one over');
    await queue.add({ run: hold.run, turn }).catch((error: unknown) => {
      log.warn({ ticket: hold.ticket, run: hold.run, error: messageOf(error) }, 'job not added, repair will add it');
    });
    await release(hold);
    return { kind: 'claimed', run: hold.run, project: project.name, pipeline: route.pipeline };
  };

  const release = async (hold: ClaimHold): Promise<void> => {
    await records.release(hold).catch((error: unknown) => {
      log.debug({ ticket: hold.ticket, error: messageOf(error) }, 'claim lock not released, it will expire');
    });
  };

  const remember = async (request: ClaimRequest, outcome: ClaimOutcome, durationMs: number): Promise<void> => {
    deps.onOutcome?.({ request, outcome });
    const project = deps.catalog().projects.find(({ name }) => name === request.project);
    if (project === undefined) return;
    const ticket = ticketKey(project.source, request.ticketId);
    const facts = { ticket, project: request.project, trigger: request.trigger, outcome: describeOutcome(outcome) };
    const run = 'run' in outcome ? { run: outcome.run } : {};
    const detail = 'detail' in outcome ? { detail: outcome.detail } : {};
    const level = outcome.kind === 'claimed' ? 'info' : outcome.kind === 'failed' ? 'warn' : 'debug';
    log[level]({ ...facts, ...run, ...detail, platform: project.source.platform, durationMs }, 'claim');
    if (outcome.kind === 'already-claimed' || (outcome.kind === 'failed' && PASSING.has(outcome.failure))) return;
    await deps.decisions.record({ ...facts, ...run, ...detail, by: 'claim' }).catch((error: unknown) => {
      log.debug({ ticket, error: messageOf(error) }, 'decision not recorded');
    });
  };

  return {
    async claim(request, signal) {
      const startedAt = now();
      const claim = preCheck(request, signal);
      const outcome = 'kind' in claim ? claim : await run(claim).catch(outcomeOf);
      await remember(request, outcome, Math.round(elapsedMs(startedAt)));
      return outcome;
    },
  };
}

type NotEligible = Extract<Eligibility, { eligible: false }>['reason'];

/** Gone by itself within seconds: not worth a line in the decision log. */
const PASSING: ReadonlySet<string> = new Set(['contended', 'recovering', 'redis-unavailable', 'backing-off']);

/** What escapes a claim's steps: Redis away, a platform error of a secondary call; anything else is a bug. */
function outcomeOf(error: unknown): ClaimOutcome {
  if (error instanceof PlatformError) return failed(error.kind, error.message);
  if (error instanceof OperationError) return failed('redis-unavailable', error.message);
  throw error;
}

function failed(failure: Extract<ClaimOutcome, { kind: 'failed' }>['failure'], detail: string): ClaimOutcome {
  return { kind: 'failed', failure, detail };
}

function rejected(reason: Extract<ClaimOutcome, { kind: 'rejected' }>['reason'], detail: string): ClaimOutcome {
  return { kind: 'rejected', reason, detail };
}
