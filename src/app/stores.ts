/** Redis and everything that is kept there: the same for a replica and for a claim by hand. */
import type { Config } from '../config/config.ts';
import type { Timing } from '../domain/timing.ts';
import type { Log } from '../foundation/log.ts';
import type { Redactor } from '../foundation/redactor.ts';
import { createRunQueue, type RunQueue } from '../queue/run-queue.ts';
import { parseRedisUrl } from '../redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../redis/connection.ts';
import { type AttemptRecords, createAttemptRecords } from '../runs/attempt-records.ts';
import { type ClaimRecords, createClaimRecords } from '../runs/claim-records.ts';
import { createDecisionLog, type DecisionLog } from '../runs/decision-log.ts';
import { createLabelRecords, type LabelRecords } from '../runs/label-records.ts';
import { createRunReader, type RunReader } from '../runs/run-reader.ts';

export interface Stores {
  readonly redis: RedisConnection;
  readonly claimRecords: ClaimRecords;
  readonly attemptRecords: AttemptRecords;
  readonly labelRecords: LabelRecords;
  readonly runs: RunReader;
  readonly decisions: DecisionLog;
  readonly queue: RunQueue;
}

export interface StoresOptions {
  readonly config: () => Config;
  readonly timing: Timing;
  readonly freshRedis: boolean;
  readonly log: Log;
  readonly redactor: Redactor;
}

/** Undefined without `REDIS_URL`. Connects in the background; throws when the URL itself is wrong. */
export function openStores({ config, timing, freshRedis, log, redactor }: StoresOptions): Stores | undefined {
  const url = config().secrets.redisUrl();
  if (url === undefined) return undefined;
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace: config().redis.namespace,
    timing,
    blockMs: config().agent.consumeBlockSeconds * 1000,
    freshServer: freshRedis,
    log,
  });
  return {
    redis,
    claimRecords: createClaimRecords(redis, { ...timing, mostRunsPerDay: () => config().maxRunsPerTicketPerDay }),
    attemptRecords: createAttemptRecords(redis, timing),
    labelRecords: createLabelRecords(redis, timing),
    runs: createRunReader(redis),
    decisions: withoutSecrets(createDecisionLog(redis), redactor),
    queue: createRunQueue({ redis, log }),
  };
}

/** What a platform answered is quoted in a decision, and may quote what it was sent. */
function withoutSecrets(log: DecisionLog, redactor: Redactor): DecisionLog {
  return {
    ...log,
    record: ({ detail, ...decision }) =>
      log.record(detail === undefined ? decision : { ...decision, detail: redactor.redact(detail) }),
  };
}
