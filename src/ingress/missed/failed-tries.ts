/**
 * How often each missed delivery was asked for in vain, in the memory of this process alone: a new leader may try afresh.
 * Tries get rarer, because each is one more failure in the list of the platform, and end after about a day: each failure
 * is a new entry in that list, so by its age alone it would never end.
 */
import { LRUCache } from 'lru-cache';
import type { DeliveryName } from '../../domain/delivery.ts';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import { LEEWAY, SOON } from './missed-turns.ts';

export interface FailedTries {
  note(what: Tried): void;
  /** How many. */
  of(what: Tried): number;
  /** Whether it has waited long enough for the next one. */
  isDue(what: Tried): boolean;
  /** It is given up. */
  areOver(what: Tried): boolean;
}

interface Tried {
  /** Under which it would be on record. */
  readonly names: readonly DeliveryName[];
}

/** The last but a hundred scans after the first. */
const MOST_TRIES = 9;
const MOST_REMEMBERED = 10_000;

export function createFailedTries(missedScanMs: number): FailedTries {
  const tries = new LRUCache<string, { readonly count: number; readonly lastAt: Moment }>({ max: MOST_REMEMBERED });
  const known = ({ names }: Tried) => tries.get(names.join());
  const of = (what: Tried): number => known(what)?.count ?? 0;
  return {
    note: (what) => void tries.set(what.names.join(), { count: of(what) + 1, lastAt: now() }),
    of,
    isDue(what) {
      const past = known(what);
      if (past === undefined) return true;
      const scans = past.count === 1 ? SOON : 2 ** (past.count - 2);
      return elapsedMs(past.lastAt) >= LEEWAY * missedScanMs * scans;
    },
    areOver: (what) => of(what) >= MOST_TRIES,
  };
}
