/**
 * How many claims per second one replica makes when neither network nor platform is in the way, beside the same number
 * of raw `queue.add` on the same Redis. The two take turns, so that what disturbs the machine disturbs both; what is
 * compared is the ratio within a round, because absolute numbers differ by half from machine to machine.
 */
import { Queue } from 'bullmq';
import { createRunCanceller } from '../src/claims/run-canceller.ts';
import { createTicketClaimService } from '../src/claims/ticket-claim-service.ts';
import type { Catalog, Project } from '../src/domain/project.ts';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import { createRunQueue } from '../src/queue/run-queue.ts';
import type { RedisConnection } from '../src/redis/connection.ts';
import { createAttemptRecords } from '../src/runs/attempt-records.ts';
import { createCancellations } from '../src/runs/cancellations.ts';
import { createClaimRecords } from '../src/runs/claim-records.ts';
import { createDecisionLog } from '../src/runs/decision-log.ts';
import { createMemoryPlatform } from './memory-platform.ts';
import { connect, unreadLog } from './redis.ts';

export interface ClaimBenchOptions {
  readonly redisUrl: string;
  /** Calls under way at any time, of claims and of adds alike. */
  readonly concurrency: number;
  readonly rounds: number;
  readonly claimsPerRound: number;
  readonly addsPerRound: number;
}

export interface ClaimRound {
  readonly claimsPerSecond: number;
  readonly addsPerSecond: number;
  /** Claims per add. */
  readonly ratio: number;
}

const TRIGGER_LABEL = 'agent-smith';
const PIPELINE = 'fix-bug';

/** Throws when a claim ended as anything but `claimed`. */
export async function benchClaims(options: ClaimBenchOptions): Promise<ClaimRound[]> {
  const redis = await connect(options.redisUrl, 'bench-claims');
  const raw = new Queue('raw', { connection: redis.queueClient('wait'), prefix: 'bench-adds' });
  try {
    const claims = createClaims(redis);
    const measureClaims = async (count: number): Promise<number> => {
      const ids = claims.openTickets(count);
      return count / (await timed(() => inParallel(options.concurrency, ids, claims.claim)));
    };
    const measureAdds = async (count: number): Promise<number> => {
      const ids = Array.from({ length: count }, () => `raw-${(added += 1)}`);
      const add = (jobId: string): Promise<unknown> => raw.add('turn', { run: jobId, turn: 1 }, { ...JOB, jobId });
      return count / (await timed(() => inParallel(options.concurrency, ids, add)));
    };
    let added = 0;
    // Untimed: scripts reach Redis, and the compiler has seen everything once.
    await measureClaims(options.claimsPerRound);
    await measureAdds(options.addsPerRound);
    const rounds: ClaimRound[] = [];
    for (let round = 0; round < options.rounds; round += 1) {
      const claimsPerSecond = await measureClaims(options.claimsPerRound);
      const addsPerSecond = await measureAdds(options.addsPerRound);
      rounds.push({ claimsPerSecond, addsPerSecond, ratio: claimsPerSecond / addsPerSecond });
    }
    await claims.verify();
    await claims.close();
    return rounds;
  } finally {
    await raw.close();
    await redis.close();
  }
}

/** As the house adds its jobs. */
const JOB = { attempts: 1, removeOnComplete: true, removeOnFail: true };

function createClaims(redis: RedisConnection) {
  const source = { platform: 'memory', host: 'memory.test', container: 'bench/claims', apiUrl: 'http://memory.test' };
  const platform = createMemoryPlatform(source);
  const project: Project = {
    name: 'bench',
    source,
    code: { type: 'git', url: 'http://memory.test/bench/claims' },
    routing: { pipelineFromLabel: new Map([[TRIGGER_LABEL, PIPELINE]]) },
    triggers: new Set(['poll']),
  };
  const policy = JSON.stringify({ command: ['sh', '-c', 'true'], timeout_seconds: 1800, max_attempts: 3 });
  const catalog: Catalog = {
    hash: 'bench',
    projects: [project],
    pipelines: new Map([[PIPELINE, { name: PIPELINE, policy, timeoutMs: 1_800_000, maxAttempts: 3 }]]),
  };
  const log = unreadLog();
  const queue = createRunQueue({ redis, log });
  const decisions = createDecisionLog(redis);
  const cancellations = createCancellations(redis, createAttemptRecords(redis, DEFAULT_TIMING));
  let opened = 0;
  const service = createTicketClaimService(
    {
      catalog: () => catalog,
      platformOf: () => platform,
      records: createClaimRecords(redis, { ...DEFAULT_TIMING, mostRunsPerDay: () => 5 }),
      queue,
      decisions,
      canceller: createRunCanceller({ cancellations, decisions, log }),
      log,
      onOutcome: undefined,
    },
    DEFAULT_TIMING,
  );
  const never = new AbortController().signal;
  return {
    openTickets(count: number): string[] {
      opened += count;
      return Array.from({ length: count }, () => platform.open([TRIGGER_LABEL, 'bug']));
    },
    async claim(ticketId: string): Promise<void> {
      const outcome = await service.claim({ project: project.name, ticketId, trigger: 'poll' }, never);
      if (outcome.kind !== 'claimed') throw new Error(`a claim ended as ${JSON.stringify(outcome)}`);
    },
    /** That the work was done: every ticket labelled, every run with its job. */
    async verify(): Promise<void> {
      const labelled = platform.count('agent-smith:enqueued');
      const jobs = await queue.depth();
      if (labelled !== opened || jobs !== opened) {
        throw new Error(`${opened} tickets claimed, but ${labelled} labelled and ${jobs} jobs queued`);
      }
    },
    close: () => queue.close(),
  };
}

async function inParallel<T>(
  concurrency: number,
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const waiting = items.values();
  // One iterator shared by all: each takes the next item when it has finished its own.
  const lane = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

/** Seconds. */
async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}
