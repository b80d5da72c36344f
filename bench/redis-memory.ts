/**
 * How much memory Redis needs for tickets: the real claims, queue and records put so many of them there, state by state, and
 * the server is asked after each. It needs a Redis in which nobody else writes meanwhile.
 *
 *   claimed, in the backlog --> admitted, with a job --> ended, label confirmed          delivery kept --> settled
 *
 * Nothing expires while it is measured, so what is counted is what a server holds that has seen all of it within the times
 * that are kept.
 */
import { createHash, randomUUID } from 'node:crypto';
import { ulid } from 'ulid';
import type { Catalog } from '../src/domain/project.ts';
import { ticketKey } from '../src/domain/ticket.ts';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import { createRunConsumer, createRunQueue, type Turn } from '../src/queue/run-queue.ts';
import type { RedisConnection } from '../src/redis/connection.ts';
import { createAdmissions } from '../src/runs/admissions.ts';
import { createAttemptRecords } from '../src/runs/attempt-records.ts';
import { createDecisionLog } from '../src/runs/decision-log.ts';
import { createDeliveryRecords, type NewDelivery } from '../src/runs/delivery-records.ts';
import { createLabelRecords } from '../src/runs/label-records.ts';
import { createRunReader } from '../src/runs/run-reader.ts';
import { type Claims, createClaims, inParallel, MANY } from './claims.ts';
import { type KeyKind, usedByKind, usedBytes } from './memory-usage.ts';
import { connect, unreadLog } from './redis.ts';

export interface RedisMemoryOptions {
  readonly redisUrl: string;
  readonly tickets: number;
}

/** What a number of things of one state take, all in all and by the kinds of their keys, in bytes. */
export interface MemoryOfState {
  readonly state: string;
  readonly things: number;
  /** By which the memory of the server has grown, tables of keys included. */
  readonly bytes: number;
  readonly byKind: ReadonlyMap<KeyKind, number>;
}

const NAMESPACE = 'bench-memory';
const INSTANCE = 'bench';
const CONCURRENCY = 100;
const SLOTS = 50;
const BLOCK_MS = 1_000;
/** The end of what a command printed; a run keeps 64 KiB of it at most. */
const OUTPUT = 'one line of what a pipeline prints, eighty characters or so, as they usually are\n'.repeat(50);
const RESULT = {
  summary: 'Fixed the check for empty carts.',
  links: [{ title: 'Pull request 12', url: 'https://memory.test/bench/claims/pull/12' }],
};

export async function benchRedisMemory({ redisUrl, tickets }: RedisMemoryOptions): Promise<MemoryOfState[]> {
  const redis = await connect(redisUrl, NAMESPACE);
  const claims = createClaims(redis);
  const work = createWork(redis, claims);
  try {
    // Scripts are loaded, connections and their buffers are there.
    await work.claim(SLOTS);
    await work.admit();
    await work.end(SLOTS);
    await work.deliver(SLOTS, 'warm-up');
    await work.settle();

    const runs = await startMeasuring(redis, tickets);
    await work.claim(tickets);
    const waiting = await runs.now('claimed, waits in its backlog');
    await work.admit();
    const queued = await runs.now('admitted, has a job');
    await work.end(tickets);
    const ended = await runs.now('ended');

    const deliveries = await startMeasuring(redis, tickets);
    await work.deliver(tickets, 'measured');
    const kept = await deliveries.now('delivery, waits');
    await work.settle();
    const settled = await deliveries.now('delivery, settled');
    return [waiting, queued, ended, kept, settled];
  } finally {
    await work.close();
    await claims.close();
    await redis.close();
  }
}

/** From what there is now. */
async function startMeasuring(
  redis: RedisConnection,
  things: number,
): Promise<{ now(state: string): Promise<MemoryOfState> }> {
  const bytesBefore = await usedBytes(redis);
  const kindsBefore = await usedByKind(redis);
  return {
    async now(state) {
      const bytes = (await usedBytes(redis)) - bytesBefore;
      const grown = [...(await usedByKind(redis))].map(
        ([kind, used]) => [kind, used - (kindsBefore.get(kind) ?? 0)] as const,
      );
      return { state, things, bytes, byKind: new Map(grown) };
    },
  };
}

/** The steps of many tickets, each by the rooms that do it in a replica. */
function createWork(redis: RedisConnection, claims: Claims) {
  const log = unreadLog();
  const queue = createRunQueue({ redis, log });
  const admissions = createAdmissions(redis, DEFAULT_TIMING);
  const attempts = createAttemptRecords(redis, DEFAULT_TIMING);
  const labels = createLabelRecords(redis, DEFAULT_TIMING);
  const runs = createRunReader(redis);
  const decisions = createDecisionLog(redis);
  const deliveries = createDeliveryRecords(redis, DEFAULT_TIMING);
  const claim = claims.on(redis);
  const { projects } = claims.catalog;

  const endTurn = async ({ run: id, turn }: Turn): Promise<void> => {
    const taken = await attempts.take(id, turn);
    if (taken.kind !== 'taken') throw new Error(`turn ${turn} of ${id} is ${taken.state}`);
    const started = await attempts.start(taken.run, INSTANCE);
    if (started.kind !== 'started') throw new Error(`${id} did not start: ${started.kind}`);
    const { ticket, project, attempt, attemptFence: fence } = started.run;
    const end = { state: 'completed', reason: 'exit code 0', output: OUTPUT, result: RESULT } as const;
    await attempts.finish({ run: id, ticket, attempt, fence }, { ...end, onlyIfDead: false });
    await decisions.record({ ticket, project, by: 'attempt', run: id, outcome: end.state });
    const ended = await runs.get(id);
    if (ended === undefined) throw new Error(`${id} is not on record`);
    await labels.settle(ended, { kind: 'confirmed' });
  };
  return {
    async claim(count: number): Promise<void> {
      // Nobody has a slot, so they wait; but for the first one, which its project may always have on its way.
      await admissions.leave(INSTANCE);
      await inParallel(CONCURRENCY, claims.openTickets(count), claim);
    },
    async admit(): Promise<void> {
      for (;;) {
        const turns = await admissions.admit({ instance: INSTANCE, free: MANY }, claims.catalog);
        if (turns.length === 0) return;
        await inParallel(CONCURRENCY, turns, (turn) => queue.add(turn));
      }
    },
    async end(count: number): Promise<void> {
      const all = Promise.withResolvers<void>();
      let left = count;
      const consumer = createRunConsumer({
        redis,
        log,
        slots: SLOTS,
        blockMs: BLOCK_MS,
        timing: DEFAULT_TIMING,
        onTurn: async (turn) => {
          await endTurn(turn).catch(all.reject);
          if ((left -= 1) === 0) all.resolve();
          return { kind: 'over' };
        },
      });
      try {
        await all.promise;
      } finally {
        // Its last jobs are taken off the queue first.
        await consumer.close();
      }
    },
    async deliver(count: number, batch: string): Promise<void> {
      const numbers = Array.from({ length: count }, (_, number) => `${batch}-${number}`);
      await inParallel(CONCURRENCY, numbers, async (number) => {
        const { kind } = await deliveries.accept(deliveryOf(number, projects));
        if (kind !== 'accepted') throw new Error(`a delivery was ${kind}`);
      });
    },
    async settle(): Promise<void> {
      for (;;) {
        const taken = await deliveries.take(CONCURRENCY);
        if (taken.length === 0) return;
        await inParallel(CONCURRENCY, taken, (ticket) =>
          deliveries.settle(ticket, { kind: 'processed', outcome: 'claimed', run: ulid() }),
        );
      }
    },
    close: () => queue.close(),
  };
}

/** As GitHub's: each about a ticket of its own. */
function deliveryOf(number: string, projects: Catalog['projects']): NewDelivery {
  const [project] = projects;
  if (project === undefined) throw new Error('the catalog is empty');
  const id = randomUUID();
  return {
    name: `memory:${project.name}.109948940:${id}`,
    platform: 'memory',
    source: `${project.name}.109948940`,
    id,
    derived: false,
    event: 'issues',
    action: 'labeled',
    installation: undefined,
    place: project.source.container,
    placeId: '1296269',
    payloadHash: createHash('sha256').update(id).digest('hex'),
    configHash: createHash('sha256').update('bench').digest('hex'),
    projects: [project.name],
    tickets: [{ key: ticketKey(project.source, number), id: number }],
    ignored: undefined,
  };
}
