/** Terms for repair passes: a test says how long they are trusted. */
import { type Term, TermLost } from '../../src/coordination/leader.ts';
import type { Repair, RepairFacts } from '../../src/repair/repair.ts';

export interface TestTerm extends Term {
  /** The lease is gone. */
  lose(): void;
}

export function termOf(epoch = 1): TestTerm {
  const over = new AbortController();
  return {
    role: 'housekeeping',
    epoch,
    signal: over.signal,
    trusted: () => !over.signal.aborted,
    assertTrusted() {
      if (over.signal.aborted) throw new TermLost('housekeeping', epoch);
    },
    lose: () => over.abort(),
  };
}

/** Keeps what was told. */
export function repairs(): { readonly told: readonly RepairFacts[]; readonly onRepair: Repair } {
  const told: RepairFacts[] = [];
  return {
    told,
    onRepair: async (facts) => {
      told.push(facts);
    },
  };
}
