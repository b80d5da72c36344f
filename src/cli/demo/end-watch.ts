/** Knows when `demo --once` is over. */
import type { Site } from '../../emulators/sites.ts';
import type { Replica } from './replica.ts';
import type { Verdict } from './verdict.ts';

export interface EndWatchOptions {
  readonly sites: readonly Site[];
  readonly replicas: readonly Replica[];
  /** Wall-clock ms. */
  readonly startedAtMs: number;
}

/** What has not ended by then counts as lost. Far more than a slow machine needs. */
const DEADLINE_MS = 60_000;
const DEADLINE_PER_TICKET_MS = 3_000;
/** A doubled ticket cannot be mended any more; the others get this long to show what they do. */
const DEADLINE_ONCE_DOUBLED_MS = 3_000;
/** After the last end every project is polled this often once more: that would bring a second run to light. */
const POLLS_AFTER_THE_END = 2;

/**
 * Whether nothing more is to come: every ticket has ended and each platform has been polled again since; or time is up.
 * To be asked with each new verdict.
 */
export function createEndWatch({ sites, replicas, startedAtMs }: EndWatchOptions): (verdict: Verdict) => boolean {
  /** Since when all tickets have ended, and the moments of the polls after it by platform; as UTC texts. */
  let end: { readonly at: string; readonly polls: Map<string, Set<string>> } | undefined;
  let doubledAtMs: number | undefined;
  return ({ tickets, open, doubled }) => {
    if (doubled.length > 0) doubledAtMs ??= Date.now();
    const deadlineMs = Math.min(
      startedAtMs + DEADLINE_MS + tickets * DEADLINE_PER_TICKET_MS,
      (doubledAtMs ?? Number.POSITIVE_INFINITY) + DEADLINE_ONCE_DOUBLED_MS,
    );
    if (Date.now() >= deadlineMs) return true;
    if (open.length > 0) {
      end = undefined;
      return false;
    }
    const { at, polls } = (end ??= { at: new Date().toISOString(), polls: new Map() });
    for (const [project, polledAt] of replicas.flatMap((replica) => [...replica.view().polls])) {
      if (polledAt > at) polls.set(project, (polls.get(project) ?? new Set()).add(polledAt));
    }
    return sites.every(({ platform }) => (polls.get(platform)?.size ?? 0) >= POLLS_AFTER_THE_END);
  };
}
