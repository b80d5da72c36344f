/**
 * What a platform has said about the budget of one credential, and who may call because of it.
 *
 * Work on tickets (claims, attempts, labels, comments) may use a budget to its end. Whatever only looks for work leaves
 * the last tenth to it: a ticket that is found a little later is fine, a label that stays wrong is not.
 *
 * Kept in the memory of the process here, which is enough for one process; `coordination/api-budget.ts` shares it.
 */
import { type Moment, now } from '../foundation/clock.ts';
import type { CallPurpose } from './contract.ts';
import type { ObservedLimit } from './error-kinds.ts';

/** A window of a credential's budget that has not ended yet, as the platform said last. */
export interface BudgetWindow {
  /** Requests, or the platform's own units, of the whole window. */
  readonly limit: number | undefined;
  readonly remaining: number;
  /** Milliseconds until it begins anew. */
  readonly resetMs: number;
  /** Its whole length, ms. */
  readonly windowMs: number | undefined;
}

export interface Budget {
  /** Milliseconds in which no call is made with the credential; 0 when calls may be made. */
  readonly heldMs: number;
  /** Undefined while the platform has said nothing, or nothing since the window began anew. */
  readonly window: BudgetWindow | undefined;
}

/** Why a call is not made now. */
export interface Hold {
  readonly waitMs: number;
  readonly why: 'asked-to-wait' | 'kept-for-work';
}

/** One credential's limits. Nothing here throws: what cannot be shared counts in this process alone. */
export interface RateLimits {
  /** Asked before each HTTP request; undefined when it may be sent. `place` is its method and path. */
  hold(purpose: CallPurpose, place: string): Promise<Hold | undefined>;
  /** Told of what an answer said. A shorter wait never ends a longer one. */
  learn(observed: ObservedLimit, place: string): Promise<void>;
  /** The budget as all replicas know it. */
  look(): Promise<Budget>;
  /** The budget as this process saw it last. */
  budget(): Budget;
}

/** The part of a budget that is kept for work on tickets. */
export const RESERVE_SHARE = 0.1;

const IS_WORK: Readonly<Record<CallPurpose, boolean>> = {
  claim: true,
  attempt: true,
  label: true,
  comment: true,
  discovery: false,
  catchup: false,
  repair: false,
  setup: false,
  inspect: false,
};

/** What holds a call back that is made for `purpose`; undefined when it may be made. Waits for one path are left out. */
export function holdOf({ heldMs, window }: Budget, purpose: CallPurpose): Hold | undefined {
  if (heldMs > 0) return { waitMs: heldMs, why: 'asked-to-wait' };
  if (window?.limit === undefined || IS_WORK[purpose] || window.remaining > window.limit * RESERVE_SHARE)
    return undefined;
  return { waitMs: window.resetMs, why: 'kept-for-work' };
}

/**
 * Two answers speak of one window when their ends are this close, in ms: ends are told in whole seconds and measured from
 * the arrival of an answer.
 */
export function sameWindowMs(windowMs: number | undefined): number {
  return Math.max(2_000, (windowMs ?? 0) * 0.05);
}

/** What one process remembers of a credential. */
export interface BudgetMemory {
  hold(purpose: CallPurpose, place: string): Hold | undefined;
  /** True when it was news. */
  learn(observed: ObservedLimit, place: string): boolean;
  budget(): Budget;
}

export function createBudgetMemory(at: () => Moment = now): BudgetMemory {
  // The steady clock alone: a wall clock that jumps forward must not end a wait.
  const clock = (): number => at().monotonicMs;
  /** Ends of waits by place; the credential's own under `EVERYWHERE`. */
  const heldUntilMs = new Map<string, number>();
  let window: (Omit<BudgetWindow, 'resetMs'> & { readonly resetAtMs: number }) | undefined;

  // In whole ms, rounded up, but not for the last bit of a sum of fractions.
  const leftMs = (until: number): number => Math.max(0, Math.ceil(until - clock() - 0.001));
  const heldMs = (place: string): number => leftMs(heldUntilMs.get(place) ?? 0);

  const learnWait = (waitMs: number, place: string): boolean => {
    if (waitMs <= heldMs(place)) return false;
    for (const [other, until] of heldUntilMs) if (until <= clock()) heldUntilMs.delete(other);
    heldUntilMs.set(place, clock() + waitMs);
    return true;
  };

  /** In one window the smaller number counts, since answers overtake each other; a later window replaces it. */
  const learnWindow = ({ limit, remaining, resetMs, windowMs }: ObservedLimit): boolean => {
    const lastsMs = resetMs ?? windowMs;
    if (remaining === undefined || lastsMs === undefined || lastsMs <= 0) return false;
    const known = window === undefined || window.resetAtMs <= clock() ? undefined : window;
    const laterMs = known === undefined ? Number.POSITIVE_INFINITY : clock() + lastsMs - known.resetAtMs;
    if (known === undefined || laterMs > sameWindowMs(windowMs)) {
      window = { limit, remaining, windowMs, resetAtMs: clock() + lastsMs };
      return true;
    }
    if (laterMs < -sameWindowMs(windowMs) || remaining >= known.remaining) return false;
    window = { ...known, remaining };
    return true;
  };

  const budget = (): Budget => {
    const resetMs = leftMs(window?.resetAtMs ?? 0);
    if (window === undefined || resetMs === 0) return { heldMs: heldMs(EVERYWHERE), window: undefined };
    const { limit, remaining, windowMs } = window;
    return { heldMs: heldMs(EVERYWHERE), window: { limit, remaining, resetMs, windowMs } };
  };

  return {
    budget,
    hold(purpose, place) {
      const everywhere = holdOf(budget(), purpose);
      const waitMs = heldMs(place);
      return waitMs > (everywhere?.waitMs ?? 0) ? { waitMs, why: 'asked-to-wait' } : everywhere;
    },
    learn(observed, place) {
      const { waitMs = 0 } = observed;
      // What is said about one path's limit says nothing about the credential's.
      if (observed.only === 'path') return learnWait(waitMs, place);
      const waits = learnWait(waitMs, EVERYWHERE);
      return learnWindow(observed) || waits;
    },
  };
}

/** No method and path. */
const EVERYWHERE = '';

/** The limits of a credential that only this process uses, or that nobody can be asked about. */
export function createRateLimits(clock?: () => Moment): RateLimits {
  const memory = createBudgetMemory(clock);
  return {
    hold: async (purpose, place) => memory.hold(purpose, place),
    async learn(observed, place) {
      memory.learn(observed, place);
    },
    look: async () => memory.budget(),
    budget: memory.budget,
  };
}
