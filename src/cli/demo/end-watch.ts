/** Knows when `demo --once` is over. */
import type { Site } from '../../emulators/sites.ts';
import type { ReplicaView } from './replica.ts';
import type { Verdict } from './verdict.ts';

export interface EndWatchOptions {
  readonly sites: readonly Pick<Site, 'platform'>[];
  readonly replicas: readonly { view(): Pick<ReplicaView, 'polls'> }[];
  /** Wall-clock ms. */
  readonly startedAtMs: number;
}

/** What has not ended by then counts as lost. Far more than a slow machine needs. */
const DEADLINE_MS = 60_000;
const DEADLINE_PER_TICKET_MS = 3_000;
/** A doubled ticket cannot be mended any more; the others get this long to show what they do. */
const DEADLINE_ONCE_DOUBLED_MS = 3_000;

/**
 * Whether nothing more is to come: every ticket has ended, and each platform has been listed once more since, which
 * would bring a second run to light; or time is up. To be asked with each new verdict.
 * @param unopened how many tickets people are still going to open
 */
export function createEndWatch({
  sites,
  replicas,
  startedAtMs,
}: EndWatchOptions): (verdict: Verdict, unopened: number) => boolean {
  let endedAtMs: number | undefined;
  let doubledAtMs: number | undefined;
  return ({ tickets, open, doubled }, unopened) => {
    if (doubled.length > 0) doubledAtMs ??= Date.now();
    const deadlineMs = Math.min(
      startedAtMs + DEADLINE_MS + tickets * DEADLINE_PER_TICKET_MS,
      (doubledAtMs ?? Number.POSITIVE_INFINITY) + DEADLINE_ONCE_DOUBLED_MS,
    );
    if (Date.now() >= deadlineMs) return true;
    if (open.length > 0 || unopened > 0) {
      endedAtMs = undefined;
      return false;
    }
    const sinceMs = (endedAtMs ??= Date.now());
    const listed = replicas.flatMap((replica) => [...replica.view().polls]);
    return sites.every(({ platform }) => listed.some(([name, begunAtMs]) => name === platform && begunAtMs > sinceMs));
  };
}
