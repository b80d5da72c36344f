/**
 * How many claims per second one replica makes when neither network nor platform is in the way, beside the same number
 * of raw `queue.add` on the same Redis, and of claims whose commit asks nothing about fair use. They take turns, so that what disturbs the machine disturbs all; what is
 * compared is the ratio within a round, because absolute numbers differ by half from machine to machine.
 */
import { createHash } from 'node:crypto';
import { Queue } from 'bullmq';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import type { RedisConnection } from '../src/redis/connection.ts';
import { scripts } from '../src/redis/scripts.ts';
import { createAdmissions } from '../src/runs/admissions.ts';
import { createClaims, inParallel, MANY } from './claims.ts';
import { connect } from './redis.ts';

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

/** Throws when a claim ended as anything but `claimed`. */
export async function benchClaims(options: ClaimBenchOptions): Promise<ClaimRound[]> {
  const redis = await connect(options.redisUrl, 'bench-claims');
  const raw = new Queue('raw', { connection: redis.queueClient('wait'), prefix: 'bench-adds' });
  try {
    await createAdmissions(redis, { ...DEFAULT_TIMING, freeSlotsMs: HOUR_MS }).tell({ instance: 'bench', free: MANY });
    const claims = createClaims(redis);
    const claim = { asked: claims.on(redis), unasked: claims.on(withoutAdmission(redis)) };
    /** Both kinds of claims in pieces, in turns: their ratio is that of a tenth, and the machine's moods are as fast. */
    const measureClaims = async (count: number): Promise<{ readonly asked: number; readonly unasked: number }> => {
      const seconds = { asked: 0, unasked: 0 };
      const piece = Math.ceil(count / PIECES);
      for (let n = 0; n < PIECES; n += 1) {
        const kinds = n % 2 === 0 ? (['asked', 'unasked'] as const) : (['unasked', 'asked'] as const);
        for (const kind of kinds) {
          const ids = claims.openTickets(piece);
          seconds[kind] += await timed(() => inParallel(options.concurrency, ids, claim[kind]));
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

/** Seconds. */
async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return (performance.now() - startedMs) / 1000;
}
