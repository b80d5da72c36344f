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
 *   6 job            BullMQ, once it is admitted;    fine
 *                    none, but its end, if somebody
 *                    has cancelled it
 *
 * Invariants
 * - A write to the platform happens only while the lock has reserve left, so no two claims write at once.
 * - The record is removed only when the platform certainly shows nothing of this claim, nor of a dead one before it.
 *   Otherwise (timeout, 5xx, cut connection, half done) it stays `received`, and somebody goes on with it.
 * - The fresh ticket decides, never a listing or a payload.
 */
import { randomUUID } from 'node:crypto';
import { monotonicFactory } from 'ulid';
import { lifecycleWithoutClaim } from '../domain/eligibility.ts';
import { hasLabel, type Lifecycle, lifecycleLabel, lifecyclesOf } from '../domain/lifecycle.ts';
import { claimKey, labelStep, step } from '../domain/run-spans.ts';
import type { Ticket } from '../domain/ticket.ts';
import { now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import { type HeldTrace, holdBack, NO_TRACE, type Span, type Trace, traced } from '../foundation/trace.ts';
import { PlatformError } from '../platforms/contract.ts';
import type { RunQueue } from '../queue/run-queue.ts';
import type { AbandonClaim, ClaimHold, ClaimRecords } from '../runs/claim-records.ts';
import {
  type ClaimOptions,
  createClaimGates,
  type KnownClaim,
  knownClaim,
  mayWrite,
  outOfTime,
  type Passed,
  questionOf,
  refusalOf,
  withoutRedis,
} from './claim-gates.ts';
import { type ClaimOutcome, describeOutcome, failed, notEligible, type Unclaimed } from './claim-outcome.ts';
import { type ClaimReportDeps, createClaimReport } from './claim-report.ts';
import { type Claim, type ClaimRequest, type PreCheckDeps, preCheck } from './claim-request.ts';
import type { RunCanceller } from './run-canceller.ts';

export interface TicketClaimService {
  /** Never throws for what can be expected; see `ClaimOutcome`. Ends within the claim deadline. */
  claim(request: ClaimRequest, signal: AbortSignal): Promise<ClaimOutcome>;
}

export interface TicketClaimDeps extends PreCheckDeps, ClaimReportDeps {
  readonly records: ClaimRecords;
  readonly queue: Pick<RunQueue, 'add'>;
  /** For a run that somebody wanted to end while it was claimed. */
  readonly canceller: RunCanceller;
  /** Default: nobody collects. */
  readonly trace?: Trace;
}

/** Counts up within a millisecond: drawing each id anew, and the lock's token with it, took a quarter of a claim's time. */
const newRunId = monotonicFactory();
const ENQUEUED = lifecycleLabel('enqueued');

/** A claim that holds its ticket's lock. */
interface HeldClaim extends KnownClaim {
  readonly hold: ClaimHold;
  /** Whether there is time for a write to the platform. */
  readonly mayWrite: () => boolean;
  /** Told when the claim is over, unless there is no run then. */
  readonly spans: HeldTrace;
}

export function createTicketClaimService(deps: TicketClaimDeps, options: ClaimOptions): TicketClaimService {
  const { records, queue, log, trace = NO_TRACE } = deps;
  const report = createClaimReport(deps);
  const gates = createClaimGates(options);

  /** Steps 1 to 6. */
  const run = async (claim: Claim): Promise<ClaimOutcome> => {
    const lockedAt = now();
    const begun = await records.begin({ ...questionOf(claim), newRun: newRunId(), token: randomUUID() });
    if (!('hold' in begun)) return refusalOf(begun);
    const held: HeldClaim = {
      ...knownClaim(claim, begun),
      hold: begun.hold,
      mayWrite: () => mayWrite(claim, lockedAt, options),
      spans: holdBack(trace),
    };
    const { run: id, fence } = held.hold;
    const attributes = { 'agentsmith.trigger': claim.request.trigger, 'agentsmith.fence': fence };
    try {
      const facts = step(id, 'claim', { key: claimKey(fence), attributes });
      return await traced(held.spans, facts, () => toItsEnd(held), toldBySpan);
    } finally {
      held.spans.release();
    }
  };

  const toItsEnd = async (held: HeldClaim): Promise<ClaimOutcome> => {
    try {
      return await steps(held);
    } catch (error) {
      if (error instanceof PlatformError) return await giveUp(held, error);
      // Redis went away, or a bug: the record stays `received` and whoever comes next goes on with it.
      await release(held);
      throw error;
    }
  };

  /** Steps 2 to 6. */
  const steps = async (held: HeldClaim): Promise<ClaimOutcome> => {
    const { run: id, fence } = held.hold;
    const below = { kind: 'client', parent: claimKey(fence) } as const;
    const ticket = await traced(held.spans, step(id, 'read ticket', below), () => gates.readTicket(held));
    if (ticket === undefined) {
      await abandon(held, { keep: false, backOff: true });
      return notEligible('gone');
    }
    const ruling = await gates.judgeTicket(held, ticket);
    if (ruling.kind === 'stop') return await withdraw(held, ticket, ruling.outcome);
    if (ruling.lifecycle === 'enqueued') return await commit(held, ticket, ruling);
    if (!held.mayWrite()) return await giveBack(held);
    const labels = await moveLabel(held, ticket, 'enqueued');
    return await commit(held, { ...ticket, labels }, ruling);
  };

  /** Step 3, the other end: the record goes, and first the `enqueued` that a dead claim has left. */
  const withdraw = async (held: HeldClaim, ticket: Ticket, outcome: Unclaimed): Promise<ClaimOutcome> => {
    if (held.resumed && hasLabel(ticket.labels, ENQUEUED)) {
      if (!held.mayWrite()) return await giveBack(held);
      const before = lifecycleWithoutClaim(ticket.labels, held.projects, held);
      await moveLabel(held, ticket, before);
    }
    await abandon(held, { keep: false, backOff: false });
    return outcome;
  };

  const moveLabel = (held: HeldClaim, ticket: Ticket, to: Lifecycle | undefined): Promise<readonly string[]> => {
    const { run: id, fence } = held.hold;
    const facts = labelStep(id, lifecyclesOf(ticket.labels), to, { parent: claimKey(fence) });
    return traced(held.spans, facts, () => held.platform.moveLifecycle(ticket, to, held.call('label')));
  };

  const abandon = async ({ hold, project, spans }: HeldClaim, how: AbandonClaim): Promise<void> => {
    const reply = await records.abandon(hold, how);
    // Without its record there is no run to tell of.
    if (reply.kind === 'abandoned' && !how.keep) spans.drop();
    if (reply.kind !== 'cancelled') return;
    await deps.canceller.tell({ id: hold.run, ticket: hold.ticket, project: project.name }, reply.by);
  };

  /** The platform did not do what a step needs. */
  const giveUp = async (held: HeldClaim, error: PlatformError): Promise<ClaimOutcome> => {
    const untouched = error.effect === 'none';
    const passing = error.kind === 'unavailable' || error.kind === 'rate-limited';
    await abandon(held, { keep: !untouched || held.resumed, backOff: untouched && !passing });
    return failed(error.kind, error.message);
  };

  /** Too little time is left to write: whoever comes next goes on. */
  const giveBack = async (held: HeldClaim): Promise<ClaimOutcome> => {
    await release(held);
    return outOfTime();
  };

  /** Steps 5 and 6; the lock goes with 5, because from there on the record itself refuses every other claim. */
  const commit = async (
    held: HeldClaim,
    ticket: Ticket,
    { routed: { project, route }, pipeline: { policy, maxParallelJobs } }: Passed,
  ): Promise<ClaimOutcome> => {
    const { run: id, ticket: key } = held.hold;
    const { trigger } = held.request;
    const committed = await records.commit(held.hold, {
      pipeline: route.pipeline,
      label: route.label,
      policy,
      project: project.name,
      display: ticket.display,
      url: ticket.url,
      projectCap: project.maxParallelJobs,
      pipelineCap: maxParallelJobs,
      labelShown: String(lifecyclesOf(ticket.labels)) === 'enqueued',
      decision: { ticket: key, project: project.name, by: 'claim', outcome: 'claimed', run: id, trigger },
    });
    if (committed === undefined) return failed('contended', 'another claim took this one over');
    const { turn, admitted, cancelRequested: by } = committed;
    const carryOn = async (): Promise<void> => {
      if (by !== undefined)
        await deps.canceller.cancel({ id, ticket: key, project: project.name, pipeline: route.pipeline }, by);
      // What waits in the backlog gets its job from whoever admits it.
      else if (admitted) await queue.add({ run: id, turn });
    };
    await carryOn().catch((error: unknown) => {
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

function toldBySpan(outcome: ClaimOutcome): Pick<Span, 'attributes' | 'failure'> {
  return {
    attributes: { 'agentsmith.outcome': describeOutcome(outcome) },
    failure: outcome.kind === 'failed' ? outcome.failure : undefined,
  };
}
