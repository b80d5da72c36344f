/**
 * The gates of a claim: everything that decides whether a ticket becomes a run, and nothing that writes. The claim walks
 * through them on its way (PROTOCOL 2, steps 1 to 3), and a foresight walks through the same ones to say beforehand what
 * a claim would answer; so what people are told is never another opinion.
 */
import { judge } from '../domain/eligibility.ts';
import { type Lifecycle, lifecycleLabel } from '../domain/lifecycle.ts';
import type { Pipeline, Trigger } from '../domain/project.ts';
import type { RoutedTicket } from '../domain/routing.ts';
import { isTerminal, type Run } from '../domain/run.ts';
import { type Ticket, ticketKey } from '../domain/ticket.ts';
import { elapsedMs, type Moment } from '../foundation/clock.ts';
import { OperationError, unreachable } from '../foundation/errors.ts';
import { createSecondLook } from '../foundation/second-look.ts';
import { PlatformError } from '../platforms/contract.ts';
import type { ClaimQuestion, ClaimRefusal, ClaimStart } from '../runs/claim-records.ts';
import { failed, notEligible, rejected, type Unclaimed } from './claim-outcome.ts';
import type { Claim } from './claim-request.ts';

/** A claim, and what the records say of its ticket. */
export interface KnownClaim extends Claim {
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
  /** A person has asked for a further run of what has ended, this claim or the one that it goes on with. */
  readonly again: boolean;
}

/** What the gates of step 3 found, as far as they came. */
export interface Sight {
  readonly routed?: RoutedTicket;
  /** Who set the label that decides; only asked where it matters. */
  readonly actor?: string;
}

export type Ruling = { readonly kind: 'stop'; readonly outcome: Unclaimed; readonly sight: Sight } | Passed;

export interface Passed {
  readonly kind: 'pass';
  readonly routed: RoutedTicket;
  readonly pipeline: Pipeline;
  /** What the ticket shows. */
  readonly lifecycle: Lifecycle | undefined;
  readonly sight: Sight;
}

export interface ClaimOptions {
  readonly claimDeadlineMs: number;
  readonly claimCallMs: number;
  readonly claimLockTtlMs: number;
  readonly claimLockReserveMs: number;
  readonly secondReadMs: number;
  readonly confirmedDoubtMs: number;
  /** A claim that died is not gone on with when the platform still hides its ticket so long after it began. */
  readonly labelGiveUpMs: number;
}

export interface ClaimGates {
  /**
   * Step 2. Undefined when the platform does not show the ticket. Throws `PlatformError`.
   * A dead claim may have left its `enqueued` there, and a token that was narrowed by mistake hides a ticket too: that is
   * a failure like others, until it has lasted too long.
   */
  readTicket(claim: KnownClaim): Promise<Ticket | undefined>;
  /** Step 3. Throws `PlatformError` when the platform cannot be asked who set the label. */
  judgeTicket(claim: KnownClaim, ticket: Ticket): Promise<Ruling>;
}

const MOST_DOUBTED_TICKETS = 10_000;
const NOTHING_WRITTEN = { effect: 'none' } as const;

/** Keeps in mind which tickets were seen once. */
export function createClaimGates(options: ClaimOptions): ClaimGates {
  const secondLook = createSecondLook({ apartMs: options.secondReadMs, most: MOST_DOUBTED_TICKETS });

  /**
   * Whether the previous run's label was confirmed so short a time ago that one read cannot tell a person's new wish
   * from a read that lags behind our own write. A person who names the ticket leaves no doubt.
   */
  const isDoubtful = ({ trigger, previous, begunAtMs }: KnownClaim): boolean =>
    trigger !== 'manual' &&
    previous?.confirmedAtMs !== undefined &&
    begunAtMs - previous.confirmedAtMs < options.confirmedDoubtMs;

  return {
    async readTicket({ project, platform, request, call, resumed, ageMs }) {
      try {
        const ticket = await platform.readTicket(request.ticketId, call('claim'));
        if (ticket.key === ticketKey(project.source, request.ticketId)) return ticket;
        // The lock and the record are those of the ticket that was asked for.
        throw new PlatformError(
          'invalid-response',
          `${ticket.display} was shown for ${request.ticketId}`,
          NOTHING_WRITTEN,
        );
      } catch (error) {
        const hidden = error instanceof PlatformError && error.kind === 'not-found';
        if (hidden && (!resumed || ageMs >= options.labelGiveUpMs)) return undefined;
        throw error;
      }
    },
    async judgeTicket(claim, ticket) {
      const { projects, previous, resumed, again } = claim;
      const verdict = judge({ ticket, projects, previous, mode: resumed ? 'resumed' : 'fresh', again });
      if (!verdict.eligible) {
        secondLook.forget(ticket.key);
        return stop(notEligible(verdict.reason));
      }
      const { routed, lifecycle } = verdict;
      // The `enqueued` of a dead claim was written when there was no doubt.
      const doubtful = lifecycle !== 'enqueued' && isDoubtful(claim);
      if (doubtful && !secondLook.confirms(ticket.key, previous?.id ?? '')) {
        return stop(notEligible('seen-once'), { routed });
      }
      const asker = await askWhoLabelled(claim, ticket, routed);
      const sight: Sight = { routed, ...(asker?.actor === undefined ? {} : { actor: asker.actor }) };
      if (asker?.refusal !== undefined) return stop(asker.refusal, sight);
      const pipeline = claim.catalog.pipelines.get(routed.route.pipeline);
      if (pipeline === undefined) {
        return stop(rejected('no-runner', `pipeline ${routed.route.pipeline} has no runner`), sight);
      }
      return { kind: 'pass', routed, pipeline, lifecycle, sight };
    },
  };
}

function stop(outcome: Unclaimed, sight: Sight = {}): Ruling {
  return { kind: 'stop', outcome, sight };
}

/** The label that asked for the run: the trigger label that matched, else `agent-smith:pending`. */
export function decidingLabel({ route }: RoutedTicket): string {
  return route.label ?? lifecycleLabel('pending');
}

/**
 * Who set the label that decides, where `allowed_actors` makes that matter; undefined where it does not. Whatever brought
 * us here, a person who names the ticket included: who may start the claim is not who may ask for the run. Unknown is
 * refused.
 */
async function askWhoLabelled(
  { platform, call }: KnownClaim,
  ticket: Ticket,
  routed: RoutedTicket,
): Promise<{ readonly actor?: string; readonly refusal?: Unclaimed } | undefined> {
  const allowed = routed.project.routing.allowedActors;
  if (allowed === undefined) return undefined;
  if (!platform.capabilities.labelActors) return { refusal: notEligible('actor-unknown') };
  const actor = await platform.labelActor(ticket.id, decidingLabel(routed), call('claim'));
  if (actor === undefined) return { refusal: notEligible('actor-unknown') };
  const isAllowed = allowed.some((name) => name.toLowerCase() === actor.toLowerCase());
  return isAllowed ? { actor } : { actor, refusal: notEligible('actor-not-allowed') };
}

/** Step 1 as the later gates need it. */
export function knownClaim(claim: Claim, start: ClaimStart): KnownClaim {
  return {
    ...claim,
    trigger: start.trigger,
    previous: start.previous !== undefined && isTerminal(start.previous.state) ? start.previous : undefined,
    begunAtMs: start.atMs,
    ageMs: start.atMs - start.createdAtMs,
    again: start.again,
    resumed: start.kind === 'taken-over' || (claim.request.trigger === 'reconcile' && start.previous === undefined),
  };
}

/** What step 1 asks the records. */
export function questionOf({ request, project }: Claim): ClaimQuestion {
  return {
    ticket: ticketKey(project.source, request.ticketId),
    platform: project.source.platform,
    ticketId: request.ticketId,
    project: project.name,
    trigger: request.trigger,
    insist: request.trigger === 'manual',
    again: request.again === true,
    delivery: request.delivery?.name,
    deliveredAtMs: request.delivery?.receivedAtMs,
    foundMs: request.foundMs,
  };
}

/** Step 1 refused the claim. */
export function refusalOf(refusal: ClaimRefusal): Unclaimed {
  switch (refusal.kind) {
    case 'already-claimed':
      return { kind: 'already-claimed', run: refusal.run, state: refusal.state };
    case 'contended':
      return failed('contended', 'another claim of this ticket is at work');
    case 'recovering':
      return failed('recovering', 'redis lost data; claims wait until live workers have reported');
    case 'backing-off':
      return failed('backing-off', `after earlier failures, until ${new Date(refusal.untilMs).toISOString()}`);
    case 'too-many-runs':
      return notEligible('too-many-runs');
    default:
      return unreachable(refusal);
  }
}

/** Whether there is time for a write to the platform: the lock must outlast it. */
export function mayWrite(claim: Claim, lockedAt: Moment, options: ClaimOptions): boolean {
  const lockLeftMs = options.claimLockTtlMs - elapsedMs(lockedAt);
  return lockLeftMs >= options.claimLockReserveMs && claim.leftMs() > 0;
}

export function outOfTime(): Unclaimed {
  return failed('out-of-time', 'the platform was too slow for this claim');
}

/** Redis went away; anything else that escapes the steps of a claim is a bug, and thrown on. */
export function withoutRedis(error: unknown): Unclaimed & { readonly kind: 'failed' } {
  if (error instanceof OperationError) return failed('redis-unavailable', error.message);
  throw error;
}
