/**
 * TicketClaimService: the only way a ticket becomes a run, for polls, webhooks, repair and people alike (PROTOCOL 2).
 *
 *   0 pre-check      no I/O                          dies after it: nothing happened
 *   1 begin          lock, fence, run `received`     next poll, event or repair takes it over
 *   2 read           the ticket itself               same
 *   3 judge          pure                            same; not eligible: record removed
 *   4 label          pending -> enqueued             taken over: the fresh read says `enqueued`, on at 5
 *   5 commit         received -> queued, turn 1,     repair finds a queued run without a job
 *                    lock released (step 7)
 *   6 job            BullMQ                          fine
 *
 * Invariants
 * - A write to the platform happens only while the lock has reserve left, so no two claims write at once.
 * - The record is removed only when the platform certainly shows nothing of this claim, nor of a dead one before it.
 *   Otherwise (timeout, 5xx, cut connection, half done) it stays `received`, and somebody goes on with it.
 * - The fresh ticket decides, never a listing or a payload.
 */
import { randomUUID } from 'node:crypto';
import { monotonicFactory } from 'ulid';
import { type Eligibility, judge, lifecycleWithoutClaim, type NotEligibleReason } from '../domain/eligibility.ts';
import { hasLabel, lifecycleLabel } from '../domain/lifecycle.ts';
import type { Trigger } from '../domain/project.ts';
import type { RoutedTicket } from '../domain/routing.ts';
import { isTerminal, type Run } from '../domain/run.ts';
import { type Ticket, ticketKey } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf, OperationError, unreachable } from '../foundation/errors.ts';
import { createSecondLook } from '../foundation/second-look.ts';
import { PlatformError } from '../platforms/contract.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { BeginClaimReply, BegunClaim, ClaimHold, ClaimRecords } from '../runs/claim-records.ts';
import { type ClaimOutcome, failed, notEligible, rejected } from './claim-outcome.ts';
import { type ClaimReportDeps, createClaimReport } from './claim-report.ts';
import { type Claim, type ClaimRequest, type PreCheckDeps, preCheck } from './claim-request.ts';

export interface TicketClaimService {
  /** Never throws for what can be expected; see `ClaimOutcome`. Ends within the claim deadline. */
  claim(request: ClaimRequest, signal: AbortSignal): Promise<ClaimOutcome>;
}

export interface TicketClaimDeps extends PreCheckDeps, ClaimReportDeps {
  readonly records: ClaimRecords;
  readonly queue: Pick<RunQueue, 'add'>;
}

export interface TicketClaimOptions {
  readonly claimDeadlineMs: number;
  readonly claimCallMs: number;
  readonly claimLockTtlMs: number;
  readonly claimLockReserveMs: number;
  readonly secondReadMs: number;
  readonly confirmedDoubtMs: number;
  /** A claim that died is not gone on with when the platform still hides its ticket so long after it began. */
  readonly labelGiveUpMs: number;
}

const MOST_DOUBTED_TICKETS = 10_000;
/** Counts up within a millisecond: drawing each id anew, and the lock's token with it, took a quarter of a claim's time. */
const newRunId = monotonicFactory();
const ENQUEUED = lifecycleLabel('enqueued');

/** A claim that holds its ticket's lock. */
interface HeldClaim extends Claim {
  readonly hold: ClaimHold;
  /** What the run was asked for by, which is not always what goes on with it. */
  readonly trigger: Trigger;
  /** The ticket's last run, when it has ended. */
  readonly previous: Run | undefined;
  /** Redis TIME, ms. */
  readonly begunAtMs: number;
  /** Milliseconds since the run was first asked for. */
  readonly ageMs: number;
  /** An earlier claim has died, or Redis has lost its record: an `enqueued` on the ticket is nobody else's. */
  readonly resumed: boolean;
  /** Whether there is time for a write to the platform. */
  readonly mayWrite: () => boolean;
}

export function createTicketClaimService(deps: TicketClaimDeps, options: TicketClaimOptions): TicketClaimService {
  const { records, queue, log } = deps;
  const report = createClaimReport(deps);
  const secondLook = createSecondLook({ apartMs: options.secondReadMs, most: MOST_DOUBTED_TICKETS });

  /** Steps 1 to 6. */
  const run = async (claim: Claim): Promise<ClaimOutcome> => {
    const { request, project } = claim;
    const lockedAt = now();
    const begun = await records.begin({
      newRun: newRunId(),
      token: randomUUID(),
      ticket: ticketKey(project.source, request.ticketId),
      platform: project.source.platform,
      ticketId: request.ticketId,
      project: project.name,
      trigger: request.trigger,
      insist: request.trigger === 'manual',
    });
    if (!('hold' in begun)) return refusalOf(begun);
    const held = heldBy(claim, begun, () => options.claimLockTtlMs - elapsedMs(lockedAt));
    try {
      return await steps(held);
    } catch (error) {
      if (error instanceof PlatformError) return await giveUp(held, error);
      // Redis went away, or a bug: the record stays `received` and whoever comes next goes on with it.
      await release(held);
      throw error;
    }
  };

  const heldBy = (claim: Claim, begun: BegunClaim, lockLeftMs: () => number): HeldClaim => ({
    ...claim,
    hold: begun.hold,
    trigger: begun.trigger,
    previous: begun.previous !== undefined && isTerminal(begun.previous.state) ? begun.previous : undefined,
    begunAtMs: begun.atMs,
    ageMs: begun.atMs - begun.createdAtMs,
    resumed: begun.kind === 'taken-over' || (claim.request.trigger === 'reconcile' && begun.previous === undefined),
    mayWrite: () => lockLeftMs() >= options.claimLockReserveMs && claim.leftMs() > 0,
  });

  /** Steps 2 to 6. */
  const steps = async (held: HeldClaim): Promise<ClaimOutcome> => {
    const ticket = await readTicket(held);
    if (ticket === undefined) {
      await records.abandon(held.hold, { keep: false, backOff: true });
      return notEligible('gone');
    }
    const verdict = await judgeTicket(held, ticket);
    if (!verdict.eligible) return await withdraw(held, ticket, notEligible(verdict.reason));
    const { routed } = verdict;
    const pipeline = held.catalog.pipelines.get(routed.route.pipeline);
    if (pipeline === undefined) {
      return await withdraw(held, ticket, rejected('no-runner', `pipeline ${routed.route.pipeline} has no runner`));
    }
    if (verdict.lifecycle !== 'enqueued') {
      if (!held.mayWrite()) return await outOfTime(held);
      await held.platform.moveLifecycle(ticket, 'enqueued', held.call('label'));
    }
    return await commit(held, ticket, routed, pipeline.policy);
  };

  /**
   * Step 2. Undefined when the platform does not show the ticket. A dead claim may have left its `enqueued` there, and a
   * token that was narrowed by mistake hides a ticket too: that is a failure like others, until it has lasted too long.
   */
  const readTicket = async ({ platform, request, call, resumed, ageMs }: HeldClaim): Promise<Ticket | undefined> => {
    try {
      return await platform.readTicket(request.ticketId, call('claim'));
    } catch (error) {
      const hidden = error instanceof PlatformError && error.kind === 'not-found';
      if (hidden && (!resumed || ageMs >= options.labelGiveUpMs)) return undefined;
      throw error;
    }
  };

  /** Step 3. */
  const judgeTicket = async (held: HeldClaim, ticket: Ticket): Promise<Eligibility> => {
    const { projects, previous, resumed } = held;
    const verdict = judge({ ticket, projects, previous, mode: resumed ? 'resumed' : 'fresh' });
    if (!verdict.eligible) {
      secondLook.forget(ticket.key);
      return verdict;
    }
    // The `enqueued` of a dead claim was written when there was no doubt.
    const doubtful = verdict.lifecycle !== 'enqueued' && isDoubtful(held);
    if (doubtful && !secondLook.confirms(ticket.key, previous?.id ?? '')) return no('seen-once');
    return (await refusedActor(held, ticket, verdict.routed)) ?? verdict;
  };

  /**
   * Whether the previous run's label was confirmed so short a time ago that one read cannot tell a person's new wish
   * from a read that lags behind our own write. A person who names the ticket leaves no doubt.
   */
  const isDoubtful = ({ trigger, previous, begunAtMs }: HeldClaim): boolean =>
    trigger !== 'manual' &&
    previous?.confirmedAtMs !== undefined &&
    begunAtMs - previous.confirmedAtMs < options.confirmedDoubtMs;

  /** Who set the trigger label, where that matters; unknown is refused. */
  const refusedActor = async (
    { trigger, platform, call }: HeldClaim,
    ticket: Ticket,
    { project, route }: RoutedTicket,
  ): Promise<Eligibility | undefined> => {
    const allowed = project.routing.allowedActors;
    if (allowed === undefined || trigger === 'manual') return undefined;
    if (!platform.capabilities.labelActors) return no('actor-unknown');
    const label = route.label ?? lifecycleLabel('pending');
    const actor = await platform.labelActor(ticket.id, label, call('claim'));
    if (actor === undefined) return no('actor-unknown');
    return allowed.some((name) => name.toLowerCase() === actor.toLowerCase()) ? undefined : no('actor-not-allowed');
  };

  /** Step 3, the other end: the record goes, and first the `enqueued` that a dead claim has left. */
  const withdraw = async (held: HeldClaim, ticket: Ticket, outcome: ClaimOutcome): Promise<ClaimOutcome> => {
    if (held.resumed && hasLabel(ticket.labels, ENQUEUED)) {
      if (!held.mayWrite()) return await outOfTime(held);
      const before = lifecycleWithoutClaim(ticket.labels, held.projects, held.previous);
      await held.platform.moveLifecycle(ticket, before, held.call('label'));
    }
    await records.abandon(held.hold, { keep: false, backOff: false });
    return outcome;
  };

  /** The platform did not do what a step needs. */
  const giveUp = async (held: HeldClaim, error: PlatformError): Promise<ClaimOutcome> => {
    const untouched = error.effect === 'none';
    const passing = error.kind === 'unavailable' || error.kind === 'rate-limited';
    await records.abandon(held.hold, { keep: !untouched || held.resumed, backOff: untouched && !passing });
    return failed(error.kind, error.message);
  };

  const outOfTime = async (held: HeldClaim): Promise<ClaimOutcome> => {
    await release(held);
    return failed('out-of-time', 'the platform was too slow for this claim');
  };

  /** Steps 5 and 6; the lock goes with 5, because from there on the record itself refuses every other claim. */
  const commit = async (
    held: HeldClaim,
    ticket: Ticket,
    { project, route }: RoutedTicket,
    policy: string,
  ): Promise<ClaimOutcome> => {
    const { run: id, ticket: key } = held.hold;
    const { trigger } = held.request;
    const turn = await records.commit(held.hold, {
      pipeline: route.pipeline,
      label: route.label,
      policy,
      project: project.name,
      display: ticket.display,
      url: ticket.url,
      decision: { ticket: key, project: project.name, by: 'claim', outcome: 'claimed', run: id, trigger },
    });
    if (turn === undefined) return failed('contended', 'another claim took this one over');
    await queue.add({ run: id, turn }).catch((error: unknown) => {
      log.warn({ ticket: key, run: id, error: messageOf(error) }, 'job not added, repair will add it');
    });
    return { kind: 'claimed', run: id, project: project.name, pipeline: route.pipeline };
  };

  const release = async ({ hold }: HeldClaim): Promise<void> => {
    await records.release(hold).catch((error: unknown) => {
      log.debug({ ticket: hold.ticket, error: messageOf(error) }, 'claim lock not released, it will expire');
    });
  };

  return {
    async claim(request, signal) {
      const startedMs = performance.now();
      const claim = preCheck(request, signal, deps, options);
      const outcome = 'kind' in claim ? claim : await run(claim).catch(withoutRedis);
      await report(request, outcome, Math.round(performance.now() - startedMs));
      return outcome;
    },
  };
}

function no(reason: NotEligibleReason): Eligibility {
  return { eligible: false, reason };
}

/** Step 1 did not begin a claim. */
function refusalOf(begun: Exclude<BeginClaimReply, BegunClaim>): ClaimOutcome {
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
      return notEligible('too-many-runs');
    default:
      return unreachable(begun);
  }
}

/** Redis went away between two steps; anything else that escapes them is a bug. */
function withoutRedis(error: unknown): ClaimOutcome {
  if (error instanceof OperationError) return failed('redis-unavailable', error.message);
  throw error;
}
