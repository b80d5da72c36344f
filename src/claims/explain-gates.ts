/** A foreseen claim as a list of gates in the order of the claim: which it passed, which one stops it, which it never reached. */
import { explainReason, type NotEligibleReason } from '../domain/eligibility.ts';
import { lifecycleLabel, readLifecycle } from '../domain/lifecycle.ts';
import { unreachable } from '../foundation/errors.ts';
import type { Foreseen, ForeseenOutcome } from './claim-foresight.ts';
import { decidingLabel } from './claim-gates.ts';
import type { ClaimFailure, RejectedReason, Unclaimed } from './claim-outcome.ts';

export const CLAIM_GATES = [
  'project',
  'trigger',
  'redis',
  'run',
  'back-off',
  'daily limit',
  'lock',
  'ticket',
  'place',
  'open',
  'lifecycle',
  'label',
  'second look',
  'actor',
  'runner',
  'time',
] as const;

export type ClaimGate = (typeof CLAIM_GATES)[number];

export interface GateView {
  readonly gate: ClaimGate;
  /** `unknown`: it could not be looked at, and the gates after it were tried all the same. */
  readonly state: 'ok' | 'stops here' | 'not reached' | 'unknown';
  /** One sentence without a full stop; empty for what was not reached. */
  readonly text: string;
}

const NOT_ELIGIBLE_AT: Readonly<Record<NotEligibleReason, ClaimGate>> = {
  gone: 'ticket',
  moved: 'place',
  closed: 'open',
  enqueued: 'lifecycle',
  'in-progress': 'lifecycle',
  done: 'lifecycle',
  failed: 'lifecycle',
  'no-trigger-label': 'label',
  'seen-once': 'second look',
  'actor-not-allowed': 'actor',
  'actor-unknown': 'actor',
  'too-many-runs': 'daily limit',
};

const REJECTED_AT: Readonly<Record<RejectedReason, ClaimGate>> = {
  'unknown-project': 'project',
  'project-disabled': 'project',
  'trigger-not-allowed': 'trigger',
  'no-runner': 'runner',
};

/** What a platform refuses is refused where it was asked: for the ticket itself, or for who labelled it. */
const FAILED_AT: Readonly<Record<ClaimFailure, ClaimGate | 'platform'>> = {
  auth: 'platform',
  'not-found': 'platform',
  'rate-limited': 'platform',
  conflict: 'platform',
  'invalid-response': 'platform',
  unavailable: 'platform',
  unsupported: 'platform',
  contended: 'lock',
  recovering: 'redis',
  'backing-off': 'back-off',
  'redis-unavailable': 'redis',
  'out-of-time': 'time',
};

/** The gates whose answer is in Redis. */
const IN_REDIS: ReadonlySet<ClaimGate> = new Set<ClaimGate>([
  'redis',
  'run',
  'back-off',
  'daily limit',
  'lock',
  'second look',
]);

/** All gates, in order. */
export function explainGates(foreseen: Foreseen): GateView[] {
  const { outcome } = foreseen;
  const stop = outcome.kind === 'would-claim' ? undefined : stoppingGate(outcome, foreseen);
  const end = stop === undefined ? CLAIM_GATES.length : CLAIM_GATES.indexOf(stop);
  return CLAIM_GATES.map((gate, index): GateView => {
    if (index > end) return { gate, state: 'not reached', text: '' };
    if (index === end) return { gate, state: 'stops here', text: explainOutcome(outcome) };
    if (IN_REDIS.has(gate) && foreseen.unlooked !== undefined) {
      return { gate, state: 'unknown', text: `not looked at: ${foreseen.unlooked}` };
    }
    return { gate, state: 'ok', text: passed(gate, foreseen) };
  });
}

function stoppingGate(outcome: Unclaimed, { ticket }: Foreseen): ClaimGate {
  switch (outcome.kind) {
    case 'already-claimed':
      return 'run';
    case 'not-eligible':
      return NOT_ELIGIBLE_AT[outcome.reason];
    case 'rejected':
      return REJECTED_AT[outcome.reason];
    case 'failed': {
      const gate = FAILED_AT[outcome.failure];
      if (gate !== 'platform') return gate;
      return ticket === undefined ? 'ticket' : 'actor';
    }
    default:
      return unreachable(outcome);
  }
}

/** Why, in one sentence. */
export function explainOutcome(outcome: ForeseenOutcome): string {
  switch (outcome.kind) {
    case 'would-claim':
      return `it would be claimed for pipeline ${outcome.pipeline} of project ${outcome.project}`;
    case 'already-claimed':
      return outcome.state === 'unconfirmed'
        ? `run ${outcome.run} has ended, and its label is not confirmed on the ticket yet`
        : `run ${outcome.run} is ${outcome.state}`;
    case 'not-eligible':
      return explainReason(outcome.reason);
    case 'rejected':
    case 'failed':
      return outcome.detail;
    default:
      return unreachable(outcome);
  }
}

/** What was found at a gate that let the claim through. */
function passed(gate: ClaimGate, { claim, start, ticket, routed, actor, pipeline }: Foreseen): string {
  switch (gate) {
    case 'project':
      return 'it is in the configuration and takes part';
    case 'trigger':
      return `${claim?.request.trigger} may claim for ${claim?.projects.map(({ name }) => name).join(', ')}`;
    case 'redis':
      return 'it is up and has not lost data lately';
    case 'run':
      if (start?.kind === 'taken-over') return 'a claim has died, this one would go on with its run';
      return start?.previous === undefined ? 'no run of this ticket on record' : `its last run ${start.previous.state}`;
    case 'back-off':
      return 'not after a failure';
    case 'daily limit':
      return 'fewer runs than allowed in 24 hours';
    case 'lock':
      return 'no other claim is at work on it';
    case 'ticket':
      return `${ticket?.display} was read`;
    case 'place':
      return 'it is where the project looks';
    case 'open':
      return 'it is open';
    case 'lifecycle':
      return `it shows ${lifecycleText(ticket?.labels ?? [])}`;
    case 'label':
      return routed === undefined
        ? ''
        : `${decidingLabel(routed)} asks for pipeline ${routed.route.pipeline} of project ${routed.project.name}`;
    case 'second look':
      return 'no earlier label write of ours could still be under way';
    case 'actor':
      return actor === undefined
        ? 'allowed_actors is not set: whoever may label may ask'
        : `${actor} set the label and is in allowed_actors`;
    case 'runner':
      return `pipeline ${pipeline?.name} can be started`;
    case 'time':
      return 'the platform answers fast enough';
    default:
      return unreachable(gate);
  }
}

function lifecycleText(labels: readonly string[]): string {
  const shown = readLifecycle(labels);
  return shown === undefined ? 'no lifecycle label' : lifecycleLabel(shown);
}
