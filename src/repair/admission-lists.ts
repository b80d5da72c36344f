/**
 * The lists of fair use are pictures of the records (runs/admissions.ts). Scripts write both at once, so they differ only when keys
 * were deleted by hand, a file of Redis came back in part, or replicas of an older version work beside this one. Then a cap
 * would be too tight or too wide, or a run would wait for ever: this loop puts the lists right, a round every few seconds.
 */
import type { Log } from '../foundation/log.ts';
import type { Admissions, Caps } from '../runs/admissions.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { Pass } from './repair.ts';

export interface AdmissionListsDeps {
  readonly admissions: Pick<Admissions, 'tidy'>;
  readonly caps: () => Caps;
  readonly log: Log;
  /** Something was put right. Never throws. */
  readonly onTidied: () => void;
}

export function createAdmissionLists({ admissions, caps, log, onTidied }: AdmissionListsDeps): Pass {
  const cursor: RoundCursor = { next: undefined };
  return async (term) => {
    term.assertTrusted();
    const { off, on } = await admissions.tidy(caps(), cursor);
    if (off + on === 0) return;
    log.warn({ off, on }, 'admissions put right by the records');
    onTidied();
  };
}
