/**
 * What a claim would answer, without making it: the same gates in the same order, with a look at the records instead of
 * a lock, and nothing written anywhere. For people who ask why (`explain`) or what (`plan`), and for a dry run.
 *
 * It cannot foresee what only the first write shows: a platform that refuses it, or another claim that is faster.
 */
import type { Lifecycle } from '../domain/lifecycle.ts';
import type { Pipeline } from '../domain/project.ts';
import type { RoutedTicket } from '../domain/routing.ts';
import type { Ticket } from '../domain/ticket.ts';
import { now } from '../foundation/clock.ts';
import { type Call, PlatformError } from '../platforms/contract.ts';
import type { ClaimRecords, ClaimStart } from '../runs/claim-records.ts';
import {
  type ClaimOptions,
  createClaimGates,
  knownClaim,
  mayWrite,
  outOfTime,
  questionOf,
  refusalOf,
  type Sight,
  withoutRedis,
} from './claim-gates.ts';
import { failed, notEligible, type Unclaimed } from './claim-outcome.ts';
import { type Claim, type ClaimRequest, type PreCheckDeps, preCheck } from './claim-request.ts';
import { resolveTicketId } from './resolve-ticket.ts';

/** What would come of a claim: one of its outcomes, or a run. */
export type ForeseenOutcome =
  | Unclaimed
  | { readonly kind: 'would-claim'; readonly project: string; readonly pipeline: string };

/** The way as far as it went: what is missing was not reached. */
export interface Foreseen extends Sight {
  readonly outcome: ForeseenOutcome;
  /** Step 0 was passed. */
  readonly claim?: Claim;
  /** The ticket's id, which may have been asked for by a name. */
  readonly ticketId?: string;
  /** Step 1 was passed. */
  readonly start?: ClaimStart;
  /** Why the records of step 1 were not looked at. */
  readonly unlooked?: string;
  /** Step 2 was passed. */
  readonly ticket?: Ticket;
  /** What the ticket shows; only when it would be claimed. */
  readonly lifecycle?: Lifecycle | undefined;
  readonly pipeline?: Pipeline;
}

export interface ClaimForesight {
  /**
   * The ticket may be named as people name it. Never throws for what can be expected; ends within the claim deadline.
   * @param onRequest called for each HTTP request.
   */
  foresee(request: ClaimRequest, signal: AbortSignal, onRequest?: () => void): Promise<Foreseen>;
}

export interface ClaimForesightDeps extends PreCheckDeps {
  /** Undefined where there is no Redis to look into; then only the gates of configuration and platform are tried. */
  readonly records: Pick<ClaimRecords, 'look'> | undefined;
}

export function createClaimForesight(deps: ClaimForesightDeps, options: ClaimOptions): ClaimForesight {
  const gates = createClaimGates(options);

  /** Steps 2 and 3, and whether there would be time for the write of step 4. */
  const look = async (claim: Claim, start: ClaimStart): Promise<Foreseen> => {
    const known = knownClaim(claim, start);
    const startedAt = now();
    let ticket: Ticket | undefined;
    try {
      ticket = await gates.readTicket(known);
      if (ticket === undefined) return { outcome: notEligible('gone') };
      const ruling = await gates.judgeTicket(known, ticket);
      if (ruling.kind === 'stop') return { outcome: ruling.outcome, ticket, ...ruling.sight };
      const { routed, pipeline, lifecycle, sight } = ruling;
      const late = lifecycle !== 'enqueued' && !mayWrite(claim, startedAt, options);
      return { outcome: late ? outOfTime() : wouldClaim(routed), ticket, pipeline, lifecycle, ...sight };
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      return { outcome: failed(error.kind, error.message), ...(ticket === undefined ? {} : { ticket }) };
    }
  };

  return {
    async foresee(request, signal, onRequest) {
      const checked = preCheck(request, signal, deps, options);
      if ('kind' in checked) return { outcome: checked };
      // Whoever ranks calls by their purpose must not take this for a claim.
      const call = (): Call => ({ ...checked.call('inspect'), ...(onRequest && { onRequest }) });
      const named = await resolveTicketId(checked.platform, request.ticketId, call());
      if ('kind' in named) return { outcome: named, claim: checked, unlooked: 'the id of the ticket is not known' };
      const claim: Claim = { ...checked, call, request: { ...request, ticketId: named.id } };
      const known = { claim, ticketId: named.id };
      if (deps.records === undefined) {
        return { ...(await look(claim, nothingKnown(request))), ...known, unlooked: 'REDIS_URL is not set here' };
      }
      const start = await deps.records.look(questionOf(claim)).catch(withoutRedis);
      if (start.kind === 'failed') return { outcome: start, ...known };
      if (!('previous' in start)) return { outcome: refusalOf(start), ...known };
      return { ...(await look(claim, start)), ...known, start };
    },
  };
}

function wouldClaim({ project, route }: RoutedTicket): ForeseenOutcome {
  return { kind: 'would-claim', project: project.name, pipeline: route.pipeline };
}

/** Where no records can be seen, a ticket is taken for one that never had a run. */
function nothingKnown({ trigger }: ClaimRequest): ClaimStart {
  return { kind: 'begun', previous: undefined, atMs: 0, trigger, createdAtMs: 0, again: false };
}
