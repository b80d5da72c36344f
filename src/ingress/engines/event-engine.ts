/**
 * What wakes the ingress, behind one contract: the clock (`polling-engine.ts`) or what platforms send
 * (`streaming-engine.ts`). Whoever follows an engine acts on its wakes and does not know which one it is.
 */
import type { TakenTicket } from '../../runs/delivery-records.ts';

export type Wake =
  /** Deliveries spoke of these tickets: look at them. */
  | { readonly reason: 'ticket_hint'; readonly tickets: readonly TakenTicket[] }
  /** Look at everything there is. */
  | { readonly reason: 'full_reconcile' }
  /** The engine was stopped: nothing will come any more. */
  | { readonly reason: 'shutdown' };

export interface EventEngine {
  /** Before the first wake. */
  start(): Promise<void>;
  /** The next wake; undefined when none came within the time. One caller at a time. */
  nextWake(timeoutMs: number): Promise<Wake | undefined>;
  /** A blocked `nextWake` answers `shutdown`, and so does every later one. */
  stop(): void;
}
