/** Fixed windows of requests, one per token: the bookkeeping behind the rate limits of an emulator. */

export interface WindowOptions {
  /** Requests per window and token. */
  readonly limit?: number;
  /** Length of the window. */
  readonly windowMs?: number;
}

/** What can be changed for one token while it is in use. */
export interface WindowChange {
  readonly limit?: number;
  readonly remaining?: number;
  /** Wall clock. */
  readonly resetAtMs?: number;
}

export interface Window {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  readonly resetAtMs: number;
}

export interface RateWindows {
  set(tokenId: string, change: WindowChange): void;
  window(tokenId: string): Window;
  /** Counts one request that costs something. */
  spend(tokenId: string): void;
}

interface Account {
  limit: number;
  used: number;
  resetAtMs: number;
}

export function createRateWindows(options: Required<WindowOptions>, nowMs: () => number): RateWindows {
  const accounts = new Map<string, Account>();

  const account = (tokenId: string): Account => {
    const known = accounts.get(tokenId) ?? { limit: options.limit, used: 0, resetAtMs: 0 };
    if (nowMs() >= known.resetAtMs) {
      known.used = 0;
      known.resetAtMs = nowMs() + options.windowMs;
    }
    accounts.set(tokenId, known);
    return known;
  };

  return {
    set(tokenId, change) {
      const known = account(tokenId);
      known.limit = change.limit ?? known.limit;
      if (change.remaining !== undefined) known.used = Math.max(0, known.limit - change.remaining);
      known.resetAtMs = change.resetAtMs ?? known.resetAtMs;
    },
    window(tokenId) {
      const { limit, used, resetAtMs } = account(tokenId);
      return { limit, used, remaining: Math.max(0, limit - used), resetAtMs };
    },
    spend(tokenId) {
      account(tokenId).used += 1;
    },
  };
}
