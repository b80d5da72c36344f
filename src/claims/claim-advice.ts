/** What has to happen before a ticket that is not claimed is claimed: one sentence for each reason, for people. */
import type { NotEligibleReason } from '../domain/eligibility.ts';
import { unreachable } from '../foundation/errors.ts';
import type { ClaimFailure, RejectedReason, Unclaimed } from './claim-outcome.ts';

const NOT_ELIGIBLE: Readonly<Record<NotEligibleReason, string>> = {
  gone: 'nothing until the platform shows it again: check the number, and what the token may see',
  moved: 'nothing until it is moved back, or a project of the configuration watches where it is now',
  closed: 'nothing until it is opened again',
  enqueued: 'if no run is on record, repair adopts it within some minutes',
  'in-progress': 'if no run is on record, repair puts it back to pending within some minutes',
  done: 'nothing until a person removes agent-smith:done or adds agent-smith:pending',
  failed: 'nothing until a person removes agent-smith:failed or adds agent-smith:pending',
  'no-trigger-label': 'nothing until somebody adds a label of pipeline_from_label, or agent-smith:pending',
  'seen-once': 'claimed in the next poll if the ticket still shows the same then',
  'actor-not-allowed': 'nothing until somebody in allowed_actors removes the label and sets it again',
  'actor-unknown': 'nothing until somebody in allowed_actors sets the label again, where the platform tells who did',
  'too-many-runs': 'nothing until the oldest of its runs is 24 hours old; a person may claim it by hand',
};

const REJECTED: Readonly<Record<RejectedReason, string>> = {
  'unknown-project': 'nothing until the project is in the configuration',
  'project-disabled': 'nothing until the project can be connected: `agent-smith doctor` says what is missing',
  'trigger-not-allowed':
    'nothing until polling or a webhook is turned on for the project; a person may claim it by hand',
  'no-runner': 'nothing until the pipeline has an entry under pipelines, or a script beside the configuration',
};

const FAILED: Readonly<Record<ClaimFailure, string>> = {
  auth: 'nothing until the token is right: `agent-smith doctor` says what it may do',
  'not-found': 'tried again until the platform shows it; given up after a day',
  'rate-limited': 'tried again when the platform allows calls with this credential',
  conflict: 'tried again in the next poll',
  'invalid-response': 'tried again in the next poll; is something between us and the platform?',
  unavailable: 'tried again in the next poll, until the platform answers',
  unsupported: 'nothing: the platform cannot do what a claim needs',
  contended: 'the other claim ends within half a minute; whoever comes next goes on if it fails',
  recovering: 'claims go on by themselves within half a minute',
  'backing-off':
    'tried again at that time: put right what failed, which the decisions name; a person may claim it by hand at once',
  'redis-unavailable': 'nothing until Redis is back; then by itself',
  'out-of-time': 'tried again in the next poll',
};

/** Without a full stop. */
export function adviceOn(outcome: Unclaimed): string {
  switch (outcome.kind) {
    case 'already-claimed':
      return ALREADY[outcome.state] ?? 'the run goes its way';
    case 'not-eligible':
      return NOT_ELIGIBLE[outcome.reason];
    case 'rejected':
      return REJECTED[outcome.reason];
    case 'failed':
      return FAILED[outcome.failure];
    default:
      return unreachable(outcome);
  }
}

const ALREADY: Readonly<Record<string, string>> = {
  queued: 'the run starts when a worker has a free slot',
  running: 'its label is written when it ends',
  unconfirmed: 'its label is written until the ticket shows it; then the ticket can be asked for again',
};
