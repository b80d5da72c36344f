/**
 * When the platform pass comes to a source, each at its own time. It asks a platform for a lot, so it comes seldom; but at
 * once in a new term, and when Redis has lost data, in the midst of a term as well: what was claimed right before a failover
 * is known by its label alone. What a look had to leave, because somebody did not answer, does not wait for so long. Pure.
 */
import { elapsedMs, type Moment } from '../foundation/clock.ts';

/** When a look was, and the data that Redis had when it began. */
export interface LookAt {
  readonly at: Moment;
  readonly incarnation: string | undefined;
}

/** What a term has seen of a source so far. */
export interface Seen {
  /** The end of the last look that began with the first page. */
  readonly fromStart: LookAt | undefined;
  /** The end of the last look, if it left something. */
  readonly leftAt: Moment | undefined;
}

/**
 * `anew`: the whole listing, and what was listed before counts for nothing. `rest`: it goes on from where it stopped, however
 * long ago it began, or a listing that is longer than its budget would never come to its end.
 */
export type SourceTurn = 'anew' | 'rest' | 'wait';

/** Of the interval: what was left comes again then. */
const SOON = 0.1;

/** Whose turn it is: that of a source of which `seen` is known, at present. Pure. */
export function turnOf({ fromStart, leftAt }: Seen, present: LookAt, intervalMs: number): SourceTurn {
  if (fromStart === undefined || fromStart.incarnation !== present.incarnation) return 'anew';
  if (leftAt !== undefined) return elapsedMs(leftAt, present.at) >= intervalMs * SOON ? 'rest' : 'wait';
  return elapsedMs(fromStart.at, present.at) >= intervalMs ? 'anew' : 'wait';
}
