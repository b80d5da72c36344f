/**
 * When a source is asked for what did not arrive. Pure.
 *
 * At once in a new term, since nobody may have listened or asked before, and after an interval. Soon when nobody answered;
 * and soon, but once in a term, when nothing that was sent reached us: replicas that have just started are not sent to yet.
 * A road that stays broken is tried no more often than that, since platforms switch hooks off that fail too much.
 */
import type { Term } from '../../coordination/leader.ts';
import { elapsedMs, type Moment } from '../../foundation/clock.ts';
import type { Heard } from './missed-source.ts';

/** The last time that a source was asked. */
export interface Turn {
  readonly term: Term;
  /** Counts up over all sources. */
  readonly number: number;
  readonly isFirstOfTerm: boolean;
  readonly heard: Heard;
  /** Its end. */
  readonly at: Moment;
}

/** Of the interval. */
export const SOON = 0.1;
/** Passes are not exactly as far apart as they should be. */
export const LEEWAY = 0.8;

export function isDue(last: Turn | undefined, term: Term, at: Moment, missedScanMs: number): boolean {
  if (last?.term !== term) return true;
  return elapsedMs(last.at, at) >= LEEWAY * missedScanMs * (comesSoon(last) ? SOON : 1);
}

function comesSoon({ heard, isFirstOfTerm }: Turn): boolean {
  switch (heard) {
    case 'answer':
    case 'more':
      return false;
    case 'closed':
      return isFirstOfTerm;
    case 'silence':
    case 'over':
      return true;
    default:
      return heard satisfies never;
  }
}
