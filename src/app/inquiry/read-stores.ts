/**
 * Redis as people look into it who only ask: read, never written, not even the note of whose data it is. What the
 * replicas have learned about a credential's budget holds these callers back too; what they learn stays with them.
 */
import type { Config } from '../../config/config.ts';
import { createApiBudget } from '../../coordination/api-budget.ts';
import { createLeases, type Leases } from '../../coordination/lease.ts';
import { createPollBoard, type PollBoard } from '../../coordination/poll-board.ts';
import type { Timing } from '../../domain/timing.ts';
import type { Log } from '../../foundation/log.ts';
import type { RateLimits } from '../../platforms/rate-limits.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { type Admissions, createAdmissions } from '../../runs/admissions.ts';
import { type ClaimRecords, createClaimRecords } from '../../runs/claim-records.ts';
import { createDecisionLog, type DecisionLog } from '../../runs/decision-log.ts';
import { createRunReader, type RunReader } from '../../runs/run-reader.ts';
import { connectRedis } from '../connect-redis.ts';

export interface ReadStores {
  readonly redis: Pick<RedisConnection, 'keys' | 'read' | 'timeMs' | 'whenUp' | 'status' | 'close'>;
  readonly claimRecords: Pick<ClaimRecords, 'look'>;
  readonly admissions: Pick<Admissions, 'whyWaiting'>;
  readonly runs: Pick<RunReader, 'ofTicket' | 'output'>;
  readonly decisions: Pick<DecisionLog, 'ofTicket'>;
  readonly pollBoard: Pick<PollBoard, 'read'>;
  readonly leases: Pick<Leases, 'holder'>;
  readonly limitsOf: (credential: string) => RateLimits;
}

/** Undefined without `REDIS_URL`. Connects in the background; throws when the URL itself is wrong. */
export function openReadStores(config: () => Config, timing: Timing, log: Log): ReadStores | undefined {
  const redis = connectRedis(config(), { timing, blockMs: 0, readOnly: true, log });
  if (redis === undefined) return undefined;
  return {
    redis,
    claimRecords: createClaimRecords(redis, { ...timing, mostRunsPerDay: () => config().maxRunsPerTicketPerDay }),
    admissions: createAdmissions(redis, timing),
    runs: createRunReader(redis),
    decisions: createDecisionLog(redis),
    pollBoard: createPollBoard(redis),
    leases: createLeases(redis, timing),
    limitsOf: (credential) => createApiBudget({ redis, log, listensOnly: true }, credential),
  };
}
