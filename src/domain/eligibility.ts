/** Whether a ticket, as just read from its platform, may become a run (PROTOCOL 2 step 3, PROTOCOL 5). Pure. */
import { unreachable } from '../foundation/errors.ts';
import { type Lifecycle, lifecycleLabel, lifecycleOf, lifecyclesOf, readLifecycle } from './lifecycle.ts';
import type { Project } from './project.ts';
import { type RoutedTicket, routeTicket } from './routing.ts';
import { projectionOf, type Run } from './run.ts';
import { movedAway, type Ticket } from './ticket.ts';

export const NOT_ELIGIBLE_REASONS = [
  'gone',
  'moved',
  'closed',
  'enqueued',
  'in-progress',
  'done',
  'failed',
  'no-trigger-label',
  'seen-once',
  'actor-not-allowed',
  'actor-unknown',
  'too-many-runs',
] as const;

/** Why a ticket stays as it is. Every one of them has a sentence in `explainReason` and a test. */
export type NotEligibleReason = (typeof NOT_ELIGIBLE_REASONS)[number];

export interface EligibilityFacts {
  readonly ticket: Ticket;
  /** Projects on the ticket's source that take the trigger, in YAML order. */
  readonly projects: readonly Project[];
  /**
   * `fresh`: an ordinary claim. `resumed`: a claim that died is taken over, or an orphaned `enqueued` label is adopted;
   * then the label may show `enqueued` already, and what asked for it (`pending`) may be gone.
   */
  readonly mode: 'fresh' | 'resumed';
  /** A person wants a further run of what has ended: the label of that end says nothing. */
  readonly again?: boolean;
  /** The ticket's last run, if it has ended. */
  readonly previous: Run | undefined;
}

export type Eligibility =
  | { readonly eligible: true; readonly routed: RoutedTicket; readonly lifecycle: Lifecycle | undefined }
  | { readonly eligible: false; readonly reason: NotEligibleReason };

export function judge(facts: EligibilityFacts): Eligibility {
  const { ticket, projects, previous, mode, again = false } = facts;
  const no = (reason: NotEligibleReason): Eligibility => ({ eligible: false, reason });
  if (projects.some(({ source }) => movedAway(ticket, source))) return no('moved');
  if (!ticket.open) return no('closed');

  const shown = lifecycleShown(ticket.labels, previous, mode);
  const resuming = mode === 'resumed' && shown === 'enqueued';
  const asked = again && (shown === 'done' || shown === 'failed');
  if (shown !== undefined && shown !== 'pending' && !resuming && !asked) return no(shown);

  // `pending` was replaced by `enqueued` when the earlier claim got that far: what asked for the run still counts.
  const wished = resuming || (again && mayHaveBeenPending(previous));
  const labels = wished ? [...ticket.labels, lifecycleLabel('pending')] : ticket.labels;
  const routed = routeTicket(projects, labels);
  if (routed === undefined) return no('no-trigger-label');
  return { eligible: true, routed, lifecycle: shown };
}

/**
 * Whether `pending` had asked for this run, or nobody has seen what did, because it was cancelled while it was claimed: then
 * there is no trigger label by which it could be asked for once more, and the person who asks again is wish enough.
 */
function mayHaveBeenPending(run: Pick<Run, 'label'> | undefined): boolean {
  return run !== undefined && run.label === undefined;
}

/**
 * What a ticket should show again whose `enqueued` was written by a claim that comes to nothing: what is there beside
 * it; else the end of its last run, if a person had asked for a further one; else nothing, if a trigger label still asks
 * for the run; else the `pending` that must have asked for it.
 */
export function lifecycleWithoutClaim(
  labels: readonly string[],
  projects: readonly Project[],
  { previous, again = false }: { readonly previous?: Pick<Run, 'state'> | undefined; readonly again?: boolean } = {},
): Lifecycle | undefined {
  const others = labels.filter((label) => lifecycleOf(label) !== 'enqueued');
  const beside = lifecycleShown(others, previous, 'fresh');
  if (beside !== undefined) return beside;
  if (again && previous !== undefined) return projectionOf(previous.state);
  return routeTicket(projects, others) === undefined ? 'pending' : undefined;
}

/**
 * A person who adds `pending` beside the `done` or `failed` of a confirmed run asks again; without a record of ours
 * the terminal label wins, since nobody knows who wrote which. The `enqueued` beside both is that of a claim which
 * granted the wish and died before it had removed the other two.
 */
function lifecycleShown(
  labels: readonly string[],
  previous: Pick<Run, 'state'> | undefined,
  mode: EligibilityFacts['mode'],
): Lifecycle | undefined {
  const projection = previous === undefined ? undefined : projectionOf(previous.state);
  const terminal = projection === 'done' || projection === 'failed' ? projection : undefined;
  const shown = readLifecycle(labels, terminal);
  if (terminal === undefined || shown !== terminal) return shown;
  const beside = lifecyclesOf(labels).filter((lifecycle) => lifecycle !== terminal);
  if (!beside.includes('pending')) return shown;
  if (beside.length === 1) return 'pending';
  return mode === 'resumed' && beside.length === 2 && beside.includes('enqueued') ? 'enqueued' : shown;
}

/** The reason in words for people. */
export function explainReason(reason: NotEligibleReason): string {
  switch (reason) {
    case 'gone':
      return 'the platform does not show this ticket: deleted, moved, or the token may not see it';
    case 'moved':
      return 'it was moved to another project of the tracker, which these projects do not watch';
    case 'closed':
      return 'the ticket is closed';
    case 'enqueued':
      return 'it is labelled agent-smith:enqueued: a run waits in the queue, or repair will adopt it';
    case 'in-progress':
      return 'it is labelled agent-smith:in-progress: a run is at work, or repair will bring it back';
    case 'done':
      return 'it is labelled agent-smith:done; remove that label to run it again';
    case 'failed':
      return 'it is labelled agent-smith:failed; remove that label to run it again';
    case 'no-trigger-label':
      return 'it carries neither a key of pipeline_from_label nor agent-smith:pending';
    case 'seen-once':
      return 'its last run ended moments ago; it is claimed again if the next read shows the same';
    case 'actor-not-allowed':
      return 'the trigger label was set by somebody who is not in allowed_actors';
    case 'actor-unknown':
      return 'allowed_actors is set and the platform does not say who set the trigger label';
    case 'too-many-runs':
      return 'it has had too many runs within 24 hours; the limit guards against loops';
    default:
      return unreachable(reason);
  }
}
