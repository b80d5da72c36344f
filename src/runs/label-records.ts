/** What is known of the labels: which are due, which have been read back. Throws `OperationError` when Redis is away. */
import type { Run } from '../domain/run.ts';
import type { RedisConnection } from '../redis/connection.ts';

export type Settlement =
  | { readonly kind: 'confirmed' }
  | { readonly kind: 'unwritable'; readonly reason: string }
  /** Not now: due again after this time. */
  | { readonly kind: 'retry'; readonly afterMs: number; readonly reason: string }
  /** Somebody wrote a lifecycle label that contradicts a confirmed record: ours to repair once more, and counted. */
  | { readonly kind: 'doubt' };

export interface LabelRecords {
  /** Ids of runs whose label is due by now, oldest first. */
  due(most: number): Promise<string[]>;
  /** Notes what became of the label of this state of the run. `moved-on` when the run is in another state by now. */
  settle(run: Run, settlement: Settlement): Promise<{ readonly movedOn: boolean; readonly doubts: number }>;
  /** Forgets a run whose record is gone. */
  forget(run: string): Promise<void>;
}

export function createLabelRecords(redis: RedisConnection): LabelRecords {
  const { keys } = redis;
  return {
    async due(most) {
      const nowMs = await redis.timeMs();
      return await redis.read('list due labels', (client) =>
        client.zrangebyscore(keys.unconfirmed, '-inf', nowMs, 'LIMIT', 0, most),
      );
    },
    async settle(run, settlement) {
      const [kind, doubts] = await redis.script(
        'settle-label',
        [keys.run(run.id), keys.unconfirmed],
        [
          run.id,
          run.sinceMs,
          settlement.kind,
          'reason' in settlement ? settlement.reason : '',
          settlement.kind === 'retry' ? settlement.afterMs : 0,
        ],
      );
      return { movedOn: kind === 'moved-on', doubts: kind === 'settled' ? Number(doubts) : 0 };
    },
    forget: async (run) => {
      await redis.read('forget label', (client) => client.zrem(keys.unconfirmed, run));
    },
  };
}
