/** Redis and everything that is kept there: the same for a replica and for a claim by hand. */
import type { Config } from '../config/config.ts';
import { createApiBudget } from '../coordination/api-budget.ts';
import { type ConfigBoard, createConfigBoard } from '../coordination/config-board.ts';
import { createListening, type Listening } from '../coordination/listening.ts';
import { createMissedBoard, type MissedBoard } from '../coordination/missed-board.ts';
import { createPlaceIds, type PlaceIds } from '../coordination/place-ids.ts';
import { createPollBoard, type PollBoard } from '../coordination/poll-board.ts';
import type { Timing } from '../domain/timing.ts';
import type { Log } from '../foundation/log.ts';
import type { Redactor } from '../foundation/redactor.ts';
import type { RateLimits } from '../platforms/rate-limits.ts';
import { createRunQueue, type RunQueue } from '../queue/run-queue.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Admissions, createAdmissions } from '../runs/admissions.ts';
import { createAttemptRecords } from '../runs/attempt-records.ts';
import { createCallbackRecords } from '../runs/callback-records.ts';
import { type Cancellations, createCancellations } from '../runs/cancellations.ts';
import { type ClaimRecords, createClaimRecords } from '../runs/claim-records.ts';
import { createDecisionLog } from '../runs/decision-log.ts';
import { createDeliveryRecords, type DeliveryRecords } from '../runs/delivery-records.ts';
import { createLabelRecords } from '../runs/label-records.ts';
import { createRetentionRecords, type RetentionRecords } from '../runs/retention.ts';
import { createRunReader, type RunReader } from '../runs/run-reader.ts';
import { createUnheardEnds, type UnheardEnds } from '../runs/unheard-ends.ts';
import { connectRedis } from './connect-redis.ts';
import { type QuotingRecords, withoutSecrets } from './without-secrets.ts';

export interface Stores extends QuotingRecords {
  readonly redis: RedisConnection;
  readonly claimRecords: ClaimRecords;
  readonly admissions: Admissions;
  readonly runs: RunReader;
  readonly cancellations: Cancellations;
  readonly unheard: UnheardEnds;
  readonly deliveries: DeliveryRecords;
  readonly retention: RetentionRecords;
  readonly placeIds: PlaceIds;
  readonly queue: RunQueue;
  readonly pollBoard: PollBoard;
  readonly missedBoard: MissedBoard;
  readonly listening: Listening;
  readonly configBoard: ConfigBoard;
  /** A credential's API budget, by its name: the same for all replicas. */
  readonly limitsOf: (credential: string) => RateLimits;
}

export interface StoresOptions {
  readonly config: () => Config;
  readonly timing: Timing;
  readonly freshRedis: boolean;
  /** With `durability: replicated`: whether a replica has answered in time. */
  readonly onReplicaWait?: (isConfirmed: boolean) => void;
  readonly log: Log;
  readonly redactor: Redactor;
}

/** Undefined without `REDIS_URL`. Connects in the background; throws when the URL itself is wrong. */
export function openStores(options: StoresOptions): Stores | undefined {
  const { config, timing, log, redactor } = options;
  const blockMs = config().agent.consumeBlockSeconds * 1000;
  const { freshRedis: freshServer, onReplicaWait = () => undefined } = options;
  const redis = connectRedis(config(), { timing, blockMs, freshServer, onReplicaWait, log });
  if (redis === undefined) return undefined;
  const kept = withoutSecrets(
    {
      attemptRecords: createAttemptRecords(redis, timing),
      callbackRecords: createCallbackRecords(redis, timing),
      labelRecords: createLabelRecords(redis, timing),
      decisions: createDecisionLog(redis, timing),
    },
    redactor,
  );
  return {
    redis,
    claimRecords: createClaimRecords(redis, { ...timing, mostRunsPerDay: () => config().maxRunsPerTicketPerDay }),
    admissions: createAdmissions(redis, timing),
    ...kept,
    runs: createRunReader(redis),
    cancellations: createCancellations(redis, kept.attemptRecords),
    unheard: createUnheardEnds(redis),
    deliveries: createDeliveryRecords(redis, timing),
    retention: createRetentionRecords(redis, timing),
    configBoard: createConfigBoard(redis, timing),
    placeIds: createPlaceIds(redis, log),
    queue: createRunQueue({ redis, log }),
    pollBoard: createPollBoard(redis),
    missedBoard: createMissedBoard(redis),
    listening: createListening(redis, timing),
    limitsOf: (credential) => createApiBudget({ redis, log }, credential),
  };
}
