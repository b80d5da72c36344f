/** What the benches claim with: the real claim service on a platform in memory, with caps that hold nothing back. */
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
import { unreadLog } from './redis.ts';

/** More slots, and higher caps, than there are claims: every run can be admitted, and each of them is asked about. */
export const MANY = 1_000_000_000;
const TRIGGER_LABEL = 'agent-smith';
const PIPELINE = 'fix-bug';

export interface Claims {
  readonly catalog: Catalog;
  /** Labels so many new tickets, and answers their ids. */
  openTickets(count: number): string[];
  /** A claim by way of this connection; throws when it ends as anything but `claimed`. */
  on(connection: RedisConnection): (ticketId: string) => Promise<void>;
  /** That the work was done: every ticket labelled, every run with its job. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

export function createClaims(redis: RedisConnection): Claims {
  const source = { platform: 'memory', host: 'memory.test', container: 'bench/claims', apiUrl: 'http://memory.test' };
  const platform = createMemoryPlatform(source);
  const project: Project = {
    name: 'bench',
    source,
    code: { type: 'git', url: 'http://memory.test/bench/claims' },
    routing: { pipelineFromLabel: new Map([[TRIGGER_LABEL, PIPELINE]]) },
    triggers: new Set(['poll']),
    maxParallelJobs: MANY,
  };
  const policy = JSON.stringify({ command: ['sh', '-c', 'true'], timeout_seconds: 1800, max_attempts: 3 });
  const catalog: Catalog = {
    hash: 'bench',
    projects: [project],
    pipelines: new Map([
      [PIPELINE, { name: PIPELINE, policy, timeoutMs: 1_800_000, maxAttempts: 3, maxParallelJobs: MANY }],
    ]),
  };
  const log = unreadLog();
  const queue = createRunQueue({ redis, log });
  const decisions = createDecisionLog(redis);
  const cancellations = createCancellations(redis, createAttemptRecords(redis, DEFAULT_TIMING));
  let opened = 0;
  const never = new AbortController().signal;
  const claimOn = (connection: RedisConnection) => {
    const service = createTicketClaimService(
      {
        catalog: () => catalog,
        platformOf: () => platform,
        records: createClaimRecords(connection, { ...DEFAULT_TIMING, mostRunsPerDay: () => 5 }),
        queue,
        decisions,
        canceller: createRunCanceller({ cancellations, decisions, log }),
        log,
        onOutcome: undefined,
      },
      DEFAULT_TIMING,
    );
    return async (ticketId: string): Promise<void> => {
      const outcome = await service.claim({ project: project.name, ticketId, trigger: 'poll' }, never);
      if (outcome.kind !== 'claimed') throw new Error(`a claim ended as ${JSON.stringify(outcome)}`);
    };
  };
  return {
    catalog,
    openTickets(count: number): string[] {
      opened += count;
      return Array.from({ length: count }, () => platform.open([TRIGGER_LABEL, 'bug']));
    },
    on: claimOn,
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

export async function inParallel<T>(
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
