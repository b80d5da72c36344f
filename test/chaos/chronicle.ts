/**
 * What happened to each ticket, in one order, as outsiders saw it: the people who asked, the trackers whose labels moved,
 * the commands that were started. All of them report within this process, so their order is the order of the events.
 * Nothing of it comes from the product's own records or logs.
 */
import type { Lifecycle } from '../../src/domain/lifecycle.ts';

export type TicketEvent =
  /** Somebody wants a run. `must`: it has to be given; otherwise it only may. `again`: the same was said before, in vain. */
  | { readonly kind: 'asked'; readonly must: boolean; readonly again?: true }
  /** The tracker has been given this lifecycle label by us. */
  | { readonly kind: 'labelled'; readonly lifecycle: Lifecycle }
  /** A command has begun its work. */
  | { readonly kind: 'started'; readonly life: string; readonly run: string; readonly replica: string }
  /** It has ended by itself. */
  | { readonly kind: 'ended'; readonly life: string; readonly run: string; readonly code: number }
  /** It is gone without an end of its own. */
  | { readonly kind: 'gone'; readonly life: string }
  /** Another command of the ticket was alive, and not frozen, when this one began. */
  | { readonly kind: 'overlap'; readonly life: string; readonly other: string }
  /** Another one was there, but frozen: it executed nothing any more. */
  | { readonly kind: 'beside-frozen'; readonly life: string; readonly other: string };

export type Entry = TicketEvent & { readonly seq: number; readonly atMs: number };

/** A fault, from when until when it was there. */
export interface FaultEntry {
  readonly kind: string;
  readonly name: string;
  readonly target: string;
  /** Work was under way in what it hit. */
  hitWork: boolean;
  readonly fromSeq: number;
  readonly fromMs: number;
  untilSeq?: number;
  untilMs?: number;
}

export type EndFault = (hitWork?: boolean) => void;

export interface Chronicle {
  note(page: string, event: TicketEvent): void;
  /** Notes the beginning of a fault; the answer is to be called at its end, and may say better whether it hit work. */
  fault(facts: Pick<FaultEntry, 'kind' | 'name' | 'target' | 'hitWork'>): EndFault;
  of(page: string): readonly Entry[];
  faults(): readonly FaultEntry[];
}

export function createChronicle(): Chronicle {
  const startedAt = performance.now();
  const byPage = new Map<string, Entry[]>();
  const faults: FaultEntry[] = [];
  let seq = 0;
  const stamp = () => ({ seq: (seq += 1), atMs: Math.round(performance.now() - startedAt) });

  return {
    note(page, event) {
      const entries = byPage.get(page) ?? [];
      byPage.set(page, entries);
      entries.push({ ...event, ...stamp() });
    },
    fault(facts) {
      const from = stamp();
      const entry: FaultEntry = { ...facts, fromSeq: from.seq, fromMs: from.atMs };
      faults.push(entry);
      return (hitWork = entry.hitWork) => {
        const until = stamp();
        entry.hitWork = hitWork;
        entry.untilSeq = until.seq;
        entry.untilMs = until.atMs;
      };
    },
    of: (page) => byPage.get(page) ?? [],
    faults: () => faults,
  };
}
