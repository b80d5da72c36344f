/**
 * One sequence's world: the real stores on the real Redis, in a namespace of its own; the model beside them; a platform on
 * paper; and everybody who acts, each with what he remembers. Many worlds share one server and one connection.
 *
 * Every act goes through `act`: the real one, then the model's, then answers and records are compared and the invariants
 * checked.
 *
 * Time is not waited for, and Redis TIME cannot be moved. All durations are so long that none ends by itself; that one
 * has ended is a step. It deletes the key whose time to live is over, or puts the note of a moment (the beginning of the
 * recovery, the end of a back-off) so far into the past that the scripts see it so. The scripts' clock itself only has to
 * go on: after a loss of data the world waits until it has passed every fence, which in real time are seconds.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { RunState } from '../../src/domain/run.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { createKeys } from '../../src/redis/keys.ts';
import { type Admissions, createAdmissions } from '../../src/runs/admissions.ts';
import { type AttemptRecords, createAttemptRecords } from '../../src/runs/attempt-records.ts';
import { type ClaimRecords, createClaimRecords } from '../../src/runs/claim-records.ts';
import { createLabelRecords, type LabelRecords } from '../../src/runs/label-records.ts';
import { createRunReader, type RunReader } from '../../src/runs/run-reader.ts';
import type { Claimer } from './actors/claimer.ts';
import type { Painter } from './actors/painter.ts';
import type { Worker } from './actors/worker.ts';
import type { Attempt } from './attempt-model.ts';
import { checkInvariants } from './invariants.ts';
import { type Answer, MOST_RUNS_PER_DAY, type Model, NO_RECORDS, type Records, type Told } from './model.ts';
import { createPaperPlatform, keyOf, type PaperPlatform, TRIGGER_LABEL } from './paper-platform.ts';
import { CLAIMERS, PAINTERS, TICKETS, WORKERS } from './steps.ts';
import { keysOfFairUse, keysOfList, LISTS, readView, type View } from './view.ts';

/** No sequence lasts so long that a time to live ends by itself. */
export const TIMING = scaleTiming(DEFAULT_TIMING, 100);

const TICKET_KEYS: ReadonlyMap<string, string> = new Map(TICKETS.map((id) => [id, keyOf(id)]));

export interface World {
  readonly redis: RedisConnection;
  readonly claimRecords: ClaimRecords;
  readonly attemptRecords: AttemptRecords;
  readonly admissions: Admissions;
  readonly labelRecords: LabelRecords;
  /** As `labelRecords`, on the day after the platform began to refuse. */
  readonly labelRecordsLater: LabelRecords;
  readonly runs: RunReader;
  readonly platform: PaperPlatform;
  readonly model: Model;
  view: View;
  /** What was really done, in words. */
  readonly trace: string[];
  /** Every run id that was given out. */
  readonly runIds: string[];
  /** Runs that have ended, as far as Redis was not set back since: how, and in which attempt. */
  readonly ended: Map<string, Ended>;
  readonly claimers: readonly Claimer[];
  readonly workers: readonly Worker[];
  readonly painters: readonly Painter[];
  /** The attempt that the stale-job detector holds for dead. */
  judged: Attempt | undefined;
  /** What a replica of Redis has. */
  copy: Copy | undefined;
  /** How often Redis has lost data. */
  losses: number;
  /** How often a replica took over; the name of the server as `recover` sees it. */
  server: number;
  /** Makes an act in reality and in the model, and compares. Answers what both have answered. */
  act(what: string, real: () => Promise<string>, model: (told: Told) => Answer | string): Promise<string>;
  /** Everything of this world that is in Redis. */
  keys(): string[];
}

export interface Ended {
  readonly state: RunState;
  readonly fence: number;
}

export interface Copy {
  readonly model: Model;
  readonly keys: readonly { readonly key: string; readonly value: Buffer; readonly untilMs: number }[];
  readonly ended: ReadonlyMap<string, Ended>;
}

/** `base`: a connection that is up; its namespace is not used. */
export async function openWorld(base: RedisConnection, namespace: string): Promise<World> {
  const redis: RedisConnection = { ...base, keys: createKeys({ namespace }) };
  const claimOptions = { ...TIMING, mostRunsPerDay: () => MOST_RUNS_PER_DAY };
  const named = { tickets: TICKET_KEYS, runs: [] as string[] };
  await note(redis, 0, true);
  const world: World = {
    redis,
    claimRecords: createClaimRecords(redis, claimOptions),
    attemptRecords: createAttemptRecords(redis, TIMING),
    admissions: createAdmissions(redis, TIMING),
    labelRecords: createLabelRecords(redis, TIMING),
    labelRecordsLater: createLabelRecords(redis, { ...TIMING, labelGiveUpMs: 0 }),
    runs: createRunReader(redis),
    // One that a trigger label asks for, and one that only `pending` does.
    platform: createPaperPlatform({ 1: [TRIGGER_LABEL, 'people'], 2: ['people', 'agent-smith:pending'] }),
    model: { ...structuredClone(NO_RECORDS), recovery: 3, highest: {} },
    view: await readView(redis, named),
    trace: [],
    runIds: named.runs,
    ended: new Map(),
    claimers: Array.from({ length: CLAIMERS }, () => ({ claim: undefined })),
    workers: Array.from({ length: WORKERS }, () => ({ taken: undefined, attempt: undefined, ended: [] })),
    painters: Array.from({ length: PAINTERS }, () => ({ intent: undefined })),
    judged: undefined,
    copy: undefined,
    losses: 0,
    server: 0,
    async act(what, real, model) {
      const text = await real();
      world.trace.push(`${what} -> ${text}`);
      const before = world.view;
      world.view = await readView(redis, named);
      const answer = model(toldBy(world.view));
      const expected = typeof answer === 'string' ? { text: answer, unchanged: false } : answer;
      assert.equal(text, expected.text, 'Redis answers (+) what the protocol does not say (-)');
      assert.deepEqual(
        world.view.records,
        recordsOf(world.model),
        'Redis knows (+) what the protocol does not say (-)',
      );
      assert.equal(world.view.noted, world.model.recovery !== 'unnoticed', 'whose data this is');
      if (expected.unchanged) assert.equal(world.view.raw, before.raw, `${text}, and yet something was written`);
      checkInvariants(world, before);
      return text;
    },
    keys() {
      const { keys } = redis;
      const ofTicket = (key: string) => [keys.ticket(key), keys.claimLock('github', key), keys.heartbeat(key)];
      return [
        ...[...named.tickets.values()].flatMap(ofTicket),
        ...named.runs.flatMap((run) => [keys.run(run), keys.output(run), keys.result(run)]),
        ...LISTS.map((list) => keysOfList(redis, list)),
        ...Object.values(keysOfFairUse(redis)),
        keys.admitted('pipeline', 'fix-bug'),
        keys.freeSlots,
        keys.incarnation,
        keys.decisions,
        keys.unheard,
      ];
    },
  };
  return world;
}

/** The first command of every connection: whose data is this? */
export async function note(redis: RedisConnection, server: number, fresh = false): Promise<string> {
  const reply = await redis.script(
    'recover',
    [redis.keys.incarnation],
    [`server-${server}`, 'id', fresh ? '1' : '0', '0'],
  );
  return String(reply[3]);
}

/** Learns the names of all runs that Redis knows of. */
export async function learnRuns({ redis, runIds }: World): Promise<void> {
  const lists = await redis.read('which runs there are', (client) =>
    Promise.all(LISTS.map((list) => client.zrange(keysOfList(redis, list), 0, '-1'))),
  );
  runIds.push(...new Set(lists.flat().filter((run) => !runIds.includes(run))));
}

/** Looks at Redis, with all the runs that it knows of. */
export async function look(world: World): Promise<void> {
  await learnRuns(world);
  world.view = await readView(world.redis, { tickets: TICKET_KEYS, runs: world.runIds });
}

/** Seconds pass at least when Redis loses data: its clock is then past every fence that it had given out. */
export async function outliveFences(world: World): Promise<void> {
  const highest = Math.max(0, ...Object.values(world.model.highest));
  while ((await world.redis.timeMs()) <= highest) await pause(1);
}

/** Redis has lost data: no worker has been heard since. */
export function noteLoss(world: World): void {
  world.losses += 1;
  for (const { attempt } of world.workers) if (attempt !== undefined) attempt.heard = false;
}

/** What nobody of the house writes: a key that is changed from outside, in reality and in the model. */
export async function writeFromOutside(
  world: World,
  what: string,
  command: [string, ...string[]],
  change: () => void,
): Promise<void> {
  const [name, ...args] = command;
  await world.act(
    what,
    async () => {
      await world.redis.read(what, (client) => client.call(name, ...args));
      return 'so it is';
    },
    () => {
      change();
      return 'so it is';
    },
  );
}

function recordsOf({ tickets, runs, lists, fairUse, locks, heartbeats }: Model): Records {
  return { tickets, runs, lists, fairUse, locks, heartbeats };
}

function toldBy({ records }: View): Told {
  return {
    fence: (ticket) => records.tickets[ticket]?.fence ?? 0,
    since: (run) => records.runs[run]?.since ?? 0,
  };
}

/** The ticket's run as Redis shows it now; undefined without one. */
export function currentRun(world: World, ticket: string): string | undefined {
  const run = world.view.records.tickets[ticket]?.run;
  return run !== undefined && world.view.records.runs[run] !== undefined ? run : undefined;
}
