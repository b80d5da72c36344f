/**
 * How many claims per second one replica makes when neither network nor platform is in the way, beside the same number
 * of raw `queue.add` on the same Redis, and of claims whose commit asks nothing about fair use. They take turns, so that what disturbs the machine disturbs all; what is
 * compared is the ratio within a round, because absolute numbers differ by half from machine to machine.
 */
import { createHash } from 'node:crypto';
import { Queue } from 'bullmq';
import { createRunCanceller } from '../src/claims/run-canceller.ts';
import { createTicketClaimService } from '../src/claims/ticket-claim-service.ts';
import type { Catalog, Project } from '../src/domain/project.ts';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import { createRunQueue } from '../src/queue/run-queue.ts';
import type { RedisConnection } from '../src/redis/connection.ts';
import { scripts } from '../src/redis/scripts.ts';
import { createAdmissions } from '../src/runs/admissions.ts';
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
  /** Claims of runs that nobody asks about caps, slots or a backlog. */
  readonly unaskedPerSecond: number;
  /** Claims per claim of that kind: what is left after admission. */
  readonly admissionRatio: number;
}

const TRIGGER_LABEL = 'agent-smith';
const PIPELINE = 'fix-bug';

/** Throws when a claim ended as anything but `claimed`. */
export async function benchClaims(options: ClaimBenchOptions): Promise<ClaimRound[]> {
  const redis = await connect(options.redisUrl, 'bench-claims');
  const raw = new Queue('raw', { connection: redis.queueClient('wait'), prefix: 'bench-adds' });
  try {
    await createAdmissions(redis, { ...DEFAULT_TIMING, freeSlotsMs: HOUR_MS }).tell({ instance: 'bench', free: MANY });
    const claims = createClaims(redis);
    /** Both kinds of claims in pieces, in turns: their ratio is that of a tenth, and the machine's moods are as fast. */
    const measureClaims = async (count: number): Promise<{ readonly asked: number; readonly unasked: number }> => {
      const seconds = { asked: 0, unasked: 0 };
      const piece = Math.ceil(count / PIECES);
      for (let n = 0; n < PIECES; n += 1) {
        const kinds = n % 2 === 0 ? (['asked', 'unasked'] as const) : (['unasked', 'asked'] as const);
        for (const kind of kinds) {
          const ids = claims.openTickets(piece);
          seconds[kind] += await timed(() => inParallel(options.concurrency, ids, claims.claim[kind]));
        }
      }
      return { asked: (piece * PIECES) / seconds.asked, unasked: (piece * PIECES) / seconds.unasked };
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
      const { asked: claimsPerSecond, unasked: unaskedPerSecond } = await measureClaims(options.claimsPerRound);
      const addsPerSecond = await measureAdds(options.addsPerRound);
      rounds.push({
        claimsPerSecond,
        addsPerSecond,
        ratio: claimsPerSecond / addsPerSecond,
        unaskedPerSecond,
        admissionRatio: claimsPerSecond / unaskedPerSecond,
      });
    }
    await claims.verify();
    await claims.close();
    return rounds;
  } finally {
    await raw.close();
    await redis.close();
  }
}

/** More slots, and higher caps, than there are claims: every run is admitted, and each of them is asked about. */
const MANY = 1_000_000_000;
const HOUR_MS = 3_600_000;
const PIECES = 20;

/** The connection, on which a commit admits every run without a question, and puts it on no list of fair use. */
function withoutAdmission(redis: RedisConnection): RedisConnection {
  const lists = /^redis\.call\('SADD', KEYS\[\d+\], ARGV\[1\]\)\n/gm;
  const asking = scripts.get('commit-claim')?.lua ?? '';
  const lua = asking.replace('local admitted = may_be_admitted()', 'local admitted = true').replace(lists, '');
  if (asking.split('\n').length !== lua.split('\n').length + 3 || lua.includes('= may_be_admitted()'))
    throw new Error('commit-claim.lua does not read as this bench expects');
  const sha1 = createHash('sha1').update(lua).digest('hex');
  return {
    ...redis,
    async script(name, keys, args) {
      if (name !== 'commit-claim') return await redis.script(name, keys, args);
      const asked = keys.slice(0, KEYS_BEFORE_ADMISSION);
      return await redis.read(name, async (client) => {
        const call = [asked.length, ...asked, ...args] as const;
        return (await client.evalsha(sha1, ...call).catch(() => client.eval(lua, ...call))) as string[];
      });
    },
  };
}

/** Of commit-claim: those that follow are asked and written for fair use alone. */
const KEYS_BEFORE_ADMISSION = 7;

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
    openTickets(count: number): string[] {
      opened += count;
      return Array.from({ length: count }, () => platform.open([TRIGGER_LABEL, 'bug']));
    },
    claim: { asked: claimOn(redis), unasked: claimOn(withoutAdmission(redis)) },
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
