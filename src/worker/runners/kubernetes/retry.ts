/** Pauses between questions that the cluster did not answer: longer and longer, with some chance in them, as it asks for. */
import type { Timing } from '../../../domain/timing.ts';
import { sleep } from '../../../foundation/loop.ts';
import type { ClusterError } from './cluster.ts';

export interface Retry {
  /** After a failure. Resolves early when the signal aborts. */
  pause(error: ClusterError, signal: AbortSignal): Promise<void>;
  /** The shortest pause, after no failure. */
  breathe(signal: AbortSignal): Promise<void>;
  /** It answers: the next pause is a short one again. */
  succeeded(): void;
}

export interface RetryOptions extends Pick<Timing, 'clusterRetryMs' | 'clusterRetryMaxMs'> {
  /** Called for the first failure in a row, and for the success after it. */
  readonly onAway?: (error: ClusterError) => void;
  readonly onBack?: () => void;
}

export function createRetry({ clusterRetryMs, clusterRetryMaxMs, onAway, onBack }: RetryOptions): Retry {
  let failures = 0;
  return {
    async pause(error, signal) {
      if (signal.aborted) return;
      if (failures === 0) onAway?.(error);
      const growing = Math.min(clusterRetryMs * 2 ** Math.min(failures, 20), clusterRetryMaxMs);
      failures += 1;
      await sleep(Math.max(growing * (0.75 + Math.random() / 2), error.retryAfterMs ?? 0), signal);
    },
    async breathe(signal) {
      await sleep(clusterRetryMs, signal);
    },
    succeeded() {
      if (failures > 0) onBack?.();
      failures = 0;
    },
  };
}
