/**
 * How many webhooks one replica acknowledges per second, and how soon, beside the barest route that loses nothing: HMAC
 * and one XADD on the same Redis. Receiver and bare route are processes of their own and alike, this one sends. They
 * take turns, so that what disturbs the machine disturbs all; what is compared is the ratio within a round.
 */
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import { messageOf } from '../src/foundation/errors.ts';
import { createDeliveryRecords, type TakenTicket } from '../src/runs/delivery-records.ts';
import { type Child, startChild } from './child.ts';
import type { CpuTime, Listening } from './cpu-time.ts';
import { createDeliveries, type SignedDelivery } from './deliveries.ts';
import { type Measured, measured } from './figures.ts';
import { type Load, sendAll } from './http-load.ts';
import { connect } from './redis.ts';

export interface AcknowledgementsOptions {
  readonly redisUrl: string;
  readonly rounds: number;
  /** What is sent in each round over so many connections; fewer than an inbox takes. */
  readonly deliveries: readonly { readonly connections: number; readonly perRound: number }[];
}

/** `hint`: goes into the inbox of its ticket. `ignored`: has no trigger label; on record, and nothing to do. */
export type Candidate = 'bare' | 'hint' | 'ignored';

export interface Acknowledged {
  readonly candidate: Candidate;
  readonly connections: number;
  readonly perSecond: Measured;
  readonly p50Ms: Measured;
  readonly p99Ms: Measured;
  /** CPU time of the measured process for one delivery. */
  readonly cpuMicroseconds: Measured;
  /** Its rate by that of the bare route in the same round. */
  readonly ratio: Measured;
  /** CPU time of the sender by the time that passed. */
  readonly senderBusy: Measured;
}

const NAMESPACE = 'bench-webhooks';
const SECRET = 'bench-secret-of-the-webhooks';
const TRIGGER_LABEL = 'agent-smith';
const CANDIDATES: readonly Candidate[] = ['bare', 'hint', 'ignored'];
const TAKEN_AT_ONCE = 200;

/** Throws when a delivery was answered otherwise than it should be, or an accepted one is not in the inbox. */
export async function benchAcknowledgements(options: AcknowledgementsOptions): Promise<Acknowledged[]> {
  const bench = await openStage(options);
  try {
    const results: Acknowledged[] = [];
    for (const { connections, perRound } of options.deliveries) {
      // Untimed: scripts reach Redis, and the compiler has seen everything once.
      await playRound(bench, CANDIDATES, connections, perRound);
      const rounds: Round[] = [];
      for (let round = 0; round < options.rounds; round += 1) {
        // Nobody is always the one who comes after somebody else.
        const order = CANDIDATES.map((_, place) => CANDIDATES[(place + round) % CANDIDATES.length] ?? 'bare');
        rounds.push(await playRound(bench, order, connections, perRound));
      }
      results.push(...CANDIDATES.map((candidate) => sumUp(candidate, connections, rounds)));
    }
    return results;
  } finally {
    await bench.close();
  }
}

type Turn = Load & { readonly cpuMicroseconds: number };
type Round = ReadonlyMap<Candidate, Turn>;

async function playRound(
  bench: Stage,
  order: readonly Candidate[],
  connections: number,
  count: number,
): Promise<Round> {
  const turns = new Map<Candidate, Turn>();
  for (const candidate of order) turns.set(candidate, await bench.measure(candidate, connections, count));
  return turns;
}

function sumUp(candidate: Candidate, connections: number, rounds: readonly Round[]): Acknowledged {
  const turnsOf = (which: Candidate): Turn[] => rounds.flatMap((round) => round.get(which) ?? []);
  const turns = turnsOf(candidate);
  const bare = turnsOf('bare');
  return {
    candidate,
    connections,
    perSecond: measured(turns.map(({ perSecond }) => perSecond)),
    p50Ms: measured(turns.map(({ p50Ms }) => p50Ms)),
    p99Ms: measured(turns.map(({ p99Ms }) => p99Ms)),
    cpuMicroseconds: measured(turns.map(({ cpuMicroseconds }) => cpuMicroseconds)),
    senderBusy: measured(turns.map(({ senderBusy }) => senderBusy)),
    ratio: measured(turns.map(({ perSecond }, round) => perSecond / (bare[round]?.perSecond ?? Number.NaN))),
  };
}

interface Stage {
  measure(candidate: Candidate, connections: number, count: number): Promise<Turn>;
  close(): Promise<void>;
}

async function openStage({ redisUrl }: AcknowledgementsOptions): Promise<Stage> {
  const redis = await connect(redisUrl, NAMESPACE);
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-bench-'));
  const logFile = path.join(dir, 'receiver.log');
  const log = await open(logFile, 'a');
  const receiver = startChild(new URL('receiver.ts', import.meta.url), {
    args: [redisUrl, NAMESPACE, SECRET, TRIGGER_LABEL],
    stderr: log.fd,
  });
  const bare = startChild(new URL('bare-route.ts', import.meta.url), { args: [redisUrl, `${NAMESPACE}-bare`, SECRET] });
  const close = async (): Promise<void> => {
    await Promise.all([receiver.stop(), bare.stop()]);
    await redis.close();
    await log.close();
    await rm(dir, { recursive: true, force: true });
  };
  /** Beside its cause, what the receiver itself has said. */
  const fail = async (error: unknown): Promise<never> => {
    const lastLines = (await readFile(logFile, 'utf8')).split('\n').slice(-5).join('\n');
    throw new Error(`webhooks: ${messageOf(error)}\n${lastLines}`, { cause: error });
  };
  const records = createDeliveryRecords(redis, DEFAULT_TIMING);
  const create = createDeliveries(SECRET);
  try {
    const [receiverPort, barePort] = await Promise.all([portOf(receiver), portOf(bare)]);
    const targets: Readonly<Record<Candidate, Target>> = {
      bare: { child: bare, port: barePort, label: TRIGGER_LABEL, status: 202 },
      hint: { child: receiver, port: receiverPort, label: TRIGGER_LABEL, status: 202 },
      ignored: { child: receiver, port: receiverPort, label: 'bug', status: 200 },
    };
    return {
      close,
      async measure(candidate, connections, count) {
        const target = targets[candidate];
        const deliveries = Array.from({ length: count }, () => create(target.label));
        const turn = await measure(target, connections, deliveries).catch(fail);
        // Nobody does it while they are measured, and an inbox that is full takes nothing.
        const taken = await emptyInbox(records);
        if (taken !== (candidate === 'hint' ? count : 0))
          throw new Error(`${taken} of ${count} tickets were in the inbox`);
        return turn;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Target {
  readonly child: Child;
  readonly port: number;
  readonly label: string;
  readonly status: number;
}

async function portOf(child: Child): Promise<number> {
  return (await child.message<Listening>()).port;
}

async function measure(
  { child, port, status }: Target,
  connections: number,
  deliveries: readonly SignedDelivery[],
): Promise<Turn> {
  const before = await child.ask<CpuTime>('cpu');
  const load = await sendAll(deliveries, {
    origin: `http://127.0.0.1:${port}`,
    path: '/webhook/github',
    connections,
    status,
  });
  const after = await child.ask<CpuTime>('cpu');
  return { ...load, cpuMicroseconds: (after.microseconds - before.microseconds) / deliveries.length };
}

/** How many tickets there were. */
async function emptyInbox(records: ReturnType<typeof createDeliveryRecords>): Promise<number> {
  const settle = (taken: TakenTicket): Promise<number> =>
    records.settle(taken, { kind: 'processed', outcome: 'benched' });
  for (let count = 0; ; ) {
    const tickets = await records.take(TAKEN_AT_ONCE);
    if (tickets.length === 0) return count;
    await Promise.all(tickets.map(settle));
    count += tickets.length;
  }
}
