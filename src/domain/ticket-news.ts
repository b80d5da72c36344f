/**
 * What a delivery says about tickets, and whether that is a reason to look at them. The payload never decides more than
 * that: whether a ticket becomes a run is the claim's to say, which reads it afresh.
 *
 * Our own writes come back as deliveries. They are known by what they say (a lifecycle label, the marker of a comment),
 * never by who said it: most tokens belong to a person who sets labels too.
 */
import { hasLabel, isOurs, lifecycleOf, lifecyclesOf } from './lifecycle.ts';
import type { Project } from './project.ts';
import type { TicketSource } from './ticket.ts';

/** The scope of a tracker that a payload names, in the words of `TicketSource`; what it does not say is undefined. */
export interface Place {
  readonly host: string | undefined;
  readonly container: string;
  readonly scope?: string | undefined;
  /** The platform's own id of it, which survives a rename. */
  readonly id: string | undefined;
}

/** Whether the place is what a source watches: by its name in any letter case, or by the id it was known under before. */
export function isPlaceOf(place: Place, source: TicketSource, knownId: string | undefined): boolean {
  if (!isSame(place.host, source.host)) return false;
  if (knownId !== undefined && knownId === place.id) return true;
  return isSame(place.container, source.container) && isSame(place.scope, source.scope);
}

/** What one side does not say does not tell them apart. */
function isSame(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one.toLowerCase() === other.toLowerCase();
}

/** What changed on one or more tickets of one place. */
export interface TicketNews {
  /** Ids as `Ticket.id` has them; never empty. */
  readonly ticketIds: readonly string[];
  /** Something else that names these tickets: a pull request that closes them. */
  readonly about: 'ticket' | 'comment' | 'link';
  /** Labels that this event put on and took off; empty when it was about something else. */
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** All labels after the event; undefined when the payload does not show them. */
  readonly labels: readonly string[] | undefined;
  /** Undefined when the payload does not show it; false also for what is gone. */
  readonly open: boolean | undefined;
  /** It tells of a comment that ends with the marker of ours. */
  readonly ownComment: boolean;
}

/** Why a delivery is not worth a look, apart from what a claim would say. */
export const IGNORED_REASONS = [
  /** The platform tries the address. */
  'ping',
  /** Of a kind that says nothing about tickets. */
  'unsupported-event',
  /** A pull request, say, that closes no ticket. */
  'no-ticket',
  /** No project that its secret may reach watches the place where it happened. */
  'no-project',
  /** It shows that a run is queued, at work or has ended. */
  'lifecycle-label',
  'own-label',
  'own-comment',
  'no-trigger-label',
  'label-removed',
  'closed',
] as const;

export type IgnoredReason = (typeof IGNORED_REASONS)[number];

/** Reasons that another configuration may not find. */
const OF_CONFIGURATION: ReadonlySet<string> = new Set<IgnoredReason>(['no-project', 'no-trigger-label']);

/** Whether the same delivery is worth another look once the configuration has changed. */
export function dependsOnConfiguration(reason: IgnoredReason): boolean {
  return OF_CONFIGURATION.has(reason);
}

/** Undefined: look at the tickets. `projects` are those that the delivery may reach and that watch its place. */
export function whyIgnored(news: TicketNews, projects: readonly Project[]): IgnoredReason | undefined {
  if (news.ownComment) return 'own-comment';
  if (news.open === false) return 'closed';
  const starts = (label: string): boolean => isTrigger(label, projects);
  const changed = [...news.added, ...news.removed];
  if (changed.length > 0) {
    if (news.added.some(starts)) return undefined;
    if (news.removed.some(isLifecycle) && isCandidate(news.labels, starts)) return undefined;
    if (changed.every(isOurs)) return 'own-label';
    return news.added.length === 0 ? 'label-removed' : 'no-trigger-label';
  }
  if (isCandidate(news.labels, starts)) return undefined;
  return news.labels?.some(starts) === true ? 'lifecycle-label' : 'no-trigger-label';
}

/**
 * Whether it may have taken back a live run of its tickets (withdrawal.ts): worth a look where there is one, though nothing
 * else would be. Labels of ours come and go without that.
 */
export function mayTakeBack(news: TicketNews, projects: readonly Project[]): boolean {
  if (news.ownComment) return false;
  return news.open === false || news.removed.some((label) => !isOurs(label) && isTrigger(label, projects));
}

/** A person who takes the last one away from a ticket asks for another run. We put the next one there first. */
function isLifecycle(label: string): boolean {
  return lifecycleOf(label) !== undefined;
}

function isTrigger(label: string, projects: readonly Project[]): boolean {
  if (lifecyclesOf([label]).includes('pending')) return true;
  return projects.some(({ routing }) => hasLabel([...routing.pipelineFromLabel.keys()], label));
}

/** Whether these labels may want a run; unknown ones may. */
function isCandidate(labels: readonly string[] | undefined, starts: (label: string) => boolean): boolean {
  if (labels === undefined) return true;
  const shown = lifecyclesOf(labels);
  if (shown.includes('enqueued') || shown.includes('in-progress')) return false;
  return (shown.length === 0 || shown.includes('pending')) && labels.some(starts);
}
