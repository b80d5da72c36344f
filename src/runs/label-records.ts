/** What is known of the labels: which are due, which have been read back. Throws `OperationError` when Redis is away. */
import type { LabelState, Run } from '../domain/run.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type RoundCursor, readRound } from './rounds.ts';

export type Settlement =
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'unwritable'; readonly reason: string }
  /** Not now: due again after a pause that grows; an ended run that is refused for too long becomes `unwritable`. */
  | { readonly kind: 'refused'; readonly reason: string; readonly retryAfterMs?: number | undefined }
  /** Somebody wrote a lifecycle label that contradicts a confirmed record: ours to repair once more, and counted. */
  | { readonly kind: 'doubt' };

export type Settled =
  | { readonly kind: 'settled'; readonly labelState: LabelState; readonly doubts: number }
  /** What was settled is history: the run has another state, or the ticket another run, whose label is due now. */
  | { readonly kind: 'moved-on' };

export interface LabelRecords {
  /** Ids of runs whose label is due by now, oldest first; with a cursor those that come after the ones it has shown. */
  due(most: number, cursor?: RoundCursor): Promise<string[]>;
  /** Notes what became of the label of this state of the run. Its clock is Redis TIME alone. */
  settle(run: Run, settlement: Settlement): Promise<Settled>;
  /** Forgets a run whose label is nobody's business any more, unless it is its ticket's run again by now. */
  forget(run: string): Promise<void>;
}

export interface LabelRecordsOptions {
  readonly projectionScanMs: number;
  readonly attemptRetryMaxMs: number;
  readonly labelGiveUpMs: number;
}

export function createLabelRecords(redis: RedisConnection, options: LabelRecordsOptions): LabelRecords {
  const { keys } = redis;
  return {
    due: async (most, cursor = { next: undefined }) =>
      await readRound(redis, keys.unconfirmed, cursor, { most, latestMs: await redis.timeMs() }),
    async settle(run, settlement) {
      const [kind, labelState, doubts] = await redis.script(
        'settle-label',
        [keys.run(run.id), keys.unconfirmed, keys.ticket(run.ticket)],
        [
          run.id,
          run.state,
          run.sinceMs,
          settlement.kind,
          'reason' in settlement ? settlement.reason : '',
          settlement.kind === 'refused' ? (settlement.retryAfterMs ?? 0) : 0,
          options.projectionScanMs,
          options.attemptRetryMaxMs,
          options.labelGiveUpMs,
          keys.run(''),
        ],
      );
      return kind === 'settled'
        ? { kind, labelState: labelState as LabelState, doubts: Number(doubts) }
        : { kind: 'moved-on' };
    },
    forget: async (run) => {
      await redis.script('forget-label', [keys.run(run), keys.unconfirmed], [run, keys.ticket('')]);
    },
  };
}
